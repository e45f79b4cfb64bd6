// Rounding arrays of values to a format, on vectors of floats where those suffice, else of doubles.
//
// Values are exact here, and formats keep at most 24 of their bits: the rounding of fast_rounding.hpp
// holds for doubles, and for floats where nothing it forms leaves their range (`fits_float`).

#pragma once

#include "fast_rounding.hpp"

#include <cmath>

namespace macsmith {

template <class T>
constexpr int64_t LANES_OF = VECTOR_BYTES / sizeof(T);

// What makes a code of a rounded value.
template <class T>
struct CodeConstants {
  using I = typename Lanes<T>::I;
  I drop;          // bits of the fraction below the format's
  I field_offset;  // normal: (bits >> drop) - field_offset is the magnitude code
  T normal;        // below it, the code is the value in units of `unit`
  T per_unit;
  I infinity_code, nan_code;
  I sign_bit;

  explicit CodeConstants(const Format &f) {
    const int min_normal_exponent = f.least_exponent + f.fraction_bits;
    drop = Lanes<T>::fraction_bits - f.fraction_bits;
    field_offset = I(Lanes<T>::bias + min_normal_exponent - (f.has_subnormals ? 1 : 0))
                   << f.fraction_bits;
    normal = T(std::ldexp(1.0, min_normal_exponent));
    per_unit = T(std::ldexp(1.0, -f.least_exponent));
    infinity_code = f.infinity_code;
    nan_code = I(uint32_t(f.nan_code));
    sign_bit = f.is_signed ? I(int64_t(1) << (f.bits - 1)) : 0;
  }
};

template <class T>
inline WordsOf<T> float_codes(VectorOf<T> rounded, const CodeConstants<T> &c) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  using I = typename Lanes<T>::I;
  constexpr I ONE = I(1) << Lanes<T>::fraction_bits;
  const W bits = (W)rounded & ~sign_mask<T>();
  const V magnitude = (V)bits;
  const W normal = (bits >> c.drop) - c.field_offset;
  // adding a number whose unit is 1 leaves the integer in the fraction
  const V shifted = magnitude * c.per_unit + T(ONE);
  const W subnormal = (W)shifted & (ONE - 1);
  W code = magnitude < c.normal ? subnormal : normal;
  code = magnitude == T(__builtin_inf()) ? c.infinity_code - W{} : code;
  code |= ((W)rounded < 0) & c.sign_bit;
  return rounded != rounded ? c.nan_code - W{} : code;
}

template <class T>
inline VectorOf<T> round_integers(VectorOf<T> v, T low, T high, int32_t mode) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  const T one = 1;
  v = v == v ? v : V{};
  v = v < low ? low - V{} : v;  // a clipped value is an integer, which rounding keeps
  v = v > high ? high - V{} : v;
  const T magic = T(1.5) * T(int64_t(1) << Lanes<T>::fraction_bits);
  V r = (v + magic) - magic;
  const V rest = v - r;
  switch (mode) {
    case TOWARD_ZERO:
      r = (rest < 0) & (v > 0) ? r - one : r;
      r = (rest > 0) & (v < 0) ? r + one : r;
      break;
    case UP: r = rest > 0 ? r + one : r; break;
    case DOWN: r = rest < 0 ? r - one : r; break;
    case TO_ODD: {  // the last bit of v + magic is that of the integer
      const V even = ((W)(v + magic) & 1) != 0 ? V{} : one - V{};
      r = rest > 0 ? r + even : r;
      r = rest < 0 ? r - even : r;
      break;
    }
    case NEAREST_AWAY:
      r = (rest == T(0.5)) & (v > 0) ? r + one : r;
      r = (rest == T(-0.5)) & (v < 0) ? r - one : r;
      break;
    default: break;
  }
  return r + T(0);  // no negative zero
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

// A vector of them as T; unless FULL only `left`, and 0 behind them.
template <bool FULL, class In, class T>
inline VectorOf<T> load_values(const void *values, int64_t first, int64_t left) {
  typedef In Loaded __attribute__((vector_size(LANES_OF<T> * sizeof(In))));
  Loaded loaded{};
  std::memcpy(&loaded, static_cast<const In *>(values) + first,
              FULL ? sizeof loaded : sizeof(In) * size_t(left));
  return __builtin_convertvector(loaded, VectorOf<T>);
}

