// Runtime of timed netlist simulation: waveforms of bit-parallel streams, as lists of events.
//
// Compiled together with one function per Boolean function in use (see timed.py), in front of which this
// file stands. A net's waveform is the list of its values, first the one before the cycle, then one for each
// step in which it changes in any of the 512 streams, and a map with a bit for each such step. In most steps
// no stream changes: the lists are short. Nothing below branches on data but the ends of loops.

#include <memory>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

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

inline uint32_t is_any(const word &bits) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)bits, (__m512i)bits) != 0;
#else
  uint64_t all = 0;
  for (uint32_t part = 0; part < kParts; ++part) all |= bits[part];
  return all != 0;
#endif
}

inline word populations(const word &bits) {
#if defined(__AVX512VPOPCNTDQ__)
  return (word)_mm512_popcnt_epi64((__m512i)bits);
#else
  word counts;
  for (uint32_t part = 0; part < kParts; ++part) counts[part] = (uint64_t)__builtin_popcountll(bits[part]);
  return counts;
#endif
}

// Values of a net or function over a cycle: values[0] before it, values[k] from step steps[k] on.
struct Events {
  word *values;
  int32_t *steps;
  int32_t count;
};

struct Machine {
  const Pin *pins;
  word **lists;      // values of each net in this cycle, one list behind the other in one block
  word *free;        // the rest of that block
  word *last;        // each net's last value
  int32_t *counts;   // events in each net's list
  uint64_t *maps;    // steps of each net's events, `map_words` words per net
  int32_t map_words;
  std::vector<word> raw_values, rises, falls;
  std::vector<int32_t> raw_steps;
  std::vector<uint64_t> rise_map, fall_map;

  uint64_t *map(int32_t net) const { return maps + (int64_t)net * map_words; }
  // A net's list is complete: what follows it is free.
  void close(int32_t net, int32_t count) {
    counts[net] = count;
    last[net] = lists[net][count];
    free = lists[net] + count + 1;
  }
};

// 64 bits of a map moved to later steps.
inline uint64_t moved(const uint64_t *map, int32_t at, int32_t shift) {
  const int32_t from = at - (shift >> 6), bits = shift & 63;
  const uint64_t low = from >= 0 ? map[from] << bits : 0;
  return bits == 0 || from < 1 ? low : low | map[from - 1] >> (64 - bits);
}

// The function's value from its inputs' events. Kernel: kPins and of(in), in[k] pointing at pin k's value.
template <class Function>
int32_t raw_events(Machine &m, const Gate &gate) {
  constexpr int kPins = Function::kPins;
  const word *in[kPins ? kPins : 1];
  const uint64_t *map[kPins ? kPins : 1];
  int32_t shift[kPins ? kPins : 1];
  for (int pin = 0; pin < kPins; ++pin) {
    const Pin &of = m.pins[gate.pin_start + pin];
    in[pin] = m.lists[of.net];
    map[pin] = m.map(of.net);
    shift[pin] = of.shift;
  }
  word *values = m.raw_values.data();
  int32_t *steps = m.raw_steps.data();
  word before = Function::of(in);
  values[0] = before;
  int32_t count = 0;
  const int32_t end = gate.raw_last >> 6;
  for (int32_t at = gate.raw_first >> 6; at <= end; ++at) {
    uint64_t here[kPins ? kPins : 1];
    uint64_t any = 0;
    for (int pin = 0; pin < kPins; ++pin) {
      here[pin] = moved(map[pin], at, shift[pin]);
      any |= here[pin];
    }
    for (; any != 0; any &= any - 1) {
      const int bit = __builtin_ctzll(any);
      for (int pin = 0; pin < kPins; ++pin) in[pin] += here[pin] >> bit & 1;
      const word value = Function::of(in);
      // overwritten by the next one if nothing changed
      values[count + 1] = value;
      steps[count + 1] = 64 * at + bit;
      count += (int32_t)is_any(value ^ before);
      before = value;
    }
  }
  return count;
}

using Kernel = int32_t (*)(Machine &, const Gate &);
using Settle = word (*)(const word *const *in);

