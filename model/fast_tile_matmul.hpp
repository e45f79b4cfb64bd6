// Whole matrix products by register tiles, and the choice of the compiled tile.

#pragma once

#include "fast_cascade.hpp"

#include <memory>

namespace macsmith {

template <class T, int MODE, bool LEAN, int ADD>
class TileMatmul {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  using I = typename Lanes<T>::I;
  static constexpr int64_t WIDTH = TILE_VECTORS * VECTOR_BYTES / sizeof(T);

  const TileSpec &spec;
  const int64_t M, columns, K;
  const T *a, *b;
  const RandomSource &source;
  T *sums;
  RoundConstants<T> inner;
  const RoundConstants<T> outer, product;
  std::vector<V> panel;
  std::vector<T> last_rows;
  std::vector<W> words;  // of a tile, where they are given

 public:
  TileMatmul(const TileSpec &spec, int64_t M, int64_t columns, int64_t K, const T *a, const T *b,
             const RandomSource &source, T *sums)
      : spec(spec), M(M), columns(columns), K(K), a(a), b(b), source(source), sums(sums),
        inner(spec.inner), outer(spec.outer), product(spec.product),
        panel(size_t(K * TILE_VECTORS)) {
    if (source.words) words.resize(size_t(K / spec.lanes * TILE_ROWS * TILE_VECTORS));
  }

  void run() {
    std::unique_ptr<PositConstants> posit;
    if constexpr (MODE == POSIT) posit.reset(new PositConstants(spec.inner));
    inner.posit = posit.get();
    for (int64_t n = 0; n < columns; n += WIDTH) {
      const int64_t used = columns - n < WIDTH ? columns - n : WIDTH;
      T *to = reinterpret_cast<T *>(panel.data());
      for (int64_t k = 0; k < K; ++k, to += WIDTH) {
        for (int64_t j = 0; j < used; ++j) to[j] = b[k * columns + n + j];
        for (int64_t j = used; j < WIDTH; ++j) to[j] = T(0);
      }
      for (int64_t m = 0; m < M; m += TILE_ROWS) run_rows(m, n, used);
    }
  }

 private:
  // The last rows are filled up with copies of the last one.
  void run_rows(int64_t m, int64_t n, int64_t used) {
    const int64_t rows = M - m < TILE_ROWS ? M - m : TILE_ROWS;
    const T *from = a + m * K;
    if (rows < TILE_ROWS) {
      last_rows.resize(size_t(TILE_ROWS * K));
      for (int64_t r = 0; r < TILE_ROWS; ++r)
        std::memcpy(&last_rows[size_t(r * K)], from + (r < rows ? r : rows - 1) * K,
                    size_t(K) * sizeof(T));
      from = last_rows.data();
    }
    T tile[TILE_ROWS * WIDTH];
    W starts[TILE_ROWS * TILE_VECTORS] = {};
    for (int64_t r = 0; source.starts && r < rows; ++r)
      for (int64_t j = 0; j < used; ++j)
        reinterpret_cast<I *>(starts)[r * WIDTH + j] = I(source.starts[(m + r) * columns + n + j]);
    if (source.words) gather_words(m, n, rows, used);
    const TileRandom<T> random(source.lfsr, starts, source.words ? words.data() : nullptr);
    const T positive_zero = spec.has_integer_operand ? T(0) : T(-0.0);
    const TileInput<T> in{spec, inner, outer, product, K, from, panel.data(), positive_zero};
    const bool has_random = source.starts || source.words;
    if constexpr (ADD == CASCADE) run_cascade_tile<T, MODE, LEAN>(in, random, has_random, tile);
    else run_tile<T, MODE, LEAN, ADD>(in, random, has_random, tile);
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(sums + (m + r) * columns + n, tile + r * WIDTH, size_t(used) * sizeof(T));
  }