// What values are rounded to, MODE being one of the roundings, STOCHASTIC, or FIXED for an integer
// format, whose rounding is decided at run time.
template <int MODE, class In, class T, class Put>
void round_values_as(const TileRound &extremes, int64_t count, const ValueSource &source,
                     const Put &put) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  const Format &f = extremes.format;
  const RoundConstants<T> c(extremes);
  const CodeConstants<T> codes(f);
  const T scale = T(std::ldexp(1.0, -f.least_exponent));
  const bool saturates = f.overflow == SATURATE || f.overflow == PROPAGATE;
  const bool has_nan = f.has_nan, is_signed = f.is_signed, has_zero = f.has_zero;
  const T smallest = T(std::ldexp(1.0, f.least_exponent + f.fraction_bits));  // without zero
  const T smallest_or_zero = has_zero ? T(0) : smallest;
  const auto round = [&](V v, int64_t first, int64_t left) {
    V r;
    if constexpr (MODE == FIXED) {
      return round_integers<T>(v * scale, T(f.min_integer), T(f.max_integer), f.rounding);
    } else if constexpr (MODE == STOCHASTIC || MODE == STOCHASTIC_NEAREST) {
      typedef uint32_t Random __attribute__((vector_size(LANES_OF<T> * 4)));
      Random random{};
      std::memcpy(&random, source.random + first, 4 * size_t(left));
      r = round_lanes_randomly<T, MODE, false>(v, __builtin_convertvector(random, W), c);
    } else {
      r = round_lanes<T, MODE, false>(v, c);
    }
    if (!has_nan) r = v == v ? r : V{};
    if (!is_signed) {
      // negative numbers, unless they round to zero, are beyond the least number; so is a zero where
      // there is none, and what is between becomes the smallest
      const W is_beyond = has_zero ? r < 0 : v <= 0;
      r = r == 0 ? V{} : r;
      if (!has_zero) r = r < smallest ? smallest - V{} : r;
      r = is_beyond ? (saturates ? smallest_or_zero : T(__builtin_nan(""))) - V{} : r;
    }
    return r;
  };
  constexpr int64_t LANES = LANES_OF<T>;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    put.template store<true, T>(
        codes, i, LANES, round(load_values<true, In, T>(source.values, i, LANES), i, LANES));
  if (i < count)
    put.template store<false, T>(
        codes, i, count - i,
        round(load_values<false, In, T>(source.values, i, count - i), i, count - i));
}

// Whether all that is formed on the way to a format stays within the normal floats.
inline bool fits_float(const TileRound &r) {
  const Format &f = r.format;
  if (!f.is_float) return f.least_exponent <= 0 && f.least_exponent >= -40 && f.bits <= 16;
  return f.fraction_bits >= 1 && f.fraction_bits + f.random_bits <= 18 && f.bits <= 24 &&
         f.least_exponent - f.random_bits >= -110 && r.max_exponent <= 80;
}

// Calls put.store<FULL>(codes, first, count, rounded values) for each vector of values.
template <class Put>
void round_values(const TileRound &extremes, int64_t count, const ValueSource &source,
                  const Put &put) {
  const Format &f = extremes.format;
  TileRound round = extremes;
  round.is_fixed = !f.is_float;
#define ROUND_AS(MODE)                                                                       \
  return !source.is_single    ? round_values_as<MODE, double, double>(round, count, source, put) \
         : fits_float(extremes) ? round_values_as<MODE, float, float>(round, count, source, put) \
                                : round_values_as<MODE, float, double>(round, count, source, put)
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
  Code *to;

  template <bool FULL, class T>
  void store(const CodeConstants<T> &c, int64_t first, int64_t left, VectorOf<T> rounded) const {
    typedef Code Narrow __attribute__((vector_size(LANES_OF<T> * sizeof(Code))));
    const WordsOf<T> words =
        f.is_float ? float_codes<T>(rounded, c) : __builtin_convertvector(rounded, WordsOf<T>);
    Narrow narrow = __builtin_convertvector(words, Narrow);
    if (!f.is_float) narrow &= Code((uint64_t(1) << f.bits) - 1);
    std::memcpy(to + first, &narrow, FULL ? sizeof narrow : sizeof(Code) * size_t(left));
  }
};

struct PutValues {
  double unit;
  double *values;

  template <bool FULL, class T>
  void store(const CodeConstants<T> &, int64_t first, int64_t left, VectorOf<T> rounded) const {
    typedef double Result __attribute__((vector_size(LANES_OF<T> * sizeof(double))));
    const Result result = __builtin_convertvector(rounded, Result) * unit;
    std::memcpy(values + first, &result, FULL ? sizeof result : sizeof(double) * size_t(left));
  }
};

// Integers at random, and powers of two at random, go the scalar way.
inline bool is_for_vectors(const Format &f) {
  if (f.ordered || f.wraps) return false;
  return !f.random_bits || (f.is_float && f.fraction_bits > 0);
}

}  // namespace macsmith
