// Rounding vectors of floats or of doubles to a format: nothing beyond the type T is formed.
//
// Rounding of v to the p-bit grid: c = 1.5 * 2**(max(e(v), e_min) + P - p) has the grid as its unit
// in the last place, so (v + c) - c is v rounded to nearest even; the bias 1.5 keeps the sum in one
// binade, is even, and so keeps the parity. Where an addition can be rounded in a stated direction,
// v + c is rounded that way; ties away are half a grid added to the magnitude, and the rest cut off
// (twice, which is harmless: the finer grid has the coarser one in it). Else v - r, which is exact,
// tells by its sign what to do.
// A format without fraction bits ties to even *exponent fields*: there, on doubles only, what that
// decides is decided first.
//
// Stochastic rounding with N bits: the magnitude plus such a c for the grid that is 2**N times finer
// (toward zero, or to nearest, by the variant) holds that finer number in its last bits; R is added to
// them and the last N are cleared. That stays within the binade with p + N <= P - 2 bits. Variant B is
// A with one bit more and 2R + 1.

#pragma once

#include "fast_vectors.hpp"

namespace macsmith {

class PositConstants;

// Modes beside the roundings: a sum that is never rounded; stochastic rounding with the finer number
// cut off (variants A and B), or to nearest (C).
constexpr int FIXED = 100, STOCHASTIC = 101, STOCHASTIC_NEAREST = 102;

// Mirrors `TileRoundStruct` of fast_structs.py.
struct TileRound {
  Format format;
  double max;            // largest finite number
  double smallest;       // smallest positive number
  int32_t max_exponent;  // of `max`
  int32_t is_fixed;      // no rounding; `clip_low` .. `clip_high` where clips
  int32_t clips;
  double clip_low, clip_high;
};

template <class T>
struct RoundConstants {
  using L = Lanes<T>;
  using V = typename L::V;
  using W = typename L::W;
  using I = typename L::I;
  I low, high;         // exponent fields that the grid is derived from, in place
  I to_magic, to_grid, to_half_grid;  // from such a field to the bits of c and of the grid's unit
  T max, smallest;
  I overflow_bits, max_bits;
  I to_fine_magic, to_fine;  // as above, for the finer grid of stochastic rounding
  bool has_half;
  I random_mask, coarse_mask;
  I negative_zero_mask;
  bool has_gap;
  T clip_low, clip_high;
  bool clips;
  bool keeps_infinity;
  const Format *without_fraction = nullptr;
  const PositConstants *posit = nullptr;

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
    to_half_grid = to_grid - (I(1) << L::fraction_bits);
    const int fine_bits = f.random_bits + (f.rounding == STOCHASTIC_B);
    to_fine_magic = to_magic - (I(fine_bits) << L::fraction_bits);
    to_fine = to_grid - (I(fine_bits) << L::fraction_bits);
    has_half = f.rounding == STOCHASTIC_B;
    random_mask = (I(1) << f.random_bits) - 1, coarse_mask = ~((I(1) << fine_bits) - 1);
    max = T(r.max), smallest = T(r.smallest);
    const T infinity = T(__builtin_inf()), nan = T(__builtin_nan(""));
    keeps_infinity = f.overflow == PROPAGATE;
    const T over = f.overflow == TO_INFINITY ? infinity : f.overflow == TO_NAN ? nan : max;
    std::memcpy(&overflow_bits, &over, sizeof over);
    std::memcpy(&max_bits, &max, sizeof max);
    has_gap = !f.has_subnormals;
    if (!f.fraction_bits) without_fraction = &f;
    negative_zero_mask = f.has_negative_zero ? ~I(0) : 0;
  }
};

// Without a fraction the neighbours are powers of two, and the last bit of a code is that of its
// exponent field: where that decides, the number it decides for, else `v`.
template <int MODE>
inline VectorOf<double> choose_powers(VectorOf<double> v, const Format &f) {
  using DoubleVector = VectorOf<double>;
  using DoubleWords = WordsOf<double>;
  if constexpr (MODE != NEAREST_EVEN && MODE != TO_ODD) return v;
  const DoubleWords bits = (DoubleWords)v & ~sign_mask<double>();
  const DoubleWords sign = (DoubleWords)v & sign_mask<double>();
  const DoubleWords lower = bits & exponent_mask<double>();
  const DoubleWords upper = lower + (int64_t(1) << 52);
  const DoubleWords code = (lower >> 52) - (1023 + f.least_exponent - (f.has_subnormals ? 1 : 0));
  const DoubleVector magnitude = (DoubleVector)bits, power = (DoubleVector)lower;
  const DoubleWords is_between = MODE == NEAREST_EVEN ? magnitude == 1.5 * power : magnitude > power;
  const DoubleWords is_odd = (code & 1) != 0;
  const DoubleWords goes_up = MODE == NEAREST_EVEN ? is_odd : ~is_odd;
  const DoubleWords decides = is_between & (code >= (f.has_zero ? 1 : 0)) & (magnitude < __builtin_inf());
  const DoubleWords chosen = sign | (goes_up ? upper : lower);
  return decides ? (DoubleVector)chosen : v;
}