  void gather_words(int64_t m, int64_t n, int64_t rows, int64_t used) {
    I *const to = reinterpret_cast<I *>(words.data());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < used; ++j) {
        const uint64_t *word =
            source.words + (m + r) * source.row_stride + (n + j) * source.column_stride;
        for (int64_t step = 0; step < K / spec.lanes; ++step, word += source.step_stride)
          to[(step * TILE_ROWS + r) * WIDTH + j] = I(*word);
      }
  }
};

// 0, or 1 where no such tile is compiled.
template <class T>
int32_t run_tiles(const TileSpec &spec, int64_t M, int64_t columns, int64_t K, const T *a,
                  const T *b, const RandomSource &source, T *sums) {
  constexpr bool IS_DOUBLE = sizeof(T) == 8;
  const auto is_plain = [](const TileRound &r) {
    return r.format.fraction_bits && r.format.has_subnormals && r.format.has_negative_zero && r.format.overflow != PROPAGATE;
  };
  const bool is_lean =
      is_plain(spec.inner) && !spec.has_product_format && !spec.has_integer_operand;
#define RUN_AS(MODE, LEAN, ADD) \
  return TileMatmul<T, MODE, LEAN, ADD>(spec, M, columns, K, a, b, source, sums).run(), 0
#define RUN_ADD(MODE, ADD)                 \
  do {                                     \
    if (is_lean) RUN_AS(MODE, true, ADD);  \
    RUN_AS(MODE, false, ADD);              \
  } while (false)
#define RUN(MODE)                                                    \
  do {                                                               \
    if constexpr (IS_DOUBLE)                                         \
      if (spec.add == CASCADE) RUN_ADD(MODE, CASCADE);               \
    if constexpr (MODE == NEAREST_EVEN || MODE == NEAREST_AWAY)      \
      if (spec.add == PLAIN) RUN_ADD(MODE, PLAIN);                   \
    RUN_ADD(MODE, ODD);                                              \
  } while (false)
  if (spec.add == NATIVE) {
    if constexpr (!IS_DOUBLE && HAS_DIRECTED) switch (spec.rounding) {
        case NEAREST_EVEN: RUN_AS(NEAREST_EVEN, true, NATIVE);
        case TOWARD_ZERO: RUN_AS(TOWARD_ZERO, true, NATIVE);
        case UP: RUN_AS(UP, true, NATIVE);
        case DOWN: RUN_AS(DOWN, true, NATIVE);
      }
    return 1;
  }
  if (spec.inner.is_fixed) {
    if (spec.inner.clips) RUN_AS(FIXED, false, PLAIN);
    if constexpr (IS_DOUBLE) {
      if (spec.add == SPLIT) RUN_AS(FIXED, true, SPLIT);
      if (spec.add == CASCADE) RUN_AS(FIXED, true, CASCADE);
    }
    RUN_AS(FIXED, true, PLAIN);
  }
  if (spec.inner.format.ordered) {
    if constexpr (IS_DOUBLE) {
      if (spec.add == CASCADE) RUN_AS(POSIT, true, CASCADE);
      if (spec.add == PLAIN) RUN_AS(POSIT, true, PLAIN);
      RUN_AS(POSIT, true, ODD);
    }
    return 1;
  }
  if (spec.inner.format.random_bits) {
    if (spec.inner.format.rounding == STOCHASTIC_C) RUN(STOCHASTIC_NEAREST);
    RUN(STOCHASTIC);
  }
  switch (spec.rounding) {
    case NEAREST_EVEN: RUN(NEAREST_EVEN);
    case NEAREST_AWAY: RUN(NEAREST_AWAY);
    case TOWARD_ZERO: RUN(TOWARD_ZERO);
    case UP: RUN(UP);
    case TO_ODD: RUN(TO_ODD);
    case DOWN: RUN(DOWN);
    default: return 1;
  }
#undef RUN
#undef RUN_ADD
#undef RUN_AS
}

}  // namespace macsmith
