// Register tiles of matrix products: rounding after each addition, on floating-point vectors.
//
// fast_plan.py chooses a tile only where it can show that products are exact in T, and that nothing
// under- or overflows T. What remains is the addition of a step's products to the partial sum, of which
// fast_additions.hpp shows the ways, and its rounding (fast_rounding.hpp).
//
// Split, for fixed-point sums of more than P bits: each product is cut at a bit 2**h into a high and a
// low part, both exact, and fast_plan.py chooses h such that the sums of all high and of all low parts
// are exact. They are added to odd at the end.

#pragma once

#include "fast_additions.hpp"

#include <vector>

namespace macsmith {

// Mirrors `TileSpecStruct` of fast_structs.py.
struct TileSpec {
  TileRound inner, outer, product;
  double split_magic;    // 1.5 * 2**(h + 52) where products are split at 2**h
  int32_t lanes;
  int32_t chunk_length;  // 0: not chunked
  int32_t add;           // `Add`
  int32_t has_product_format;
  int32_t has_integer_operand;
  int32_t rounding;
};

// Mirrors `LfsrStruct` of fast_structs.py. Bit 0 of a state is the newest; its low bits are the word.
struct Lfsr {
  int32_t degree, lag, word_bits;  // word_bits 0: nothing is random

  uint64_t word_mask() const { return (uint64_t(1) << word_bits) - 1; }
  uint64_t next(uint64_t state) const {
    const uint64_t fresh = state >> (degree - word_bits) ^ state >> (lag - word_bits);
    return (state << word_bits | (fresh & word_mask())) & ((uint64_t(1) << degree) - 1);
  }
};

// Mirrors `RandomStruct` of fast_structs.py: where the random word of each step comes from.
struct RandomSource {
  Lfsr lfsr;
  const uint64_t *starts;  // states before the first step of each sum, rows x columns; or null
  const uint64_t *words;   // else the words themselves, strides in words; or null
  int64_t row_stride, column_stride, step_stride;
};

constexpr int TILE_ROWS = 4, TILE_VECTORS = 2;

// Random words of a tile: of shift registers, or from memory.
template <class T>
struct TileRandom {
  using W = WordsOf<T>;
  using I = typename Lanes<T>::I;
  W state[TILE_ROWS][TILE_VECTORS];  // beyond the register's degree, bits that nothing reads
  const W *words;               // of all steps, one tile after the other; or null
  int32_t shift, from_last, from_lag;
  I mask;

  TileRandom(const Lfsr &lfsr, const W *starts, const W *given) : words(given) {
    if (!given) std::memcpy(state, starts, sizeof state);
    shift = lfsr.word_bits, mask = I(lfsr.word_mask());
    from_last = lfsr.degree - lfsr.word_bits, from_lag = lfsr.lag - lfsr.word_bits;
  }

  // Words of this step at [r][v], in their low bits.
  W take(int r, int v) {
    if (words) return words[r * TILE_VECTORS + v];
    const W word = state[r][v];
    const W fresh = word >> from_last ^ word >> from_lag;
    state[r][v] = or_masked(word << shift, fresh, mask);
    return word;
  }
  void end_step() {
    if (words) words += TILE_ROWS * TILE_VECTORS;
  }
};

// What a tile reads: TILE_ROWS rows of `a` (row stride K), a panel of columns (K x TILE_VECTORS vectors).
template <class T>
struct TileInput {
  const TileSpec &spec;
  const RoundConstants<T> &inner, &outer, &product;
  int64_t K;
  const T *a;
  const VectorOf<T> *panel;
  T positive_zero;  // x + -0 is x, x + 0 is not -0

