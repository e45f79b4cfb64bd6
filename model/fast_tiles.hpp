// Register tiles: rounding after each addition, on floating-point vectors.
//
// T is float or double, of P = 24 or 53 significand bits. fast_plan.py chooses a tile only where it
// can show that the products of a step and their sum are exact in T, and that nothing under- or
// overflows T. What remains is one addition x + y, of partial sum and step, and rounding to p bits.
// Let s = x + y.
//
// Plain: RN_P(s) is rounded to p bits. Right if s is always exact in T, or if rounding is to nearest,
// x and y have significands of at most p bits, and P >= 2p + 2:
//   If s needs more than P bits, then, with |x| >= |y| and e(.) the exponent of the leading bit,
//   the last bit of y lies below e(s) - P + 1, so e(y) < e(s) - P + p <= e(s) - p - 2 and
//   |y| < 2**(e(s) - p - 2). A midpoint m of the p-bit grid around s is an odd multiple of
//   2**(e(s) - p), or of the half grid of subnormals, which is larger. x is a multiple of
//   2**(e(s) - p + 1), hence no midpoint in the normal range; nor is it in the subnormal one: there
//   a partial sum is a multiple of the grid, and if x is the product, the partial sum y is smaller
//   than the grid, so it is 0 and s is exact. Thus |s - m| >= 2**(e(s) - p) - 2**(e(s) - p - 2),
//   which the rounding error of T, at most 2**(e(s) - P), cannot bridge: RN_P(s) lies on the same
//   side of m as s. (Figueroa, "When is double rounding innocuous?", SIGNUM 1995, has the case
//   without subnormals.)
//
// Odd: s is rounded to odd instead: if inexact, to the neighbour in T whose last bit is 1. Right for
// every rounding if P >= p + 2, whatever x and y: codes and midpoints have at most p + 1 bits, so
// their last bit in T is 0, and a number rounded to odd stays on its side of each of them (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008).
// The error of the addition comes from Knuth's TwoSum, exact in T.
//
// Split: the exact sum of a step (or a whole fixed-point sum) may need more than P bits. Then each
// product is cut at a bit 2**h into a high and a low part, both exact, and fast_plan.py chooses h such
// that the sums of all high and of all low parts are exact. A sum of three, partial sum + high + low,
// is brought to odd as Boldo and Melquiond do: (u, u') = TwoSum(high, low), (t, t') = TwoSum(x, u),
// s = odd(t + odd(t' + u')). If t' is not 0, t is at least about half of x and of u, so t' + u' is at
// most 2 units in the last place of t; a double near t differs from t by a small multiple of half a
// unit, which odd(t' + u') equals only if it is exact. If t' is 0, odd(t' + u') = u' is exact.
//
// Rounding of v to the p-bit grid: c = 1.5 * 2**(max(e(v), e_min) + P - p) has the grid as its unit
// in the last place, so (v + c) - c is v rounded to nearest even; the bias 1.5 keeps the sum in one
// binade, is even, and so keeps the parity. v - r is exact; the other roundings follow from its sign.
// A format without fraction bits ties to even *exponent fields*: it is not for these tiles.
//
// Stochastic rounding with N bits is made of the same two steps on the magnitude: it is rounded to
// the grid that is 2**N times finer (toward zero or to nearest, by the variant), R units of that grid
// are added, which is exact with p + N <= P - 2 bits, and the sum is rounded toward zero to the grid
// of the number that came in. Variant B is A with one bit more and 2R + 1. To odd is right as above,
// with p + N (and one bit more for B and C) in place of p; PLAIN only where every sum is exact.

#pragma once

#include "fast_formats.hpp"

#include <vector>

namespace macsmith {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32;
#else
constexpr int VECTOR_BYTES = 16;
#endif

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float V __attribute__((vector_size(VECTOR_BYTES)));
  typedef int32_t W __attribute__((vector_size(VECTOR_BYTES)));
  typedef int32_t I;
  static constexpr int fraction_bits = 23;
  static constexpr int bias = 127;
};
template <>
struct Lanes<double> {
  typedef double V __attribute__((vector_size(VECTOR_BYTES)));
  typedef int64_t W __attribute__((vector_size(VECTOR_BYTES)));
  typedef int64_t I;
  static constexpr int fraction_bits = 52;
  static constexpr int bias = 1023;
};