// LEAN: only what a format with fraction bits, subnormals and a negative zero needs.
template <class T, int MODE, bool LEAN>
inline typename Lanes<T>::V round_lanes(typename Lanes<T>::V v, const RoundConstants<T> &c) {
  using V = typename Lanes<T>::V;
  using W = typename Lanes<T>::W;
  constexpr auto SIGN = sign_mask<T>();
  constexpr auto MAGNITUDE = ~SIGN;
  if constexpr (!LEAN && sizeof(T) == 8)
    if (c.without_fraction) v = choose_powers<MODE>(v, *c.without_fraction);
  const W bits = (W)v;
  [[maybe_unused]] const W sign = bits & SIGN;
  W field = bits & exponent_mask<T>();
  field = field > c.low ? field : c.low - (W){};
  field = field < c.high ? field : c.high - (W){};
  const V magic = (V)(field + c.to_magic);
  const V magnitude = (V)(bits & MAGNITUDE);
  V r;  // perhaps without its sign
  if constexpr (MODE == NEAREST_EVEN) {
    r = (v + magic) - magic;
  } else if constexpr (HAS_DIRECTED) {
    if constexpr (MODE == UP || MODE == DOWN) {
      r = add_toward<T, MODE>(v, magic) - magic;
    } else if constexpr (MODE == NEAREST_AWAY) {
      const V half = (V)(field + c.to_half_grid);
      r = add_toward<T, DOWN>(add_toward<T, DOWN>(magnitude, half), magic) - magic;
    } else {
      const V sum = add_toward<T, DOWN>(magnitude, magic);
      r = sum - magic;
      // the last bit of `sum` is that of r in units of the grid
      if constexpr (MODE == TO_ODD) r = set_odd_where_less(sum, r, magnitude) - magic;
    }
  } else {
    r = (v + magic) - magic;
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
  // r has the sign of v, or lost it
  W result = or_masked(over ? overflowed : (W)r, bits, SIGN);
  if constexpr (!LEAN) {
    const W is_zero = (result & MAGNITUDE) == 0;
    result = is_zero ? result & c.negative_zero_mask : result;
    if (c.keeps_infinity) result = magnitude == T(__builtin_inf()) ? bits : result;
  }
  return (V)result;
}

// MODE is STOCHASTIC or STOCHASTIC_NEAREST.
template <class T, int MODE, bool LEAN>
inline VectorOf<T> round_lanes_randomly(VectorOf<T> v, WordsOf<T> random,
                                        const RoundConstants<T> &c) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  constexpr auto SIGN = sign_mask<T>();
  const W bits = (W)v;
  W field = bits & exponent_mask<T>();
  field = field > c.low ? field : c.low - (W){};
  field = field < c.high ? field : c.high - (W){};
  const V magnitude = (V)(bits & ~SIGN);
  const V magic = (V)(field + c.to_fine_magic);
  V fine;  // plus `magic`
  if constexpr (MODE == STOCHASTIC_NEAREST) {
    fine = magnitude + magic;
  } else if constexpr (HAS_DIRECTED) {
    fine = add_toward<T, DOWN>(magnitude, magic);
  } else {
    V m = (magnitude + magic) - magic;
    m = m > magnitude ? m - (V)(field + c.to_fine) : m;
    fine = m + magic;
  }
  random &= c.random_mask;
  if (c.has_half) random += random + 1;
  const V r = (V)(((W)fine + random) & c.coarse_mask) - magic;
  const W over = r > c.max;
  W result = or_masked(over ? c.overflow_bits - (W){} : (W)r, bits, SIGN);
  if constexpr (!LEAN) {
    const W is_zero = (result & ~SIGN) == 0;
    result = is_zero ? result & c.negative_zero_mask : result;
    if (c.keeps_infinity) result = magnitude == T(__builtin_inf()) ? bits : result;
  }
  return (V)result;
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

}  // namespace macsmith
