// Quantising blocks that share a scale: the same codes as `macsmith.model.blocks`.
//
// A scale is found by exact comparisons of products of doubles (a product and its error, which a
// fused multiply-add gives, are the exact product). An element is rounded once: where the scale is
// a power of two the quotient is exact; else it is rounded to odd, by the sign of the remainder
// that a fused multiply-add gives, which any rounding to p <= 51 bits may follow (Boldo and
// Melquiond 2008).

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "fast_formats.hpp"

namespace macsmith {

enum ScaleRule : int32_t { RULE_FLOOR, RULE_CEIL, RULE_EVEN, RULE_RCEIL, RULE_MAX };

// Mirrors `BlockStruct` of fast_blocks.py.
struct BlockSpec {
  Format element;
  double max, min;             // of the elements
  int32_t min_normal_exponent; // floats: of the smallest binade
  int32_t max_exponent;        // of the largest element
  int32_t top_fraction_bits;   // in its binade
  int32_t length;
  int32_t rule;
  int32_t smallest_scale;  // codes of the smallest positive and of the largest scale
  int32_t largest_scale;
  int32_t nan_scale;       // -1 where there is none
  int32_t scale_is_float;
  int32_t scale_fraction_bits;
  int32_t scale_least_exponent;
  int32_t scale_has_subnormals;
  int32_t saturates;       // infinities become the largest element
  double tensor;
  const double *scales;  // values of the codes up to the largest scale
};

// Sign of a * b - c, exactly; a * b has no part below the range of double.
inline int compare_product(double a, double b, double c) {
  const double product = a * b, error = std::fma(a, b, -product);
  if (product != c) return product > c ? 1 : -1;
  return error > 0 ? 1 : error < 0 ? -1 : 0;
}

// Largest code between the smallest and the largest scale with scale * factor <= amax; `factor` is
// the product of two numbers. The quotient in double is next to the right one.
inline int32_t floor_scale(const BlockSpec &s, double factor_a, double factor_b, double amax) {
  const double quotient = amax / (factor_a * factor_b);
  double guess = quotient;
  if (s.scale_is_float) {
    int exponent;
    const double fraction = std::frexp(quotient, &exponent);  // in [1/2, 1)
    const int32_t field = exponent - 1 - s.scale_least_exponent;  // 0: the smallest numbers
    const int32_t hidden = 1 << s.scale_fraction_bits;
    if (s.scale_has_subnormals && field < s.scale_fraction_bits)
      guess = std::ldexp(quotient, -s.scale_least_exponent);
    else
      guess = (field - (s.scale_has_subnormals ? s.scale_fraction_bits - 1 : 0)) * double(hidden) +
              (2 * fraction - 1) * hidden;
  }
  int32_t code = guess < s.smallest_scale ? s.smallest_scale
                 : guess > s.largest_scale ? s.largest_scale
                                           : int32_t(guess);
  while (code > s.smallest_scale &&
         compare_product(s.scales[code] * factor_a, factor_b, amax) > 0)
    --code;
  while (code < s.largest_scale &&
         compare_product(s.scales[code + 1] * factor_a, factor_b, amax) <= 0)
    ++code;
  return code;
}

inline int32_t scale_code(const BlockSpec &s, double amax) {
  if (amax == 0) return 0;
  if (s.rule == RULE_RCEIL || s.rule == RULE_MAX) {
    const int32_t code = floor_scale(s, s.max, s.tensor, amax);
    if (code == s.largest_scale || compare_product(s.scales[code] * s.max, s.tensor, amax) >= 0)
      return code;
    if (s.rule == RULE_RCEIL) return code + 1;
    const double middle = (s.scales[code] + s.scales[code + 1]) * 0.5 * s.max;
    const int side = compare_product(middle, s.tensor, amax);
    return code + (side < 0 || (side == 0 && code % 2));
  }
  int a_exponent, t_exponent;
  const double a = std::frexp(amax, &a_exponent), t = std::frexp(s.tensor, &t_exponent);
  int32_t exponent = a_exponent - t_exponent - (a < t);  // of amax / tensor
  const double fraction = a < t ? 2 * a : a;             // over t: in [1, 2)
  if (s.rule == RULE_CEIL) exponent += fraction > t;
  if (s.rule == RULE_EVEN)
    exponent += compare_product(2 - std::ldexp(1.0, -s.top_fraction_bits - 1), t, fraction) <= 0;
  return floor_scale(s, 1.0, 1.0, std::ldexp(1.0, exponent - s.max_exponent));
}

template <typename T>
struct Bits;
template <>
struct Bits<float> {
  using U = uint32_t;
  using I = int32_t;
  static constexpr int fraction = 23, bias = 127;
};
template <>
struct Bits<double> {
  using U = uint64_t;
  using I = int64_t;
  static constexpr int fraction = 52, bias = 1023;
};

template <typename T>
inline typename Bits<T>::U to_bits(T x) {
  typename Bits<T>::U bits;
  std::memcpy(&bits, &x, sizeof x);
  return bits;
}
template <typename T>
inline T from_bits(typename Bits<T>::U bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// |k| rounded to an integer; `negative` is its sign.
template <int ROUNDING, typename T>
inline T round_integer(T k, bool negative) {
  if (ROUNDING == NEAREST_EVEN) {
    const T magic = T(1.5) * T(typename Bits<T>::U(1) << Bits<T>::fraction);
    return (k + magic) - magic;
  }
  const T whole = std::trunc(k);
  const bool rest = whole != k;
  if (ROUNDING == NEAREST_AWAY) return whole + (k - whole >= T(0.5));
  if (ROUNDING == TOWARD_ZERO) return whole;
  return whole + (rest & (ROUNDING == UP ? !negative : negative));
}

template <int ROUNDING, bool IS_FLOAT, bool DIVIDES, bool VALUES, typename T, typename In,
          typename Out>
void quantise_elements(const BlockSpec &s, const In *values, int64_t count, double factor,
                       Out *out) {
  using U = typename Bits<T>::U;
  using I = typename Bits<T>::I;
  constexpr int F = Bits<T>::fraction;
  constexpr U SIGN = U(1) << (sizeof(T) * 8 - 1);
  const int m = s.element.fraction_bits;
  const T inverse = T(1 / factor), scale = T(factor), largest = T(s.max), least = T(0 - s.min);
  const I lowest = I(s.min_normal_exponent + Bits<T>::bias) << F;
  const I offset = (I(Bits<T>::bias + m) << F);
  const T to_units = from_bits<T>(U(Bits<T>::bias - s.element.least_exponent) << F);
  const U rebias = U(s.min_normal_exponent - 1 + Bits<T>::bias) << m;
  const bool no_negative_zero = !s.element.has_negative_zero;
  for (int64_t i = 0; i < count; ++i) {
    const T v = T(values[i]);
    const U sign = to_bits<T>(v) & SIGN;
    const bool negative = sign != 0;
    T q = from_bits<T>(to_bits<T>(v) & ~SIGN);
    if (DIVIDES) {
      const T quotient = q / scale;
      const T rest = std::fma(-quotient, scale, q);
      U odd = to_bits<T>(quotient);
      odd = (odd - (rest < 0)) | (rest != 0);
      q = quotient < T(1e300) ? from_bits<T>(odd) : quotient;
    } else {
      q *= inverse;
    }
    const T bound = negative ? least : largest;
    q = q < bound ? q : bound;
    T rounded, units = T(0);
    if (IS_FLOAT) {
      // | exponent, but at least that of the smallest binade | in steps of 2**-m of it
      I exponent = I(to_bits<T>(q)) & ~((I(1) << F) - 1);
      exponent = exponent > lowest ? exponent : lowest;
      const T up = from_bits<T>(U(offset - exponent + (I(Bits<T>::bias) << F)));
      const T down = from_bits<T>(U(exponent - (I(m) << F)));
      rounded = round_integer<ROUNDING, T>(q * up, negative) * down;
    } else {
      units = round_integer<ROUNDING, T>(q * to_units, negative);
      rounded = units;
    }
    if (VALUES) {
      T value = IS_FLOAT ? rounded : rounded / to_units;
      value *= scale;
      const bool keeps = !(no_negative_zero && value == 0);
      out[i] = Out(from_bits<T>(to_bits<T>(value) | (keeps ? sign : 0)));
    } else if (IS_FLOAT) {
      const U normal = (to_bits<T>(rounded) >> (F - m)) - rebias;
      const U below = U(I(rounded * to_units));
      const U magnitude = I(to_bits<T>(rounded)) >= lowest ? normal : below;
      const U top = U(negative && (magnitude || !no_negative_zero)) << (s.element.bits - 1);
      out[i] = Out(magnitude | top);
    } else {
      const I integer = I(units);
      out[i] = Out(U(negative ? -integer : integer) & ((U(1) << s.element.bits) - 1));
    }
  }
}

template <bool IS_FLOAT, bool DIVIDES, bool VALUES, typename T, typename In, typename Out>
void quantise_rounded(const BlockSpec &s, const In *values, int64_t count, double factor,
                      Out *out) {
#define MACSMITH_ROUND(R)                                                               \
  case R:                                                                               \
    return quantise_elements<R, IS_FLOAT, DIVIDES, VALUES, T>(s, values, count, factor, out)
  switch (s.element.rounding) {
    MACSMITH_ROUND(NEAREST_EVEN);
    MACSMITH_ROUND(NEAREST_AWAY);
    MACSMITH_ROUND(TOWARD_ZERO);
    MACSMITH_ROUND(UP);
    MACSMITH_ROUND(DOWN);
  }
#undef MACSMITH_ROUND
}

template <bool IS_FLOAT, bool VALUES, typename In, typename Out>
void quantise_scaled(const BlockSpec &s, const In *values, int64_t count, double factor,
                     Out *out) {
  int exponent;
  const bool is_power = std::frexp(factor, &exponent) == 0.5;
  if (!is_power)
    return quantise_rounded<IS_FLOAT, true, VALUES, double>(s, values, count, factor, out);
  // binary32 is exact for quotients within its range; what lies below it rounds to zero, except
  // where the direction asks for more
  const bool is_near = s.element.rounding == NEAREST_EVEN || s.element.rounding == NEAREST_AWAY ||
                       s.element.rounding == TOWARD_ZERO;
  if (sizeof(In) == 4 && is_near && exponent > -120 && exponent < 120)
    return quantise_rounded<IS_FLOAT, false, VALUES, float>(s, values, count, factor, out);
  quantise_rounded<IS_FLOAT, false, VALUES, double>(s, values, count, factor, out);
}

// Largest magnitude of finite values, or of all; NaN and infinity are larger than all numbers.
template <typename In>
typename Bits<In>::U largest_bits(const In *values, int64_t count, bool is_finite) {
  using U = typename Bits<In>::U;
  constexpr U SIGN = U(1) << (sizeof(In) * 8 - 1);
  constexpr U INFINITY_BITS = U(2 * Bits<In>::bias + 1) << Bits<In>::fraction;
  U largest = 0;
  if (!is_finite) {
    for (int64_t i = 0; i < count; ++i) {
      const U bits = to_bits<In>(values[i]) & ~SIGN;
      largest = bits > largest ? bits : largest;
    }
    return largest;
  }
  for (int64_t i = 0; i < count; ++i) {
    const U bits = to_bits<In>(values[i]) & ~SIGN;
    if (bits < INFINITY_BITS && bits > largest) largest = bits;
  }
  return largest;
}

template <bool IS_FLOAT, bool VALUES, typename In, typename Out, typename Scale>
void quantise_rows(const BlockSpec &s, int64_t rows, int64_t columns, const In *values, Out *out,
                   Scale *scales) {
  constexpr auto INFINITY_BITS = typename Bits<In>::U(2 * Bits<In>::bias + 1)
                                 << Bits<In>::fraction;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t at = 0; at < columns; at += s.length) {
      const int64_t count = columns - at < s.length ? columns - at : s.length;
      const In *block = values + row * columns + at;
      Out *codes = out + row * columns + at;
      auto largest = largest_bits(block, count, false);
      const bool has_special = largest >= INFINITY_BITS;
      if (__builtin_expect(has_special, 0)) {
        if (s.nan_scale >= 0 && (largest > INFINITY_BITS || !s.saturates)) {
          *scales++ = Scale(s.nan_scale);
          for (int64_t i = 0; i < count; ++i) codes[i] = VALUES ? Out(NAN) : Out(0);
          continue;
        }
        largest = largest_bits(block, count, true);
      }
      const int32_t code = scale_code(s, double(from_bits<In>(largest)));
      *scales++ = Scale(code);
      const double scale = s.scales[code] * s.tensor;
      quantise_scaled<IS_FLOAT, VALUES>(s, block, count, scale ? scale : 1.0, codes);
      if (__builtin_expect(has_special, 0))
        for (int64_t i = 0; i < count; ++i) {
          if (VALUES && scale == 0) codes[i] = codes[i] * Out(0);  // keeps the sign
          if (block[i] == block[i]) continue;
          if (VALUES) codes[i] = s.element.has_nan ? Out(NAN) : Out(0);
          else codes[i] = Out(s.element.nan_code);
        }
    }
}

template <bool VALUES, typename In, typename Out, typename Scale>
int32_t quantise_blocks(const BlockSpec &s, int64_t rows, int64_t columns, const In *values,
                        Out *out, Scale *scales) {
  if (s.element.is_float)
    quantise_rows<true, VALUES>(s, rows, columns, values, out, scales);
  else quantise_rows<false, VALUES>(s, rows, columns, values, out, scales);
  return 0;
}

}  // namespace macsmith
