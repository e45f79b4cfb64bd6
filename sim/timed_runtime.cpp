// Runtime of timed netlist simulation: waveforms of bit-parallel streams over the steps of a cycle.
//
// Compiled together with one kernel per Boolean function in use (see timed.py), in front of which this
// file stands. A `word` holds one bit of each of 512 streams. The waveform of a net covers the steps
// first..last in which it can change; before them it has its value of the cycle before.

using Kernel = void (*)(const word *const *in, word *out, int32_t count);
extern Kernel const kernels[];

namespace {

constexpr uint32_t kMaxPins = 16;

// One output of one cell. `pins` entries name its nets and by how many steps later their edges act.
struct Gate {
  int32_t kernel;
  int32_t net;
  int32_t rise, fall;          // steps from the function's value to the output's edge
  int32_t keeps_rise, keeps_fall; // 1: a value that lasts exactly so long is seen
  int32_t raw_first, raw_last; // steps in which the function's value can change
  int32_t pin_count;
  int32_t pin_start;
};

struct Pin {
  int32_t net;
  int32_t shift;
};

struct Window {
  int32_t first, last;  // last < first: never changes
  int64_t offset;       // of its waveform
};

// In place, from the back: at every step the AND of this and the `length` - 1 steps before it, which lie in
// front of `buffer` too.
void all_of(word *buffer, int32_t count, int32_t length) {
  int32_t reached = 1;
  for (; 2 * reached <= length; reached *= 2)
    for (int32_t step = count - 1; step >= -(length - 2 * reached); --step)
      buffer[step] &= buffer[step - reached];
  if (reached < length)
    for (int32_t step = count - 1; step >= 0; --step) buffer[step] &= buffer[step - (length - reached)];
}

struct Machine {
  const Window *windows;
  word *before;  // per net: value before this cycle's first change
  word *after;   // per net: value at the end of the cycle
  word *waves;
  std::vector<word> pin_buffer[kMaxPins], raw, ones, zeros;

  // The waveform of a pin over raw_first..raw_last, in place where it can be.
  const word *seen(const Pin &pin, int32_t first, int32_t last, uint32_t slot) {
    const Window &window = windows[pin.net];
    const int32_t from = first - pin.shift, to = last - pin.shift;
    if (window.first <= from && to <= window.last && window.first <= window.last)
      return waves + window.offset + (from - window.first);
    word *copy = pin_buffer[slot].data();
    int32_t at = from;
    const int32_t count = to - from + 1;
    if (window.last < window.first) {
      for (int32_t step = 0; step < count; ++step) copy[step] = before[pin.net];
      return copy;
    }
    for (; at <= to && at < window.first; ++at) copy[at - from] = before[pin.net];
    const word *wave = waves + window.offset - window.first;
    for (; at <= to && at <= window.last; ++at) copy[at - from] = wave[at];
    for (; at <= to; ++at) copy[at - from] = after[pin.net];
    return copy;
  }

  // Inertial delay: the output rises `rise` steps after the function's value did if that stayed, falls
  // likewise; a value that does not last that long is never seen.
  int64_t run(const Gate &gate, const Pin *pins, const word &live) {
    const word *in[kMaxPins];
    const int32_t count = gate.raw_last - gate.raw_first + 1;
    for (int32_t pin = 0; pin < gate.pin_count; ++pin)
      in[pin] = seen(pins[gate.pin_start + pin], gate.raw_first, gate.raw_last, pin);
    const int32_t longest = gate.rise > gate.fall ? gate.rise : gate.fall;
    const int32_t shortest = gate.rise < gate.fall ? gate.rise : gate.fall;
    word *value = raw.data() + longest + 1;
    kernels[gate.kernel](in, value, count);
    const word start = before[gate.net], end = value[count - 1];
    const Window &window = windows[gate.net];
    word *out = waves + window.offset;
    word now = start;
    int64_t toggles = 0;
    const int32_t outputs = count + longest - shortest;
    for (int32_t step = -longest - 1; step < 0; ++step) value[step] = start;
    if (longest == 0) {
      for (int32_t step = 0; step < count; ++step) {
        toggles += population((now ^ value[step]) & live);
        now = out[step] = value[step];
      }
    } else {
      // out[k] is at step raw_first + shortest + k: index shortest + k of `value`
      const int32_t total = outputs + shortest;
      word *one = ones.data() + longest + 1, *zero = zeros.data() + longest + 1;
      for (int32_t step = count; step < total; ++step) value[step] = end;
      for (int32_t step = -longest - 1; step < total; ++step) {
        one[step] = value[step];
        zero[step] = ~value[step];
      }
      all_of(one, total, gate.rise + 1 - gate.keeps_rise);
      all_of(zero, total, gate.fall + 1 - gate.keeps_fall);
      one += shortest - gate.keeps_rise;
      zero += shortest - gate.keeps_fall;
      for (int32_t step = 0; step < outputs; ++step) {
        const word next = (now & ~zero[step]) | one[step];
        toggles += population((now ^ next) & live);
        now = out[step] = next;
      }
    }
    after[gate.net] = now;
    return toggles;
  }
};

}  // namespace

