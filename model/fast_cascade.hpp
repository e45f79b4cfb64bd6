// Register tiles for sums of terms too far apart for one double, or for two (`Cascade`): the products
// of a step with the partial sum, or all products of a fixed-point sum.

#pragma once

#include "fast_tiles.hpp"

namespace macsmith {

// The exact sum of finite doubles, multiples of 2**-1074.
class ExactDoubles {
  Wide<36> total;

 public:
  ExactDoubles() { total.clear(); }

  void add(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const int32_t field = int32_t(bits >> 52 & 0x7ff);
    const uint64_t fraction = bits & ((uint64_t(1) << 52) - 1);
    total.add(field ? fraction | uint64_t(1) << 52 : fraction, bits >> 63, field ? field - 1 : 0);
  }

  // Rounded to odd; +0 if it is 0.
  double to_odd() const {
    uint64_t significand = 0;
    int32_t exponent = 0;
    bool negative = false;
    if (!total.normalise(significand, exponent, negative)) return 0;
    const uint64_t kept = significand >> 11 | ((significand & 2047) != 0);
    const double magnitude = __builtin_ldexp(double(kept), exponent + 11 - 1074);
    return negative ? -magnitude : magnitude;
  }
};

// `first` + the products k .. end - 1 of one row and one vector, to odd where finite: what `ready` was
// to give.
template <int MODE, bool LEAN>
__attribute__((noinline)) void add_exactly(const TileInput<double> &in, int r, int v, int64_t k,
                                           int64_t end, VectorOf<double> first,
                                           VectorOf<double> &ready) {
  for (int j = 0; j < VECTOR_BYTES / 8; ++j) {
    if (!(ready[j] - ready[j] == 0)) continue;  // infinite or NaN
    ExactDoubles sum;
    sum.add(first[j]);
    for (int64_t at = k; at < end; ++at) sum.add(in.product_of<MODE, LEAN>(r, v, at)[j]);
    const double exact = sum.to_odd();
    ready[j] = exact == 0 && ready[j] == 0 ? ready[j] : exact;  // with its sign
  }
}

template <class T, int MODE, bool LEAN>
void run_cascade_tile(const TileInput<T> &in, TileRandom<T> random, bool has_random,
                      T *sums) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  const TileSpec &spec = in.spec;
  const int32_t inner_random_bits = spec.inner.is_fixed ? 0 : spec.inner.format.random_bits;
  const int64_t chunk = spec.chunk_length ? spec.chunk_length : in.K;
  V inner[TILE_ROWS][TILE_VECTORS], outer[TILE_ROWS][TILE_VECTORS] = {};
  W word[TILE_ROWS][TILE_VECTORS] = {};
  const auto take_words = [&] {
    if (!has_random) return;
    for (int r = 0; r < TILE_ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v) word[r][v] = random.take(r, v);
    random.end_step();
  };
  for (int64_t begin = 0; begin < in.K; begin += chunk) {
    const int64_t end = begin + chunk < in.K ? begin + chunk : in.K;
    for (int r = 0; r < TILE_ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v) inner[r][v] = V{};
    if constexpr (MODE == FIXED)
      for (int64_t k = begin; k < end; k += spec.lanes) take_words();
    // a fixed-point sum is one step here
    const int64_t step = MODE == FIXED ? end - begin : spec.lanes;
    for (int64_t k = begin; k < end; k += step) {
      if constexpr (MODE != FIXED) take_words();
      for (int v = 0; v < TILE_VECTORS; ++v) {
        Cascade<T> total[TILE_ROWS];
        W any[TILE_ROWS];  // OR of the terms' bits: 0 if all are +0
        for (int r = 0; r < TILE_ROWS; ++r) total[r].sum = inner[r][v], any[r] = (W)inner[r][v];
        for (int64_t at = k; at < k + step; ++at)
          for (int r = 0; r < TILE_ROWS; ++r) {
            const V p = in.template product_of<MODE, LEAN>(r, v, at);
            if constexpr (MODE == DOWN) any[r] |= (W)p;
            total[r].add(p);
          }
        for (int r = 0; r < TILE_ROWS; ++r) {
          bool is_certain;
          V y = total[r].template ready<MODE>(is_certain);
          if (__builtin_expect(!is_certain, 0))
            add_exactly<MODE, LEAN>(in, r, v, k, k + step, inner[r][v], y);
          if constexpr (MODE == DOWN) {
            const W is_negative_zero = ((W)y << 1 == 0) & (any[r] != 0);
            y = (V)((W)y | (is_negative_zero & sign_mask<T>()));
          }
          if constexpr (MODE == FIXED) inner[r][v] = y;
          else inner[r][v] = round_ready<T, MODE, LEAN>(y, in.inner, word[r][v]);
        }
      }
    }
    if (!spec.chunk_length) continue;
    for (int r = 0; r < TILE_ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v)
        add_chunk<T>(outer[r][v], inner[r][v], in.outer, spec.outer, spec.rounding,
                     word[r][v] >> inner_random_bits);
  }
  for (int r = 0; r < TILE_ROWS; ++r)
    for (int v = 0; v < TILE_VECTORS; ++v)
      std::memcpy(sums + (r * TILE_VECTORS + v) * int64_t(VECTOR_BYTES / sizeof(T)),
                  spec.chunk_length ? &outer[r][v] : &inner[r][v], VECTOR_BYTES);
}

}  // namespace macsmith