// Mirrors `TileSpec` of fast_library.py.
struct TileRound {
  Format format;
  double max;           // largest finite number
  double smallest;      // smallest positive number
  int32_t max_exponent;  // of `max`
  int32_t is_fixed;     // no rounding; `clip_low` .. `clip_high` where clips
  int32_t clips;
  double clip_low, clip_high;
};

struct TileSpec {
  TileRound inner, outer, product;
  double split_magic;    // 1.5 * 2**(h + 52) where products are split at 2**h; 0: they are not
  int32_t lanes;
  int32_t chunk_length;  // 0: not chunked
  int32_t add;           // `Add`
  int32_t has_product_format;
  int32_t has_integer_operand;
  int32_t rounding;
};

// Modes of `run_tile` beside the five roundings: a sum that is never rounded; any stochastic one.
constexpr int FIXED = 100, STOCHASTIC = 101;

// Mirrors `LfsrStruct` of fast_library.py. Bit 0 of a state is the newest; its low bits are the word.
struct Lfsr {
  int32_t degree, lag, word_bits;  // word_bits 0: nothing is random

  uint64_t word_mask() const { return (uint64_t(1) << word_bits) - 1; }
  uint64_t next(uint64_t state) const {
    const uint64_t fresh = state >> (degree - word_bits) ^ state >> (lag - word_bits);
    return (state << word_bits | (fresh & word_mask())) & ((uint64_t(1) << degree) - 1);
  }
};

// Mirrors `RandomStruct` of fast_library.py: where the random word of each step comes from.
struct RandomSource {
  Lfsr lfsr;
  const uint64_t *starts;  // states before the first step of each sum, rows x columns; or null
  const uint64_t *words;   // else the words themselves, strides in words; or null
  int64_t row_stride, column_stride, step_stride;
};

// How the inner accumulator adds; outer ones always add ODD.
enum Add { PLAIN, ODD, SPLIT };

template <class T>
struct RoundConstants {
  using L = Lanes<T>;
  using V = typename L::V;
  using W = typename L::W;
  using I = typename L::I;
  I low, high;         // exponent fields that the grid is derived from, in place
  I to_magic, to_grid;  // from such a field to the bits of c and of the grid's unit
  T max, smallest;
  I overflow_bits, max_bits;
  I to_fine_magic, to_fine;  // as above, for the finer grid of stochastic rounding
  bool fine_is_nearest, has_half;
  I random_mask;
  I negative_zero_mask;
  bool has_gap;
  T clip_low, clip_high;
  bool clips;
  bool keeps_infinity;

  explicit RoundConstants(const TileRound &r) {
    const Format &f = r.format;
    const int p = f.fraction_bits + 1, P = L::fraction_bits + 1;
    const int min_normal_exponent = f.least_exponent + f.fraction_bits;
    clips = r.clips, clip_low = T(r.clip_low), clip_high = T(r.clip_high);
    if (r.is_fixed) return;
    low = I(min_normal_exponent + L::bias) << L::fraction_bits;
    high = I(r.max_exponent + 1 + L::bias) << L::fraction_bits;
    if (high < low) high = low;
    to_magic = (I(P - p) << L::fraction_bits) + (I(1) << (L::fraction_bits - 1));
    to_grid = -(I(p - 1) << L::fraction_bits);
    const int fine_bits = f.random_bits + (f.rounding == STOCHASTIC_B);
    to_fine_magic = to_magic - (I(fine_bits) << L::fraction_bits);
    to_fine = to_grid - (I(fine_bits) << L::fraction_bits);
    fine_is_nearest = f.rounding == STOCHASTIC_C;
    has_half = f.rounding == STOCHASTIC_B;
    random_mask = (I(1) << f.random_bits) - 1;
    max = T(r.max), smallest = T(r.smallest);
    const T infinity = T(__builtin_inf()), nan = T(__builtin_nan(""));
    keeps_infinity = f.overflow == PROPAGATE;
    const T over = f.overflow == TO_INFINITY ? infinity : f.overflow == TO_NAN ? nan : max;
    std::memcpy(&overflow_bits, &over, sizeof over);
    std::memcpy(&max_bits, &max, sizeof max);
    has_gap = !f.has_subnormals;
    negative_zero_mask = f.has_negative_zero ? ~I(0) : 0;
  }
};

