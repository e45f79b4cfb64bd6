// What all netlist runtimes share; stands in front of each when it is compiled.
//
// Waveforms are [cycles][streams][words] of uint64_t, one such array per port; a port's bits lie in its
// words least significant first.

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

// Transpose of a 64 x 64 bit matrix: row r, bit c -> row c, bit r, by swapping ever smaller blocks.
void transpose(uint64_t *rows) {
  uint64_t mask = UINT64_C(0x00000000FFFFFFFF);
  for (int width = 32; width != 0; width >>= 1, mask ^= mask << width) {
    for (int row = 0; row < 64; row = ((row | width) + 1) & ~width) {
      const uint64_t swapped = ((rows[row] >> width) ^ rows[row | width]) & mask;
      rows[row] ^= swapped << width;
      rows[row | width] ^= swapped;
    }
  }
}

struct Port {
  const uint64_t *source;  // inputs
  uint64_t *target;        // outputs
  uint32_t words;
  uint32_t width;
  const uint32_t *nets;
};

}  // namespace
