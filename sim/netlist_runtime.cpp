// Runtime of compiled netlists: packs port values into bit planes, steps cycles, counts.
//
// A netlist is compiled on its own and comes as two functions over v, one word per net, and s, one word per
// register:
//   evaluate(v, s)       nets from input nets and register states, in topological order
//   clock_edge(v, s)     next register states from the nets
// Where anything is counted, evaluate leaves all nets in v, else only those that are read here.

using Step = void (*)(word *v, word *s);

namespace {

// One cell whose input states are counted: `pin_count` pins from `pin_start` on, and where its counts begin.
struct StateCell {
  uint32_t pin_count;
  uint32_t pin_start;
  uint64_t count_start;
};

constexpr uint32_t kMaxStatePins = 10;

// Adds, for each of the 2^pins states, how many of the live streams are in it.
inline void count_states(const StateCell &cell, const uint32_t *pins, const word *v, const word &live,
                         int64_t *counts) {
  word states[1 << kMaxStatePins];
  states[0] = live;
  for (uint32_t pin = 0; pin < cell.pin_count; ++pin) {
    const word value = v[pins[cell.pin_start + pin]];
    for (uint32_t state = 0; state < UINT32_C(1) << pin; ++state) {
      states[state | UINT32_C(1) << pin] = states[state] & value;
      states[state] &= ~value;
    }
  }
  for (uint32_t state = 0; state < UINT32_C(1) << cell.pin_count; ++state)
    counts[cell.count_start + state] += population(states[state]);
}

}  // namespace

// `toggles` (one per net, may be null) are added to; `first_counted` is the first cycle whose change against
// the cycle before is counted (at least 1), and whose states are. `kept` are the cycles, ascending, whose
// outputs are wanted. A pin of a state cell at net_count or above is a register's state.
extern "C" void macsmith_simulate(
    Step evaluate, Step clock_edge, uint32_t net_count, uint32_t register_count, uint64_t cycles,
    uint64_t streams, uint32_t input_count, const uint32_t *input_widths, const uint32_t *input_nets,
    const uint8_t *const *inputs, const uint32_t *input_bytes, const uint32_t *inputs_shared,
    uint32_t output_count, const uint32_t *output_widths, const uint32_t *output_nets,
    uint64_t *const *outputs, uint64_t kept_count, const uint64_t *kept, uint64_t first_counted,
    int64_t *toggles, uint32_t state_cell_count, const StateCell *state_cells,
    const uint32_t *state_pins, int64_t *state_counts) {
  const std::vector<Port> in = make_ports(input_count, input_widths, input_nets, inputs, input_bytes,
                                          inputs_shared, nullptr);
  const std::vector<Port> out =
      make_ports(output_count, output_widths, output_nets, nullptr, nullptr, nullptr, outputs);
  std::vector<word> now(net_count + register_count), before(toggles ? net_count : 0);
  std::vector<word> counts(toggles ? net_count : 0);
  word *state = now.data() + net_count;
  for (uint64_t first = 0; first < streams; first += kLanes) {
    const uint64_t lanes = streams - first < kLanes ? streams - first : kLanes;
    const word live = live_lanes(lanes);
    for (auto &value : now) value = word{};
    now[1] = ~word{};
    uint64_t row = 0;
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
      for (const Port &port : in) load_port(port, now.data(), cycle, streams, first, lanes);
      evaluate(now.data(), state);
      if (row < kept_count && kept[row] == cycle) {
        for (const Port &port : out)
          if (port.target != nullptr) store_port(port, now.data(), row, streams, first, lanes);
        ++row;
      }
      if (toggles != nullptr) {
        if (cycle >= first_counted) {
          for (uint32_t net = 0; net < net_count; ++net) {
            const word changed = (now[net] ^ before[net]) & live;
            for (uint32_t part = 0; part < kParts; ++part)
              counts[net][part] += (uint64_t)__builtin_popcountll(changed[part]);
            before[net] = now[net];
          }
        } else {
          std::memcpy(before.data(), now.data(), net_count * sizeof(word));
        }
      }
      if (state_counts != nullptr && cycle >= first_counted)
        for (uint32_t cell = 0; cell < state_cell_count; ++cell)
          count_states(state_cells[cell], state_pins, now.data(), live, state_counts);
      clock_edge(now.data(), state);
    }
  }
  if (toggles != nullptr)
    for (uint32_t net = 0; net < net_count; ++net)
      for (uint32_t part = 0; part < kParts; ++part) toggles[net] += (int64_t)counts[net][part];
}