template <class T>
constexpr typename Lanes<T>::I exponent_mask() {
  using I = typename Lanes<T>::I;
  return (I(2 * Lanes<T>::bias + 1)) << Lanes<T>::fraction_bits;
}
template <class T>
constexpr typename Lanes<T>::I sign_mask() {
  using I = typename Lanes<T>::I;
  return I(1) << (8 * sizeof(I) - 1);
}

// LEAN: only what a format with subnormals and a negative zero needs.
template <class T, int MODE, bool LEAN>
inline typename Lanes<T>::V round_lanes(typename Lanes<T>::V v, const RoundConstants<T> &c) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  constexpr auto SIGN = sign_mask<T>();
  constexpr auto MAGNITUDE = ~SIGN;
  const W bits = (W)v;
  const W sign = bits & SIGN;
  W field = bits & exponent_mask<T>();
  field = field > c.low ? field : c.low - (W){};
  field = field < c.high ? field : c.high - (W){};
  const V magic = (V)(field + c.to_magic);
  V r = (v + magic) - magic;
  const V magnitude = (V)(bits & MAGNITUDE);
  if constexpr (MODE != NEAREST_EVEN) {
    const V grid = (V)(field + c.to_grid);
    const V signed_grid = (V)((W)grid | sign);
    const V rest = v - r;
    const V r_magnitude = (V)((W)r & MAGNITUDE);
    if constexpr (MODE == TOWARD_ZERO) r = r_magnitude > magnitude ? r - signed_grid : r;
    if constexpr (MODE == UP) r = rest > 0 ? r + grid : r;
    if constexpr (MODE == DOWN) r = rest < 0 ? r - grid : r;
    if constexpr (MODE == TO_ODD) {
      // the last bit of v + magic is that of r in units of the grid
      const W is_even = ((W)(v + magic) & 1) == 0;
      const V odd = rest > 0 ? r + grid : r - grid;
      r = is_even & ((rest > 0) | (rest < 0)) ? odd : r;
    }
    if constexpr (MODE == NEAREST_AWAY) {
      const V away = r + signed_grid;
      const W is_tie = (V)((W)rest & MAGNITUDE) == grid * T(0.5);
      r = (is_tie & (r_magnitude < magnitude)) ? away : r;
    }
  }
  if constexpr (!LEAN) {
    if (c.has_gap) {  // no subnormals: nothing between 0 and the smallest number
      const W in_gap = (magnitude < c.smallest) & (magnitude > 0);
      W goes_up;
      if constexpr (MODE == NEAREST_EVEN) goes_up = magnitude > c.smallest * T(0.5);
      if constexpr (MODE == NEAREST_AWAY) goes_up = magnitude >= c.smallest * T(0.5);
      if constexpr (MODE == TOWARD_ZERO) goes_up = W{};
      if constexpr (MODE == UP) goes_up = v > 0;
      if constexpr (MODE == DOWN) goes_up = v < 0;
      if constexpr (MODE == TO_ODD) goes_up = in_gap;  // code 1
      const V smallest = c.smallest - V{};
      const V there = (V)((W)(goes_up ? smallest : V{}) | sign);
      r = in_gap ? there : r;
    }
  }
  const W over = (V)((W)r & MAGNITUDE) > c.max;
  W overflowed = c.overflow_bits - (W){};
  if constexpr (MODE == TOWARD_ZERO || MODE == UP || MODE == DOWN || MODE == TO_ODD) {
    // finite magnitudes that are rounded down, or to odd, never leave the finite range
    W rounds_down = magnitude < T(__builtin_inf());
    if constexpr (MODE == UP) rounds_down &= v < 0;
    if constexpr (MODE == DOWN) rounds_down &= v > 0;
    overflowed = rounds_down ? c.max_bits - (W){} : overflowed;
  }
  W result = over ? overflowed : (W)r;
  result |= sign;  // r has the sign of v, or is a zero that lost it
  if constexpr (!LEAN) {
    const W is_zero = (result & MAGNITUDE) == 0;
    result = is_zero ? result & c.negative_zero_mask : result;
    if (c.keeps_infinity) result = magnitude == T(__builtin_inf()) ? bits : result;
  }
  return (V)result;
}

