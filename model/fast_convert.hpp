// Rounding arrays of values to a format, on vectors of doubles.
//
// A double is an exact value of at most 53 bits, and formats here keep at most 24: the rounding of
// fast_tiles.hpp holds for every format that has a fraction bit. Formats without one go the scalar
// way, because they tie to the even exponent field.

#pragma once

#include "fast_tiles.hpp"

#include <cmath>

namespace macsmith {

using DoubleLanes = Lanes<double>;
using DoubleVector = DoubleLanes::V;
using DoubleWords = DoubleLanes::W;
constexpr int DOUBLES = VECTOR_BYTES / 8;

// What makes a code of a rounded value.
struct CodeConstants {
  int64_t drop;          // bits of a double's fraction below the format's
  int64_t field_offset;  // normal: (bits >> drop) - field_offset is the magnitude code
  double normal;         // below it, the code is the value in units of `unit`
  double per_unit;
  int64_t infinity_code, nan_code;
  int64_t sign_shift;
  int64_t sign_bit;

  explicit CodeConstants(const Format &f) {
    const int min_normal_exponent = f.least_exponent + f.fraction_bits;
    drop = 52 - f.fraction_bits;
    field_offset = int64_t(1023 + min_normal_exponent - (f.has_subnormals ? 1 : 0))
                   << f.fraction_bits;
    normal = std::ldexp(1.0, min_normal_exponent);
    per_unit = std::ldexp(1.0, -f.least_exponent);
    infinity_code = f.infinity_code;
    nan_code = uint32_t(f.nan_code);
    sign_shift = 64 - f.bits;
    sign_bit = f.is_signed ? int64_t(1) << (f.bits - 1) : 0;
  }
};

inline DoubleWords float_codes(DoubleVector rounded, const CodeConstants &c) {
  constexpr int64_t SIGN = sign_mask<double>();
  const DoubleWords bits = (DoubleWords)rounded & ~SIGN;
  const DoubleVector magnitude = (DoubleVector)bits;
  const DoubleWords normal = (bits >> c.drop) - c.field_offset;
  // adding 2**52 leaves the integer in the fraction
  const DoubleVector shifted = magnitude * c.per_unit + 0x1p52;
  const DoubleWords subnormal = (DoubleWords)shifted & ((int64_t(1) << 52) - 1);
  DoubleWords code = magnitude < c.normal ? subnormal : normal;
  code = magnitude == __builtin_inf() ? c.infinity_code - DoubleWords{} : code;
  code |= ((DoubleWords)rounded < 0) & c.sign_bit;
  return rounded != rounded ? c.nan_code - DoubleWords{} : code;
}

inline DoubleVector round_integers(DoubleVector v, double low, double high, int32_t mode) {
  v = v == v ? v : DoubleVector{};
  v = v < low ? low - DoubleVector{} : v;  // a clipped value is an integer, which rounding keeps
  v = v > high ? high - DoubleVector{} : v;
  const double magic = 0x1.8p52;
  DoubleVector r = (v + magic) - magic;
  const DoubleVector rest = v - r;
  switch (mode) {
    case TOWARD_ZERO:
      r = (rest < 0) & (v > 0) ? r - 1.0 : r;
      r = (rest > 0) & (v < 0) ? r + 1.0 : r;
      break;
    case UP: r = rest > 0 ? r + 1.0 : r; break;
    case DOWN: r = rest < 0 ? r - 1.0 : r; break;
    case TO_ODD: {  // the last bit of v + magic is that of the integer
      const DoubleVector even = (DoubleWords)(v + magic) & 1 ? DoubleVector{} : 1.0 - DoubleVector{};
      r = rest > 0 ? r + even : r;
      r = rest < 0 ? r - even : r;
      break;
    }
    case NEAREST_AWAY:
      r = (rest == 0.5) & (v > 0) ? r + 1.0 : r;
      r = (rest == -0.5) & (v < 0) ? r - 1.0 : r;
      break;
    default: break;
  }
  return r + 0.0;  // no negative zero
}

// Calls put(first, vector of rounded values) for each run of DOUBLES values (the last one padded).
template <class Put>
void round_values(const Format &f, double max, double smallest, int32_t max_exponent,
                  int64_t count, const double *values, const Put &put) {
  const RoundConstants<double> c(
      TileRound{f, max, smallest, max_exponent, !f.is_float, 0, 0, 0});
  const double scale = f.is_float ? 1 : std::ldexp(1.0, -f.least_exponent);
  for (int64_t i = 0; i < count; i += DOUBLES) {
    DoubleVector v{};
    const int64_t left = count - i < DOUBLES ? count - i : DOUBLES;
    std::memcpy(&v, values + i, sizeof(double) * size_t(left));
    DoubleVector r;
    if (f.is_float) {
      r = round_any<double, false>(v, c, f.rounding);
      if (!f.has_nan) r = v == v ? r : DoubleVector{};
      if (!f.is_signed) {  // beyond the least number, unless it rounded to zero
        const bool saturates = f.overflow == SATURATE || f.overflow == PROPAGATE;
        const DoubleVector least = (saturates ? 0.0 : __builtin_nan("")) - DoubleVector{};
        r = r < 0 ? least : r == 0 ? DoubleVector{} : r;
      }
    } else {
      r = round_integers(v * scale, f.min_integer, f.max_integer, f.rounding);
    }
    put(i, left, r);
  }
}

inline bool is_for_vectors(const Format &f) {
  if (f.ordered || f.wraps) return false;
  return !f.is_float || (f.fraction_bits > 0 && f.has_zero);
}

}  // namespace macsmith