// Inertial delay: the output rises `rise` steps after the function's value did if that stayed, falls
// likewise; a value that does not last that long is never seen. Returns the edges of the live streams.
int64_t delay_events(Machine &m, const Gate &gate, int32_t raw_count, const word &live) {
  word *out = m.lists[gate.net] = m.free;
  uint64_t *map = m.map(gate.net);
  if (m.counts[gate.net] != 0) std::memset(map, 0, (size_t)m.map_words * 8);
  out[0] = m.last[gate.net];
  if (raw_count == 0) {
    m.close(gate.net, 0);
    return 0;
  }
  const word *raw = m.raw_values.data();
  int32_t *steps = m.raw_steps.data();
  steps[raw_count + 1] = INT32_MAX;
  word now = out[0], edges = {};
  int32_t count = 0;
  if (gate.rise == gate.fall && gate.keeps_rise == gate.keeps_fall) {
    const int32_t holds = gate.rise - gate.keeps_rise;
    for (int32_t event = 1; event <= raw_count; ++event) {
      word kept = raw[event] ^ raw[event - 1];
      for (int32_t later = event + 1; steps[later] <= steps[event] + holds; ++later)
        kept &= ~(raw[later] ^ raw[event]);
      const word change = kept & (now ^ raw[event]);
      edges += populations(change & live);
      now ^= change;
      out[count + 1] = now;
      const uint32_t is_event = is_any(change);
      const int32_t step = steps[event] + gate.rise;
      map[step >> 6] |= (uint64_t)is_event << (step & 63);
      count += (int32_t)is_event;
    }
  } else {
    word *rises = m.rises.data(), *falls = m.falls.data();
    uint64_t *rise_map = m.rise_map.data(), *fall_map = m.fall_map.data();
    const int32_t first = (steps[1] + (gate.rise < gate.fall ? gate.rise : gate.fall)) >> 6;
    const int32_t last = (steps[raw_count] + (gate.rise > gate.fall ? gate.rise : gate.fall)) >> 6;
    for (int32_t at = first; at <= last; ++at) rise_map[at] = fall_map[at] = 0;
    const int32_t rise_holds = gate.rise - gate.keeps_rise, fall_holds = gate.fall - gate.keeps_fall;
    const int32_t both_hold = rise_holds < fall_holds ? rise_holds : fall_holds;
    int32_t rise_count = 0, fall_count = 0;
    for (int32_t event = 1; event <= raw_count; ++event) {
      word rise = raw[event] & ~raw[event - 1], fall = raw[event - 1] & ~raw[event];
      int32_t later = event + 1;
      for (; steps[later] <= steps[event] + both_hold; ++later) {
        rise &= raw[later];
        fall &= ~raw[later];
      }
      if (rise_holds > fall_holds)
        for (; steps[later] <= steps[event] + rise_holds; ++later) rise &= raw[later];
      else
        for (; steps[later] <= steps[event] + fall_holds; ++later) fall &= ~raw[later];
      rises[rise_count] = rise;
      falls[fall_count] = fall;
      const uint32_t is_rise = is_any(rise), is_fall = is_any(fall);
      const int32_t rise_step = steps[event] + gate.rise, fall_step = steps[event] + gate.fall;
      rise_map[rise_step >> 6] |= (uint64_t)is_rise << (rise_step & 63);
      fall_map[fall_step >> 6] |= (uint64_t)is_fall << (fall_step & 63);
      rise_count += (int32_t)is_rise;
      fall_count += (int32_t)is_fall;
    }
    for (int32_t at = first; at <= last; ++at) {
      uint64_t left = rise_map[at] | fall_map[at];
      for (; left != 0; left &= left - 1) {
        const int bit = __builtin_ctzll(left);
        const uint64_t is_rise = rise_map[at] >> bit & 1, is_fall = fall_map[at] >> bit & 1;
        const word up = *rises & (word{} - is_rise), down = *falls & (word{} - is_fall);
        rises += is_rise;
        falls += is_fall;
        // where both come at once, the one that began later wins
        const word next = gate.rise > gate.fall ? (now | up) & ~down : (now & ~down) | up;
        const word change = next ^ now;
        edges += populations(change & live);
        now = next;
        out[count + 1] = now;
        const uint64_t is_event = is_any(change);
        map[at] |= is_event << bit;
        count += (int32_t)is_event;
      }
    }
  }
  m.close(gate.net, count);
  int64_t total = 0;
  for (uint32_t part = 0; part < kParts; ++part) total += (int64_t)edges[part];
  return total;
}

}  // namespace

extern Kernel const kernels[];
extern Settle const settled_values[];