template <class T>
inline typename Lanes<T>::V round_lanes_randomly(typename Lanes<T>::V v,
                                                 typename Lanes<T>::W random,
                                                 const RoundConstants<T> &c) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  constexpr auto SIGN = sign_mask<T>();
  const W bits = (W)v;
  const W sign = bits & SIGN;
  W field = bits & exponent_mask<T>();
  field = field > c.low ? field : c.low - (W){};
  field = field < c.high ? field : c.high - (W){};
  const V magnitude = (V)(bits & ~SIGN);
  const V fine = (V)(field + c.to_fine), fine_magic = (V)(field + c.to_fine_magic);
  V m = (magnitude + fine_magic) - fine_magic;
  if (!c.fine_is_nearest) m = m > magnitude ? m - fine : m;
  random &= c.random_mask;
  if (c.has_half) random += random + 1;
  m += __builtin_convertvector(random, V) * fine;
  const V magic = (V)(field + c.to_magic), grid = (V)(field + c.to_grid);
  V r = (m + magic) - magic;
  r = r > m ? r - grid : r;
  const W over = r > c.max;
  W result = (over ? c.overflow_bits - (W){} : (W)r) | sign;
  const W is_zero = (result & ~SIGN) == 0;
  result = is_zero ? result & c.negative_zero_mask : result;
  if (c.keeps_infinity) result = magnitude == T(__builtin_inf()) ? bits : result;
  return (V)result;
}

// x + y, rounded to odd.
template <class T>
inline typename Lanes<T>::V add_to_odd(typename Lanes<T>::V x, typename Lanes<T>::V y) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  const V s = x + y;
  const V y_part = s - x;
  const V error = (x - (s - y_part)) + (y - y_part);
  // where the sum is infinite or NaN, `error` is NaN and compares false
  const W is_inexact = (W)(error > 0) | (W)(error < 0);
  const W bits = (W)s;
  const W toward = (((W)error ^ bits) >> (8 * sizeof(T) - 1)) | 1;  // +1: away from zero
  const W is_even = ~-(bits & 1);
  return (V)(bits + (toward & is_even & is_inexact));
}

// x + y, and what rounding took away from it (0 where the sum is special).
template <class T>
inline typename Lanes<T>::V add_two(typename Lanes<T>::V x, typename Lanes<T>::V y,
                                    typename Lanes<T>::V &error) {
  using V = typename Lanes<T>::V;
  const V s = x + y;
  const V y_part = s - x;
  error = (x - (s - y_part)) + (y - y_part);
  error = error == error ? error : V{};
  return s;
}

// x + high + low, rounded to odd.
template <class T>
inline typename Lanes<T>::V add_three_to_odd(typename Lanes<T>::V x, typename Lanes<T>::V high,
                                             typename Lanes<T>::V low) {
  using V = typename Lanes<T>::V;
  V u_error, t_error;
  const V u = add_two<T>(high, low, u_error);
  const V t = add_two<T>(x, u, t_error);
  return add_to_odd<T>(t, add_to_odd<T>(t_error, u_error));
}

// The next partial sum: x + y rounded. Fixed: x + y, clipped.
template <class T, int MODE, bool LEAN, int ADD>
inline typename Lanes<T>::V add_rounded(typename Lanes<T>::V x, typename Lanes<T>::V y,
                                        typename Lanes<T>::V y_low, const RoundConstants<T> &c,
                                        typename Lanes<T>::W random = typename Lanes<T>::W{}) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  if constexpr (MODE == FIXED) {
    V s = x + y;
    if constexpr (!LEAN) {
      if (c.clips) {
        s = s < c.clip_low ? c.clip_low - V{} : s;
        s = s > c.clip_high ? c.clip_high - V{} : s;
      }
    }
    return s;
  } else {
    V s;
    if constexpr (ADD == PLAIN) s = x + y;
    if constexpr (ADD == ODD) s = add_to_odd<T>(x, y);
    if constexpr (ADD == SPLIT) s = add_three_to_odd<T>(x, y, y_low);
    if constexpr (MODE == DOWN) {
      // a zero sum is +0 only if both are +0 (hardware, rounding to nearest, prefers +0)
      const W is_negative_zero = ((W)s << 1 == 0) & (((W)x | (W)y) != 0);
      s = (V)((W)s | (is_negative_zero & sign_mask<T>()));
    }
    if constexpr (MODE == STOCHASTIC) return round_lanes_randomly<T>(s, random, c);
    else return round_lanes<T, MODE, LEAN>(s, c);
  }
}

