// Rounding arrays of values to a format, on vectors of doubles.
//
// A double is an exact value of at most 53 bits, and formats here keep at most 24: the rounding of
// fast_rounding.hpp holds.

#pragma once

#include "fast_rounding.hpp"

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

// Values that come in: doubles or floats, and the random words of stochastic rounding, or null.
struct ValueSource {
  const void *values;
  int32_t is_single;
  const uint32_t *random;
};

inline double value_at(const ValueSource &source, int64_t i) {
  return source.is_single ? static_cast<const float *>(source.values)[i]
                          : static_cast<const double *>(source.values)[i];
}

// DOUBLES of them as doubles; unless FULL only `left`, and 0 behind them.
template <bool FULL, class T>
inline DoubleVector load_values(const void *values, int64_t first, int64_t left) {
  typedef T Loaded __attribute__((vector_size(DOUBLES * sizeof(T))));
  Loaded loaded{};
  std::memcpy(&loaded, static_cast<const T *>(values) + first,
              FULL ? sizeof loaded : sizeof(T) * size_t(left));
  return __builtin_convertvector(loaded, DoubleVector);
}

// What values are rounded to, MODE being one of the roundings, STOCHASTIC, or FIXED for an integer
// format, whose rounding is decided at run time.
template <int MODE, class T, class Put>
void round_values_as(const Format &f, const RoundConstants<double> &c, int64_t count,
                     const ValueSource &source, const Put &put) {
  const double scale = std::ldexp(1.0, -f.least_exponent);
  const bool saturates = f.overflow == SATURATE || f.overflow == PROPAGATE;
  const bool has_nan = f.has_nan, is_signed = f.is_signed, has_zero = f.has_zero;
  const double smallest = std::ldexp(1.0, f.least_exponent + f.fraction_bits);  // without zero
  const double smallest_or_zero = has_zero ? 0.0 : smallest;
  const auto round = [&](DoubleVector v, int64_t first, int64_t left) {
    DoubleVector r;
    if constexpr (MODE == FIXED) {
      return round_integers(v * scale, f.min_integer, f.max_integer, f.rounding);
    } else if constexpr (MODE == STOCHASTIC || MODE == STOCHASTIC_NEAREST) {
      typedef uint32_t Random __attribute__((vector_size(DOUBLES * 4)));
      Random random{};
      std::memcpy(&random, source.random + first, 4 * size_t(left));
      r = round_lanes_randomly<double, MODE, false>(v, __builtin_convertvector(random, DoubleWords), c);
    } else {
      r = round_lanes<double, MODE, false>(v, c);
    }
    if (!has_nan) r = v == v ? r : DoubleVector{};
    if (!is_signed) {
      // negative numbers, unless they round to zero, are beyond the least number; so is a zero where
      // there is none, and what is between becomes the smallest
      const DoubleWords is_beyond = has_zero ? r < 0 : v <= 0;
      r = r == 0 ? DoubleVector{} : r;
      if (!has_zero) r = r < smallest ? smallest - DoubleVector{} : r;
      r = is_beyond ? (saturates ? smallest_or_zero : __builtin_nan("")) - DoubleVector{} : r;
    }
    return r;
  };
  int64_t i = 0;
  for (; i + DOUBLES <= count; i += DOUBLES)
    put.template store<true>(i, DOUBLES,
                             round(load_values<true, T>(source.values, i, DOUBLES), i, DOUBLES));
  if (i < count)
    put.template store<false>(
        i, count - i, round(load_values<false, T>(source.values, i, count - i), i, count - i));
}

// Calls put.store<FULL>(first, count, rounded values) for each run of DOUBLES values.
template <class Put>
void round_values(const TileRound &extremes, int64_t count, const ValueSource &source,
                  const Put &put) {
  const Format &f = extremes.format;
  TileRound round = extremes;
  round.is_fixed = !f.is_float;
  const RoundConstants<double> c(round);
#define ROUND_AS(MODE)                                                                        \
  return source.is_single ? round_values_as<MODE, float>(f, c, count, source, put)            \
                          : round_values_as<MODE, double>(f, c, count, source, put)
  if (!f.is_float) ROUND_AS(FIXED);
  switch (f.rounding) {
    case NEAREST_EVEN: ROUND_AS(NEAREST_EVEN);
    case NEAREST_AWAY: ROUND_AS(NEAREST_AWAY);
    case TOWARD_ZERO: ROUND_AS(TOWARD_ZERO);
    case UP: ROUND_AS(UP);
    case DOWN: ROUND_AS(DOWN);
    case TO_ODD: ROUND_AS(TO_ODD);
    case STOCHASTIC_C: ROUND_AS(STOCHASTIC_NEAREST);
    default: ROUND_AS(STOCHASTIC);
  }
#undef ROUND_AS
}

// Where codes go: `Code` is the smallest type that holds them.
template <class Code>
struct PutCodes {
  const Format &f;
  CodeConstants c;
  Code *codes;

  template <bool FULL>
  void store(int64_t first, int64_t left, DoubleVector rounded) const {
    typedef Code Narrow __attribute__((vector_size(DOUBLES * sizeof(Code))));
    const DoubleWords words = f.is_float ? float_codes(rounded, c)
                                         : __builtin_convertvector(rounded, DoubleWords);
    Narrow narrow = __builtin_convertvector(words, Narrow);
    if (!f.is_float) narrow &= Code((uint64_t(1) << f.bits) - 1);
    std::memcpy(codes + first, &narrow, FULL ? sizeof narrow : sizeof(Code) * size_t(left));
  }
};

struct PutValues {
  double unit;
  double *values;

  template <bool FULL>
  void store(int64_t first, int64_t left, DoubleVector rounded) const {
    rounded *= unit;
    std::memcpy(values + first, &rounded, FULL ? sizeof rounded : sizeof(double) * size_t(left));
  }
};

// Integers at random, and powers of two at random, go the scalar way.
inline bool is_for_vectors(const Format &f) {
  if (f.ordered || f.wraps) return false;
  return !f.random_bits || (f.is_float && f.fraction_bits > 0);
}

}  // namespace macsmith
