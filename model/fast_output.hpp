// Integer sums brought to a narrow integer format: bias, multiplier and shift, zero point, clip.

#pragma once

#include "fast_formats.hpp"

namespace macsmith {

// Mirrors `OutputStageStruct` of fast_structs.py.
struct OutputStage {
  int64_t multiplier, bias;
  int32_t shift;
  int32_t sum_bits;  // of the two's-complement sums, at most 63
  int32_t zero_point;
  int32_t low, high;  // what is clipped to
  int32_t code_bits;
  int32_t rounding;
};

inline uint64_t requantised(const OutputStage &s, uint64_t sum) {
  const int unused = 64 - s.sum_bits;
  const int64_t integer = int64_t(sum << unused) >> unused;
  // 64 bits times 31
  const __int128 product = (__int128(integer) + s.bias) * s.multiplier;
  const bool negative = product < 0;
  const unsigned __int128 magnitude = (unsigned __int128)(negative ? -product : product);
  unsigned __int128 kept = magnitude >> s.shift;
  if (s.shift) {
    const bool round_bit = magnitude >> (s.shift - 1) & 1;
    const bool sticky = (magnitude & (((unsigned __int128)1 << (s.shift - 1)) - 1)) != 0;
    kept += rounds_up(s.rounding, negative, kept & 1, round_bit, sticky);
  }
  __int128 result = (negative ? -__int128(kept) : __int128(kept)) + s.zero_point;
  if (result < s.low) result = s.low;
  if (result > s.high) result = s.high;
  return uint64_t(int64_t(result)) & ((uint64_t(1) << s.code_bits) - 1);
}

}  // namespace macsmith