template <class T, bool LEAN>
inline typename Lanes<T>::V round_any(typename Lanes<T>::V v, const RoundConstants<T> &c,
                                      int32_t mode) {
  switch (mode) {
    case NEAREST_EVEN: return round_lanes<T, NEAREST_EVEN, LEAN>(v, c);
    case NEAREST_AWAY: return round_lanes<T, NEAREST_AWAY, LEAN>(v, c);
    case TOWARD_ZERO: return round_lanes<T, TOWARD_ZERO, LEAN>(v, c);
    case UP: return round_lanes<T, UP, LEAN>(v, c);
    case TO_ODD: return round_lanes<T, TO_ODD, LEAN>(v, c);
    default: return round_lanes<T, DOWN, LEAN>(v, c);
  }
}

// Once per chunk: any rounding, decided at run time. `mode` is that of the conversion; the sum's own is
// in `r`.
template <class T>
__attribute__((noinline)) void add_chunk(typename Lanes<T>::V &outer, typename Lanes<T>::V inner,
                                         const RoundConstants<T> &c, const TileRound &r,
                                         int32_t mode,
                                         typename Lanes<T>::W random = typename Lanes<T>::W{}) {
  using Zero = typename Lanes<T>::V;
  if (r.is_fixed) {
    outer = add_rounded<T, FIXED, false, PLAIN>(outer, inner, Zero{}, c);
    return;
  }
  const typename Lanes<T>::V y = round_any<T, false>(inner, c, mode);
  if (r.format.random_bits) {
    outer = add_rounded<T, STOCHASTIC, false, ODD>(outer, y, Zero{}, c, random);
    return;
  }
  switch (mode) {
    case NEAREST_EVEN: outer = add_rounded<T, NEAREST_EVEN, false, ODD>(outer, y, Zero{}, c); return;
    case NEAREST_AWAY: outer = add_rounded<T, NEAREST_AWAY, false, ODD>(outer, y, Zero{}, c); return;
    case TOWARD_ZERO: outer = add_rounded<T, TOWARD_ZERO, false, ODD>(outer, y, Zero{}, c); return;
    case UP: outer = add_rounded<T, UP, false, ODD>(outer, y, Zero{}, c); return;
    case TO_ODD: outer = add_rounded<T, TO_ODD, false, ODD>(outer, y, Zero{}, c); return;
    default: outer = add_rounded<T, DOWN, false, ODD>(outer, y, Zero{}, c); return;
  }
}

// The state of `Lfsr`, one for each vector lane; it must fit: degree 31 or less in 32-bit lanes.
template <class T>
inline typename Lanes<T>::W next_states(typename Lanes<T>::W state, const Lfsr &lfsr) {
  using I = typename Lanes<T>::I;
  const I mask = I((uint64_t(1) << lfsr.degree) - 1);
  const auto fresh = state >> (lfsr.degree - lfsr.word_bits) ^ state >> (lfsr.lag - lfsr.word_bits);
  return (state << lfsr.word_bits | (fresh & I(lfsr.word_mask()))) & mask;
}

constexpr int TILE_ROWS = 4, TILE_VECTORS = 2;

