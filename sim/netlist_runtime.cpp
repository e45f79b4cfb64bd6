// Runtime of compiled netlists: packs port words into bit planes, steps cycles, counts toggles.
//
// A netlist is compiled on its own and comes as two functions over v, one 64-bit word per net (bit k
// belongs to stream k of the block of 64 being run), and s, one word per register:
//   evaluate(v, s)       all nets from input nets and register states, in topological order
//   clock_edge(v, s)     next register states from the nets
//
// Waveforms are [cycles][streams][words] of uint64_t, one such array per port; a port's bits lie in its
// words least significant first.

using Step = void (*)(uint64_t *v, uint64_t *s);

// `toggles` (one per net, may be null) are added to. `first_counted` is the first cycle whose change
// against the cycle before is counted (at least 1). `states` holds [blocks][register_count] words:
// register states at the start, replaced by those at the end.
extern "C" void macsmith_simulate(Step evaluate, Step clock_edge, uint32_t net_count,
                                  uint32_t register_count, uint64_t cycles, uint64_t streams,
                                  uint32_t input_count, const uint32_t *input_widths,
                                  const uint32_t *input_nets, const uint64_t *const *inputs,
                                  uint32_t output_count, const uint32_t *output_widths,
                                  const uint32_t *output_nets, uint64_t *const *outputs,
                                  uint64_t first_counted, int64_t *toggles, uint64_t *states) {
  std::vector<Port> in(input_count), out(output_count);
  for (uint32_t port = 0, at = 0; port < input_count; at += input_widths[port++])
    in[port] = {inputs[port], nullptr, (input_widths[port] + 63) / 64, input_widths[port],
                input_nets + at};
  for (uint32_t port = 0, at = 0; port < output_count; at += output_widths[port++])
    out[port] = {nullptr, outputs[port], (output_widths[port] + 63) / 64, output_widths[port],
                 output_nets + at};
  std::vector<uint64_t> now(net_count), before(net_count);
  uint64_t plane[64];
  for (uint64_t block = 0; block * 64 < streams; ++block) {
    const uint64_t first = block * 64;
    const uint64_t lanes = streams - first < 64 ? streams - first : 64;
    const uint64_t live = lanes == 64 ? ~UINT64_C(0) : (UINT64_C(1) << lanes) - 1;
    uint64_t *state = states + block * register_count;
    now[0] = 0;
    now[1] = ~UINT64_C(0);
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
      for (const Port &port : in) {
        for (uint32_t word = 0; word < port.words; ++word) {
          std::memset(plane, 0, sizeof plane);
          const uint64_t *from = port.source + (cycle * streams + first) * port.words + word;
          for (uint64_t lane = 0; lane < lanes; ++lane) plane[lane] = from[lane * port.words];
          transpose(plane);
          for (uint32_t bit = word * 64; bit < port.width && bit < word * 64 + 64; ++bit)
            now[port.nets[bit]] = plane[bit - word * 64];
        }
      }
      evaluate(now.data(), state);
      for (const Port &port : out) {
        for (uint32_t word = 0; word < port.words; ++word) {
          std::memset(plane, 0, sizeof plane);
          for (uint32_t bit = word * 64; bit < port.width && bit < word * 64 + 64; ++bit)
            plane[bit - word * 64] = now[port.nets[bit]];
          transpose(plane);
          uint64_t *to = port.target + (cycle * streams + first) * port.words + word;
          for (uint64_t lane = 0; lane < lanes; ++lane) to[lane * port.words] = plane[lane];
        }
      }
      if (toggles != nullptr) {
        if (cycle >= first_counted)
          for (uint32_t net = 0; net < net_count; ++net)
            toggles[net] += __builtin_popcountll((now[net] ^ before[net]) & live);
        before = now;
      }
      clock_edge(now.data(), state);
    }
  }
}
