// Aligned accumulators on vectors of doubles.
//
// Each operand comes with the power of two that its exponent stands for (0 for zero, the smallest
// binade's for subnormals), so the largest product of two such powers is what a step is aligned to.
// Scaled by 2**fraction_bits over that, a product is cut at its integer part. fast_plan.py chooses
// this where products are exact in a double, the scaled terms of a step lie below 2**46 and their
// sum below 2**53, and no exponent comes near a double's limits: then all but the cut is exact.
//
// The cut without AVX-512: (x + 1.5 * 2**52) - 1.5 * 2**52 is x rounded to an integer, and one too far
// from zero where its magnitude grew.

#pragma once

#include "fast_tiles.hpp"

#include <cmath>

namespace macsmith {

// Mirrors `AlignedSpecStruct` of fast_structs.py.
struct AlignedSpec {
  TileRound sum;     // kept_bits below the point, and no largest number
  TileRound format;  // of the partial sum; to nearest, for the addition of a late one
  TileRound outer;
  double a_least, b_least, format_least;  // the smallest binades
  double least;      // steps are aligned to this at least
  int32_t lanes;
  int32_t chunk_length;  // 0: not chunked
  int32_t fraction_bits;
  int32_t is_late;
  int32_t rounds_terms;
  int32_t rounding;
};

using AlignedVector = Lanes<double>::V;
using AlignedWords = Lanes<double>::W;

// The power of two of each number's exponent; 1 where it is infinite or NaN.
inline AlignedVector power_of(AlignedVector value, double least) {
  const AlignedVector power = (AlignedVector)((AlignedWords)value & exponent_mask<double>());
  AlignedVector result = power > least ? power : least - AlignedVector{};
  result = power == __builtin_inf() ? 1.0 - AlignedVector{} : result;
  return value == 0 ? AlignedVector{} : result;
}

inline double power_of(double value, double least) {
  return power_of(value - AlignedVector{}, least)[0];
}

template <bool ROUNDS>
inline AlignedVector cut(AlignedVector x) {
#if defined(__AVX512F__)
  constexpr int HOW = ROUNDS ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_ZERO;
  return (AlignedVector)_mm512_roundscale_pd((__m512d)x, HOW | _MM_FROUND_NO_EXC);
#endif
  constexpr double magic = 0x1.8p52;
  const AlignedVector r = (x + magic) - magic;
  if constexpr (ROUNDS) return r;
  constexpr auto MAGNITUDE = ~sign_mask<double>();
  const AlignedVector one = (AlignedVector)(((AlignedWords)x & sign_mask<double>()) |
                                            (AlignedWords)(1.0 - AlignedVector{}));
  const AlignedWords too_far =
      (AlignedVector)((AlignedWords)r & MAGNITUDE) > (AlignedVector)((AlignedWords)x & MAGNITUDE);
  return r - (AlignedVector)((AlignedWords)one & too_far);
}

constexpr int ALIGNED_VECTORS = 2;

struct AlignedPanel {
  AlignedVector value[ALIGNED_VECTORS], power[ALIGNED_VECTORS];
};

template <bool LATE, bool ROUNDS>
void aligned_row(const AlignedSpec &spec, const RoundConstants<double> &sum_round,
                 const RoundConstants<double> &format_round,
                 const RoundConstants<double> &outer_round, int64_t K, const double *a,
                 const double *a_power, const AlignedPanel *panel, double *sums) {
  using V = AlignedVector;
  using W = AlignedWords;
  constexpr auto SIGN = sign_mask<double>();
  const int64_t chunk = spec.chunk_length ? spec.chunk_length : K;
  // of the power 2**e, with its exponent field e + 1023: 2**(fraction_bits - e) and its inverse
  const int64_t up = int64_t(2 * 1023 + spec.fraction_bits) << 52;
  const int64_t down = int64_t(spec.fraction_bits) << 52;
  V inner[ALIGNED_VECTORS], outer[ALIGNED_VECTORS] = {};
  for (int64_t begin = 0; begin < K; begin += chunk) {
    const int64_t end = begin + chunk < K ? begin + chunk : K;
    for (int v = 0; v < ALIGNED_VECTORS; ++v) inner[v] = V{};
    for (int64_t k = begin; k < end; k += spec.lanes) {
      V largest[ALIGNED_VECTORS], total[ALIGNED_VECTORS] = {};
      for (int v = 0; v < ALIGNED_VECTORS; ++v) {
        largest[v] = spec.least - V{};
        if constexpr (!LATE) {
          const V power = power_of(inner[v], spec.format_least);
          largest[v] = power > largest[v] ? power : largest[v];
        }
      }
      for (int64_t lane = k; lane < k + spec.lanes; ++lane)
        for (int v = 0; v < ALIGNED_VECTORS; ++v) {
          const V power = a_power[lane] * panel[lane].power[v];
          largest[v] = power > largest[v] ? power : largest[v];
        }
      V scale[ALIGNED_VECTORS];
      for (int v = 0; v < ALIGNED_VECTORS; ++v) {
        scale[v] = (V)(up - (W)largest[v]);
        if constexpr (!LATE) total[v] = cut<ROUNDS>(inner[v] * scale[v]);
      }
      for (int64_t lane = k; lane < k + spec.lanes; ++lane)
        for (int v = 0; v < ALIGNED_VECTORS; ++v)
          total[v] += cut<ROUNDS>(a[lane] * panel[lane].value[v] * scale[v]);
      for (int v = 0; v < ALIGNED_VECTORS; ++v) {
        const V unit = (V)((W)largest[v] - down);
        // + 0: a sum of 0 is positive
        V sum = round_any<double, false>(total[v] * unit + 0.0, sum_round, spec.rounding);
        const W sign = (W)sum & SIGN;
        W is_over = (V)((W)sum & ~SIGN) > format_round.max;
        if (format_round.keeps_infinity) is_over &= (V)((W)sum & ~SIGN) != __builtin_inf();
        sum = is_over ? (V)(format_round.overflow_bits | sign) : sum;
        inner[v] = LATE ? add_rounded<double, NEAREST_EVEN, false, ODD>(inner[v], sum, format_round)
                        : sum;
      }
    }
    if (spec.chunk_length)
      for (int v = 0; v < ALIGNED_VECTORS; ++v)
        add_chunk<double>(outer[v], inner[v], outer_round, spec.outer, NEAREST_EVEN);
  }
  std::memcpy(sums, spec.chunk_length ? outer : inner, sizeof inner);
}

template <bool LATE, bool ROUNDS>
void aligned_all(const AlignedSpec &spec, int64_t M, int64_t columns, int64_t K, const double *a,
                 const double *b, double *sums) {
  constexpr int64_t lanes = VECTOR_BYTES / sizeof(double);
  constexpr int64_t width = ALIGNED_VECTORS * lanes;
  const RoundConstants<double> sum(spec.sum), format(spec.format), outer(spec.outer);
  std::vector<double> a_power(static_cast<size_t>(M * K));
  for (int64_t i = 0; i < M * K; ++i) a_power[size_t(i)] = power_of(a[i], spec.a_least);
  std::vector<AlignedPanel> panel(static_cast<size_t>(K));
  double row[width];
  for (int64_t n = 0; n < columns; n += width) {
    const int64_t used = columns - n < width ? columns - n : width;
    for (int64_t k = 0; k < K; ++k)
      for (int v = 0; v < ALIGNED_VECTORS; ++v) {
        AlignedVector value{};
        for (int64_t j = 0; j < lanes; ++j)
          if (v * lanes + j < used) value[j] = b[k * columns + n + v * lanes + j];
        panel[size_t(k)].value[v] = value;
        panel[size_t(k)].power[v] = power_of(value, spec.b_least);
      }
    for (int64_t m = 0; m < M; ++m) {
      aligned_row<LATE, ROUNDS>(spec, sum, format, outer, K, a + m * K, a_power.data() + m * K,
                                panel.data(), row);
      std::memcpy(sums + m * columns + n, row, size_t(used) * sizeof(double));
    }
  }
}

inline void run_aligned(const AlignedSpec &spec, int64_t M, int64_t columns, int64_t K,
                        const double *a, const double *b, double *sums) {
  if (spec.is_late && spec.rounds_terms) aligned_all<true, true>(spec, M, columns, K, a, b, sums);
  else if (spec.is_late) aligned_all<true, false>(spec, M, columns, K, a, b, sums);
  else if (spec.rounds_terms) aligned_all<false, true>(spec, M, columns, K, a, b, sums);
  else aligned_all<false, false>(spec, M, columns, K, a, b, sums);
}

}  // namespace macsmith