// One tile: ROWS rows of `a` (row stride K) against a panel of columns (K x TILE_VECTORS vectors).
template <class T, int MODE, bool LEAN, int ADD, int ROWS>
void run_tile(const TileSpec &spec, const RoundConstants<T> &inner_round,
              const RoundConstants<T> &outer_round, const RoundConstants<T> &product_round,
              int64_t K, const T *a, const typename Lanes<T>::V *panel, const Lfsr &lfsr,
              const typename Lanes<T>::W *starts, T *sums) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  const bool has_random = MODE == STOCHASTIC || (MODE == FIXED && lfsr.word_bits);
  const int32_t inner_random_bits = spec.inner.is_fixed ? 0 : spec.inner.format.random_bits;
  W state[ROWS][TILE_VECTORS] = {}, word[ROWS][TILE_VECTORS] = {};
  if (has_random) std::memcpy(state, starts, sizeof state);
  const int64_t chunk = spec.chunk_length ? spec.chunk_length : K;
  const int64_t lanes = spec.lanes;
  const T positive_zero = spec.has_integer_operand ? T(0) : T(-0.0);  // x + -0 is x, x + 0 is not -0
  const V split_magic = T(spec.split_magic) - V{};
  V inner[ROWS][TILE_VECTORS], inner_low[ROWS][TILE_VECTORS], outer[ROWS][TILE_VECTORS] = {};
  for (int64_t begin = 0; begin < K; begin += chunk) {
    const int64_t end = begin + chunk < K ? begin + chunk : K;
    for (int r = 0; r < ROWS; ++r)
      for (int v = 0; v < TILE_VECTORS; ++v) inner[r][v] = inner_low[r][v] = V{};
    for (int64_t k = begin; k < end; k += lanes) {
      V step[ROWS][TILE_VECTORS];
      W any[ROWS][TILE_VECTORS];  // OR of the products' bits: 0 if all are +0
      V high[ROWS][TILE_VECTORS], low[ROWS][TILE_VECTORS] = {};
      const auto product = [&](int r, int v, int64_t lane) {
        V p = a[r * K + k + lane] * panel[(k + lane) * TILE_VECTORS + v];
        if constexpr (!LEAN && MODE != FIXED) {
          p += positive_zero;
          constexpr int PRODUCT_MODE = MODE == STOCHASTIC ? int(NEAREST_EVEN) : MODE;
          if (spec.has_product_format) p = round_lanes<T, PRODUCT_MODE, false>(p, product_round);
        }
        return p;
      };
      // of an infinite product, the low part is 0
      const auto split = [&](V p, V &high_part, V &low_part) {
        high_part = (p + split_magic) - split_magic;
        low_part = p == high_part ? V{} : p - high_part;
      };
      for (int64_t lane = 0; lane < lanes; ++lane)
        for (int r = 0; r < ROWS; ++r)
          for (int v = 0; v < TILE_VECTORS; ++v) {
            const V p = product(r, v, lane);
            step[r][v] = lane ? step[r][v] + p : p;
            if constexpr (MODE == DOWN) any[r][v] = lane ? any[r][v] | (W)p : (W)p;
            if constexpr (ADD == SPLIT) {
              V high_part, low_part;
              split(p, high_part, low_part);
              if constexpr (MODE == FIXED) {
                inner[r][v] += high_part;
                inner_low[r][v] += low_part;
              } else {
                high[r][v] = lane ? high[r][v] + high_part : high_part;
                low[r][v] = lane ? low[r][v] + low_part : low_part;
              }
            }
          }
      if constexpr (MODE == STOCHASTIC || MODE == FIXED)
        if (has_random)
          for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < TILE_VECTORS; ++v) {
              word[r][v] = state[r][v];
              state[r][v] = next_states<T>(state[r][v], lfsr);
            }
      if constexpr (MODE == FIXED && ADD == SPLIT) continue;
      for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < TILE_VECTORS; ++v) {
          V &y = step[r][v];
          if constexpr (ADD == SPLIT) {
            // splitting loses the sign of zeros: all products are -0 just if `step` is
            const V zero = y == T(0) ? y : V{};
            y = (high[r][v] == T(0)) & (low[r][v] == T(0)) ? zero : high[r][v];
          }
          if constexpr (MODE == DOWN) {  // a zero sum of lanes is +0 only if all of them are
            W is_negative_zero = ((W)y << 1 == 0) & (any[r][v] != 0);
            if constexpr (ADD == SPLIT) is_negative_zero &= (W)low[r][v] << 1 == 0;
            y = (V)((W)y | (is_negative_zero & sign_mask<T>()));
          }
          inner[r][v] =
              add_rounded<T, MODE, LEAN, ADD>(inner[r][v], y, low[r][v], inner_round, word[r][v]);
        }
    }
    if constexpr (MODE == FIXED && ADD == SPLIT)
      for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < TILE_VECTORS; ++v)
          inner[r][v] = add_to_odd<T>(inner[r][v], inner_low[r][v]);
    if (spec.chunk_length)
      for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < TILE_VECTORS; ++v)
          add_chunk<T>(outer[r][v], inner[r][v], outer_round, spec.outer, spec.rounding,
                       word[r][v] >> inner_random_bits);
  }
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < TILE_VECTORS; ++v)
      std::memcpy(sums + (r * TILE_VECTORS + v) * int64_t(VECTOR_BYTES / sizeof(T)),
                  spec.chunk_length ? &outer[r][v] : &inner[r][v], VECTOR_BYTES);
}