// `sources` are the nets that change at step 0: input ports and register states. A state's net is driven by no
// gate: `registers` has, for each, that net, the kernel of its next value, and its pins. Waveforms are
// [cycles][streams][bytes], see netlist_ports.hpp.
extern "C" void macsmith_simulate_timed(
    uint32_t net_count, int64_t value_count, int32_t step_count,
    uint32_t gate_count, const Gate *gates, const Pin *pins, uint32_t register_count,
    const Gate *registers, uint32_t source_count, const uint32_t *sources, uint64_t cycles,
    uint64_t streams, uint32_t input_count, const uint32_t *input_widths, const uint32_t *input_nets,
    const uint8_t *const *inputs, const uint32_t *input_bytes, const uint32_t *inputs_shared,
    uint32_t output_count, const uint32_t *output_widths, const uint32_t *output_nets,
    uint64_t *const *outputs, uint64_t first_counted, int64_t *toggles, int64_t *final_toggles) {
  constexpr int32_t kMaxPins = 16;
  const std::vector<Port> in = make_ports(input_count, input_widths, input_nets, inputs, input_bytes,
                                          inputs_shared, nullptr);
  const std::vector<Port> out =
      make_ports(output_count, output_widths, output_nets, nullptr, nullptr, nullptr, outputs);
  std::vector<word> after(net_count), last(net_count), states(register_count);
  std::vector<word *> lists(net_count);
  std::vector<int32_t> counts(net_count);
  // room for an event of every net in every step, of which little is ever touched
  const std::unique_ptr<word[]> values(new word[value_count]);
  Machine m;
  m.pins = pins;
  m.lists = lists.data();
  m.last = last.data();
  m.counts = counts.data();
  m.map_words = step_count / 64 + 2;
  std::vector<uint64_t> maps((size_t)net_count * m.map_words);
  m.maps = maps.data();
  m.raw_values.resize(step_count + 2);
  m.raw_steps.resize(step_count + 3);
  m.rises.resize(step_count + 2);
  m.falls.resize(step_count + 2);
  m.rise_map.resize(m.map_words);
  m.fall_map.resize(m.map_words);
  const auto settled_value = [&](const Gate &gate) {
    const word *at[kMaxPins];
    for (int32_t pin = 0; pin < gate.pin_count; ++pin)
      at[pin] = &last[pins[gate.pin_start + pin].net];
    return settled_values[gate.kernel](at);
  };
  for (uint64_t first = 0; first < streams; first += kLanes) {
    const uint64_t lanes = streams - first < kLanes ? streams - first : kLanes;
    const word live = live_lanes(lanes);
    // all inputs and states 0 and everything settled, before the first cycle
    for (auto &value : after) value = word{};
    for (auto &state : states) state = word{};
    std::memset(counts.data(), 0, counts.size() * sizeof counts[0]);
    std::memset(maps.data(), 0, maps.size() * sizeof maps[0]);
    for (auto &value : last) value = word{};
    last[1] = after[1] = ~word{};
    for (uint32_t index = 0; index < gate_count; ++index)
      last[gates[index].net] = settled_value(gates[index]);
    lists[0] = &last[0];
    lists[1] = &last[1];
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
      const bool is_counted = cycle >= first_counted;
      m.free = values.get();
      for (const Port &port : in) load_port(port, after.data(), cycle, streams, first, lanes);
      for (uint32_t index = 0; index < register_count; ++index)
        after[registers[index].net] = states[index];
      for (uint32_t index = 0; index < source_count; ++index) {
        const int32_t net = (int32_t)sources[index];
        word *list = lists[net] = m.free;
        list[0] = last[net];
        list[1] = after[net];
        const word change = (list[0] ^ list[1]) & live;
        m.close(net, (int32_t)is_any(list[0] ^ list[1]));
        m.map(net)[0] = (uint64_t)counts[net];
        if (is_counted) {
          const int64_t edges = population(change);
          toggles[net] += edges;
          final_toggles[net] += edges;
        }
      }
      for (uint32_t index = 0; index < gate_count; ++index) {
        const Gate &gate = gates[index];
        const int64_t edges = delay_events(m, gate, kernels[gate.kernel](m, gate), live);
        if (is_counted && edges != 0) {
          toggles[gate.net] += edges;
          final_toggles[gate.net] += population((lists[gate.net][0] ^ last[gate.net]) & live);
        }
      }
      for (const Port &port : out) {
        for (uint32_t bit = 0; bit < port.width; ++bit)
          after[port.nets[bit]] = last[port.nets[bit]];
        store_port(port, after.data(), cycle, streams, first, lanes);
      }
      for (uint32_t index = 0; index < register_count; ++index)
        states[index] = settled_value(registers[index]);
    }
  }
}