// `sources` are the nets that change at step 0: input ports and register states. A state's net is driven by no
// gate: `registers` has, for each, that net, the kernel of its next value, and its pins. Waveforms are
// [cycles][streams][words], see netlist_runtime.cpp.
extern "C" void macsmith_simulate_timed(
    uint32_t net_count, const Window *windows, int64_t wave_words, int32_t longest_window,
    uint32_t gate_count, const Gate *gates, const Pin *pins, uint32_t register_count,
    const Gate *registers, uint32_t source_count, const uint32_t *sources, uint64_t cycles, uint64_t streams, uint32_t input_count,
    const uint32_t *input_widths, const uint32_t *input_nets, const uint8_t *const *inputs,
    const uint32_t *input_bytes, const uint32_t *inputs_shared, uint32_t output_count, const uint32_t *output_widths, const uint32_t *output_nets,
    uint64_t *const *outputs, uint64_t first_counted, int64_t *toggles, int64_t *final_toggles) {
  const std::vector<Port> in = make_ports(input_count, input_widths, input_nets, inputs, input_bytes,
                                          inputs_shared, nullptr);
  const std::vector<Port> out =
      make_ports(output_count, output_widths, output_nets, nullptr, nullptr, nullptr, outputs);
  std::vector<word> before(net_count), after(net_count), waves(wave_words), states(register_count);
  Machine machine;
  machine.windows = windows;
  machine.before = before.data();
  machine.after = after.data();
  machine.waves = waves.data();
  for (auto &buffer : machine.pin_buffer) buffer.resize(longest_window);
  machine.raw.resize(2 * longest_window);
  machine.ones.resize(2 * longest_window);
  machine.zeros.resize(2 * longest_window);
  for (uint64_t first = 0; first < streams; first += kLanes) {
    const uint64_t lanes = streams - first < kLanes ? streams - first : kLanes;
    const word live = live_lanes(lanes);
    for (auto &value : after) value = word{};
    after[1] = ~word{};
    for (auto &state : states) state = word{};
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
      before = after;
      // in the first cycle there is nothing before: all settles, and nothing of it is counted
      for (const Port &port : in) load_port(port, after.data(), cycle, streams, first, lanes);
      for (uint32_t index = 0; index < register_count; ++index)
        after[registers[index].net] = states[index];
      for (uint32_t index = 0; index < source_count; ++index) {
        const uint32_t net = sources[index];
        waves[windows[net].offset] = after[net];
        if (cycle >= first_counted)
          toggles[net] += population((before[net] ^ after[net]) & live);
      }
      for (uint32_t index = 0; index < gate_count; ++index) {
        const int64_t count = machine.run(gates[index], pins, live);
        if (cycle >= first_counted) toggles[gates[index].net] += count;
      }
      if (cycle >= first_counted)
        for (uint32_t net = 0; net < net_count; ++net)
          final_toggles[net] += population((before[net] ^ after[net]) & live);
      for (const Port &port : out) store_port(port, after.data(), cycle, streams, first, lanes);
      for (uint32_t index = 0; index < register_count; ++index) {
        const Gate &gate = registers[index];
        const word *at[kMaxPins];
        for (int32_t pin = 0; pin < gate.pin_count; ++pin)
          at[pin] = &after[pins[gate.pin_start + pin].net];
        kernels[gate.kernel](at, &states[index], 1);
      }
    }
  }
}
