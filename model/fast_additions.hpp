// Additions of a partial sum and the products of a step, each made ready for its rounding.
//
// T is float or double, of P = 24 or 53 significand bits; sums are rounded to p bits afterwards. Let
// s = x + y.
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
// Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008). With p + N bits in place of
// p it is right for N random bits, and one more for variants B and C.
// Where the rounding has a direction, the machine's own addition in that direction will do, as the
// finer grid has the coarser one in it; stochastic rounding of variants A and B begins by cutting off.
//
// Cascade: the exact sum of several terms as a double and the sum of the errors of its additions,
// each exact (TwoSum). The sum of errors is kept twice, rounded down and up: where both are equal it is
// exact, and what is left is one addition as above. Where they are not, but sum + error rounds to the
// same odd number with both, that number is right, as rounding is monotone. Else the terms are added
// again in a wide integer, which is rare: the errors are 2**53 times smaller than the sum, so that
// happens where terms are 2**53 times apart more than once. Sums of finite terms stay finite by
// choice of fast_plan.py; infinite and NaN ones are their own result.
//
// Native: the machine's own fused multiply-add is the step of a binary32 accumulator.

#pragma once

#include "fast_posits.hpp"

namespace macsmith {

// How the inner accumulator adds; outer ones always add ODD. SPLIT is for sums that are never rounded.
enum Add { PLAIN, ODD, SPLIT, CASCADE, NATIVE };

// x + y, ready to be rounded as MODE says.
template <class T, int MODE, int ADD>
inline VectorOf<T> add_ready(VectorOf<T> x, VectorOf<T> y) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  if constexpr (ADD == PLAIN) return x + y;
  else if constexpr (HAS_DIRECTED && (MODE == TOWARD_ZERO || MODE == UP || MODE == DOWN))
    return add_toward<T, MODE>(x, y);
  else if constexpr (HAS_DIRECTED && MODE == STOCHASTIC) return add_toward<T, TOWARD_ZERO>(x, y);
  else {
    V s = add_to_odd<T>(x, y);
    if constexpr (MODE == DOWN) {
      // a zero sum is +0 only if both are +0 (hardware, rounding to nearest, prefers +0)
      const W is_negative_zero = ((W)s << 1 == 0) & (((W)x | (W)y) != 0);
      s = (V)((W)s | (is_negative_zero & sign_mask<T>()));
    }
    return s;
  }
}

template <class T, int MODE, bool LEAN>
inline VectorOf<T> round_ready(VectorOf<T> s, const RoundConstants<T> &c, WordsOf<T> random) {
  if constexpr (MODE == STOCHASTIC || MODE == STOCHASTIC_NEAREST)
    return round_lanes_randomly<T, MODE, LEAN>(s, random, c);
  else if constexpr (MODE == POSIT) return c.posit->round_all(s);
  else return round_lanes<T, MODE, LEAN>(s, c);
}

// The next partial sum: x + y rounded. Fixed: x + y, clipped.
template <class T, int MODE, bool LEAN, int ADD>
inline VectorOf<T> add_rounded(VectorOf<T> x, VectorOf<T> y, const RoundConstants<T> &c,
                               WordsOf<T> random = WordsOf<T>{}) {
  using V = VectorOf<T>;
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
    return round_ready<T, MODE, LEAN>(add_ready<T, MODE, ADD>(x, y), c, random);
  }
}

// Once per chunk: any rounding, decided at run time. `mode` is that of the conversion; the sum's own is
// in `r`.
template <class T>
__attribute__((noinline)) void add_chunk(VectorOf<T> &outer, VectorOf<T> inner,
                                         const RoundConstants<T> &c, const TileRound &r,
                                         int32_t mode, WordsOf<T> random = WordsOf<T>{}) {
  if (r.is_fixed) {
    outer = add_rounded<T, FIXED, false, PLAIN>(outer, inner, c);
    return;
  }
  const VectorOf<T> y = round_any<T, false>(inner, c, mode);
  if (r.format.random_bits) {
    if (r.format.rounding == STOCHASTIC_C)
      outer = add_rounded<T, STOCHASTIC_NEAREST, false, ODD>(outer, y, c, random);
    else outer = add_rounded<T, STOCHASTIC, false, ODD>(outer, y, c, random);
    return;
  }
  switch (mode) {
    case NEAREST_EVEN: outer = add_rounded<T, NEAREST_EVEN, false, ODD>(outer, y, c); return;
    case NEAREST_AWAY: outer = add_rounded<T, NEAREST_AWAY, false, ODD>(outer, y, c); return;
    case TOWARD_ZERO: outer = add_rounded<T, TOWARD_ZERO, false, ODD>(outer, y, c); return;
    case UP: outer = add_rounded<T, UP, false, ODD>(outer, y, c); return;
    case TO_ODD: outer = add_rounded<T, TO_ODD, false, ODD>(outer, y, c); return;
    default: outer = add_rounded<T, DOWN, false, ODD>(outer, y, c); return;
  }
}

// The exact sum of terms: a number and its error, which is known exactly where low is high.
template <class T>
struct Cascade {
  using V = VectorOf<T>;
  V sum{}, low = T(-0.0) - V{}, high{};

  void add(V term) {
    V error;
    sum = add_two<T>(sum, term, error);
    if constexpr (HAS_DIRECTED) {
      low = add_toward<T, DOWN>(low, error);
      high = add_toward<T, UP>(high, error);
    } else {  // what is lost of `low`, in magnitude, comes on top of `high`
      V lost;
      low = add_two<T>(low, error, lost);
      high = high + (lost < 0 ? -lost : lost);
    }
  }

  // Sum + error, ready to be rounded as MODE says; tells whether that is known to be right.
  template <int MODE>
  V ready(bool &is_certain) const {
    is_certain = !is_any_less(HAS_DIRECTED ? low : V{}, high);
    // infinity and NaN have an error of NaN, and are right without it; a zero sum without an error
    // keeps its sign, as an error of zero is -0
    const auto counts = HAS_DIRECTED ? low == low : (low < 0) | (low > 0);
    const V error = counts ? low : T(-0.0) - V{};
    if (__builtin_expect(!is_certain, 0)) {
      const V one = add_to_odd<T>(sum, error);
      is_certain = HAS_DIRECTED && !is_any_less(one, add_to_odd<T>(sum, high));
      return one;
    }
    return add_ready<T, MODE == FIXED || MODE == DOWN ? TO_ODD : MODE, ODD>(sum, error);
  }
};

}  // namespace macsmith