  // The products a[r] * panel[v] of column k, as the sum takes them.
  template <int MODE, bool LEAN>
  VectorOf<T> product_of(int r, int v, int64_t k) const {
    VectorOf<T> p = a[r * K + k] * panel[k * TILE_VECTORS + v];
    if constexpr (!LEAN && MODE != FIXED) {
      p += positive_zero;
      constexpr bool IS_RANDOM = MODE == STOCHASTIC || MODE == STOCHASTIC_NEAREST;
      if (spec.has_product_format)
        p = round_lanes<T, IS_RANDOM ? int(NEAREST_EVEN) : MODE, false>(p, product);
    }
    return p;
  }
};

template <class T, int MODE, bool LEAN, int ADD>
void run_tile(const TileInput<T> &in, TileRandom<T> random, bool has_random, T *sums) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  constexpr bool IS_RANDOM = MODE == STOCHASTIC || MODE == STOCHASTIC_NEAREST;
  const TileSpec &spec = in.spec;
  const int32_t inner_random_bits = spec.inner.is_fixed ? 0 : spec.inner.format.random_bits;
  const int64_t chunk = spec.chunk_length ? spec.chunk_length : in.K;
  const int64_t lanes = ADD == NATIVE ? 1 : spec.lanes;
  const V split_magic = T(spec.split_magic) - V{};
  V inner[TILE_ROWS][TILE_VECTORS], inner_low[TILE_ROWS][TILE_VECTORS], outer[TILE_ROWS][TILE_VECTORS] = {};
  W word[TILE_ROWS][TILE_VECTORS] = {};
  for (int64_t begin = 0; begin < in.K; begin += chunk) {
    const int64_t end = begin + chunk < in.K ? begin + chunk : in.K;
    for (int r = 0; r < TILE_ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v) inner[r][v] = inner_low[r][v] = V{};
    for (int64_t k = begin; k < end; k += lanes) {
      if constexpr (IS_RANDOM || MODE == FIXED)
        if (has_random) {
          for (int r = 0; r < TILE_ROWS; ++r)
            for (int v = 0; v < TILE_VECTORS; ++v) word[r][v] = random.take(r, v);
          random.end_step();
        }
      if constexpr (ADD == NATIVE) {
        for (int r = 0; r < TILE_ROWS; ++r)
          for (int v = 0; v < TILE_VECTORS; ++v)
            inner[r][v] = multiply_add<MODE>(in.a[r * in.K + k] - V{},
                                             in.panel[k * TILE_VECTORS + v], inner[r][v]);
        continue;
      }
      V step[TILE_ROWS][TILE_VECTORS];
      W any[TILE_ROWS][TILE_VECTORS];  // OR of the products' bits: 0 if all are +0
      for (int64_t lane = 0; lane < lanes; ++lane)
        for (int r = 0; r < TILE_ROWS; ++r)
          for (int v = 0; v < TILE_VECTORS; ++v) {
            const V p = in.template product_of<MODE, LEAN>(r, v, k + lane);
            if constexpr (ADD == SPLIT) {
              const V high = (p + split_magic) - split_magic;
              inner[r][v] += high;
              inner_low[r][v] += p == high ? V{} : p - high;  // 0 of an infinite product
              continue;
            }
            step[r][v] = lane ? step[r][v] + p : p;
            if constexpr (MODE == DOWN) any[r][v] = lane ? any[r][v] | (W)p : (W)p;
          }
      if constexpr (ADD == SPLIT) continue;
      for (int r = 0; r < TILE_ROWS; ++r)
        for (int v = 0; v < TILE_VECTORS; ++v) {
          V &y = step[r][v];
          if constexpr (MODE == DOWN) {  // a zero sum of lanes is +0 only if all of them are
            const W is_negative_zero = ((W)y << 1 == 0) & (any[r][v] != 0);
            y = (V)((W)y | (is_negative_zero & sign_mask<T>()));
          }
          inner[r][v] = add_rounded<T, MODE, LEAN, ADD>(inner[r][v], y, in.inner, word[r][v]);
        }
    }
    if constexpr (ADD == SPLIT)
      for (int r = 0; r < TILE_ROWS; ++r)
        for (int v = 0; v < TILE_VECTORS; ++v)
          inner[r][v] = add_to_odd<T>(inner[r][v], inner_low[r][v]);
    if (!spec.chunk_length) continue;
    for (int r = 0; r < TILE_ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v)
        if constexpr (ADD == NATIVE)
          outer[r][v] = multiply_add<MODE>(1 - V{}, inner[r][v], outer[r][v]);
        else
          add_chunk<T>(outer[r][v], inner[r][v], in.outer, spec.outer, spec.rounding,
                       word[r][v] >> inner_random_bits);
  }
  for (int r = 0; r < TILE_ROWS; ++r)
    for (int v = 0; v < TILE_VECTORS; ++v)
      std::memcpy(sums + (r * TILE_VECTORS + v) * int64_t(VECTOR_BYTES / sizeof(T)),
                  spec.chunk_length ? &outer[r][v] : &inner[r][v], VECTOR_BYTES);
}

}  // namespace macsmith
