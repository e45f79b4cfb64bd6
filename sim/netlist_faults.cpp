// Runtime of fault simulation: every fault in turn, with 512 vectors at once, until one tells it.
//
// The netlist comes as evaluate(v, m): v one word per net, m one word per fault, of which only that of the
// fault being simulated is not 0.

using Evaluate = void (*)(word *v, const word *m);

// `found` has -1 for every fault, replaced by a vector that tells it.
extern "C" void macsmith_find_faults(Evaluate evaluate, uint32_t net_count, uint64_t vectors,
                                     uint32_t input_count, const uint32_t *input_widths,
                                     const uint32_t *input_nets, const uint8_t *const *inputs,
                                     const uint32_t *input_bytes, const uint32_t *inputs_shared,
                                     uint32_t output_count, const uint32_t *output_nets,
                                     uint32_t fault_count, int64_t *found) {
  const std::vector<Port> in =
      make_ports(input_count, input_widths, input_nets, inputs, input_bytes, inputs_shared, nullptr);
  std::vector<word> v(net_count), masks(fault_count + 1), good(output_count);
  v[1] = ~word{};
  for (uint64_t first = 0; first < vectors; first += kLanes) {
    const uint64_t lanes = vectors - first < kLanes ? vectors - first : kLanes;
    const word live = live_lanes(lanes);
    for (const Port &port : in) load_port(port, v.data(), 0, vectors, first, lanes);
    evaluate(v.data(), masks.data());
    for (uint32_t output = 0; output < output_count; ++output) good[output] = v[output_nets[output]];
    for (uint32_t fault = 0; fault < fault_count; ++fault) {
      if (found[fault] >= 0) continue;
      masks[fault] = ~word{};
      evaluate(v.data(), masks.data());
      masks[fault] = word{};
      word differs = {};
      for (uint32_t output = 0; output < output_count; ++output)
        differs |= v[output_nets[output]] ^ good[output];
      differs &= live;
      for (uint32_t part = 0; part < kParts && found[fault] < 0; ++part)
        if (differs[part] != 0)
          found[fault] = (int64_t)(first + 64 * part + (uint64_t)__builtin_ctzll(differs[part]));
    }
  }
}