template <class T, int MODE, bool LEAN, int ADD>
void run_all(const TileSpec &spec, int64_t M, int64_t columns, int64_t K, const T *a, const T *b,
             const RandomSource &source, T *sums) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  using I = typename Lanes<T>::I;
  constexpr int64_t width = TILE_VECTORS * VECTOR_BYTES / sizeof(T);
  const RoundConstants<T> inner(spec.inner), outer(spec.outer), product(spec.product);
  std::vector<V> panel(size_t(K * TILE_VECTORS));
  T tile[TILE_ROWS * width];
  W starts[TILE_ROWS * TILE_VECTORS] = {};
  for (int64_t n = 0; n < columns; n += width) {
    const int64_t used = columns - n < width ? columns - n : width;
    T *to = reinterpret_cast<T *>(panel.data());
    for (int64_t k = 0; k < K; ++k, to += width) {
      for (int64_t j = 0; j < used; ++j) to[j] = b[k * columns + n + j];
      for (int64_t j = used; j < width; ++j) to[j] = T(0);
    }
    for (int64_t m = 0; m < M;) {
      const bool is_full = M - m >= TILE_ROWS;
      if (source.starts)
        for (int64_t r = 0; r < (is_full ? TILE_ROWS : 1); ++r)
          for (int64_t j = 0; j < used; ++j)
            reinterpret_cast<I *>(starts)[r * width + j] =
                I(source.starts[(m + r) * columns + n + j]);
      if (is_full)
        run_tile<T, MODE, LEAN, ADD, TILE_ROWS>(spec, inner, outer, product, K, a + m * K,
                                                panel.data(), source.lfsr, starts, tile);
      else
        run_tile<T, MODE, LEAN, ADD, 1>(spec, inner, outer, product, K, a + m * K, panel.data(),
                                        source.lfsr, starts, tile);
      for (int64_t r = 0; r < (is_full ? TILE_ROWS : 1); ++r, ++m)
        std::memcpy(sums + m * columns + n, tile + r * width, size_t(used) * sizeof(T));
    }
  }
}

template <class T>
int32_t run_tiles(const TileSpec &spec, int64_t M, int64_t columns, int64_t K, const T *a,
                  const T *b, const RandomSource &source, T *sums) {
  const auto is_plain = [](const TileRound &r) {
    return r.format.has_subnormals && r.format.has_negative_zero && r.format.overflow != PROPAGATE;
  };
  const bool is_lean = spec.rounding == NEAREST_EVEN && is_plain(spec.inner) &&
                       !spec.has_product_format && !spec.has_integer_operand;
#define RUN_AS(MODE, LEAN, ADD) \
  return run_all<T, MODE, LEAN, ADD>(spec, M, columns, K, a, b, source, sums), 0
#define RUN(MODE, LEAN)                                   \
  do {                                                    \
    if (spec.add == PLAIN) RUN_AS(MODE, LEAN, PLAIN);     \
    if constexpr (sizeof(T) == 8)                         \
      if (spec.add == SPLIT) RUN_AS(MODE, LEAN, SPLIT);   \
    if (spec.add == ODD) RUN_AS(MODE, LEAN, ODD);         \
    return 1;                                             \
  } while (false)
  if (spec.inner.is_fixed) {
    if (spec.inner.clips) RUN_AS(FIXED, false, PLAIN);
    if constexpr (sizeof(T) == 8)
      if (spec.add == SPLIT) RUN_AS(FIXED, true, SPLIT);
    RUN_AS(FIXED, true, PLAIN);
  }
  if (spec.inner.format.random_bits) RUN(STOCHASTIC, false);
  switch (spec.rounding) {
    case NEAREST_EVEN:
      if (is_lean) RUN(NEAREST_EVEN, true);
      RUN(NEAREST_EVEN, false);
    case NEAREST_AWAY: RUN(NEAREST_AWAY, false);
    case TOWARD_ZERO: RUN(TOWARD_ZERO, false);
    case UP: RUN(UP, false);
    case TO_ODD: RUN(TO_ODD, false);
    case DOWN: RUN(DOWN, false);
    default: return 1;
  }
#undef RUN
#undef RUN_AS
}

}  // namespace macsmith
