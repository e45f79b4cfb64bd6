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

#include "fast_vectors.hpp"

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

// std::frexp, without its call where the number is a normal one.
inline double split_number(double x, int &exponent) {
  const uint64_t bits = to_bits<double>(x);
  const int field = int(bits >> 52 & 0x7ff);
  if (__builtin_expect(field == 0 || field == 0x7ff, 0)) return std::frexp(x, &exponent);
  exponent = field - 1022;
  return from_bits<double>((bits & ~(uint64_t(0x7ff) << 52)) | uint64_t(1022) << 52);
}

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
    const double fraction = split_number(quotient, exponent);  // in [1/2, 1)
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
  const double a = split_number(amax, a_exponent), t = split_number(s.tensor, t_exponent);
  int32_t exponent = a_exponent - t_exponent - (a < t);  // of amax / tensor
  const double fraction = a < t ? 2 * a : a;             // over t: in [1, 2)
  if (s.rule == RULE_CEIL) exponent += fraction > t;
  if (s.rule == RULE_EVEN)
    exponent += compare_product(2 - std::ldexp(1.0, -s.top_fraction_bits - 1), t, fraction) <= 0;
  return floor_scale(s, 1.0, 1.0, std::ldexp(1.0, exponent - s.max_exponent));
}

// k, at least 0 and far below 2**22, rounded to an integer; `negative` is all ones where its sign is.
template <int ROUNDING, typename T>
inline VectorOf<T> round_integer(VectorOf<T> k, WordsOf<T> negative) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  const T magic = T(1.5) * T(typename Bits<T>::U(1) << Bits<T>::fraction);
  const V nearest = (k + magic) - magic;
  if constexpr (ROUNDING == NEAREST_EVEN) return nearest;
  const V whole = nearest > k ? nearest - T(1) : nearest;
  W goes_up{};
  if constexpr (ROUNDING == NEAREST_AWAY) goes_up = k - whole >= T(0.5);
  if constexpr (ROUNDING == UP) goes_up = (whole != k) & ~negative;
  if constexpr (ROUNDING == DOWN) goes_up = (whole != k) & negative;
  return goes_up ? whole + T(1) : whole;
}

// The elements of a block with the scale `factor`, as vectors of T.
template <int ROUNDING, bool IS_FLOAT, bool DIVIDES, bool VALUES, typename T, typename In,
          typename Out>
void quantise_elements(const BlockSpec &s, const In *values, int64_t count, double factor,
                       Out *out) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  using I = typename Bits<T>::I;
  constexpr int F = Bits<T>::fraction;
  constexpr int LANES = VECTOR_BYTES / sizeof(T);
  typedef In Loaded __attribute__((vector_size(LANES * sizeof(In))));
  typedef Out Stored __attribute__((vector_size(LANES * sizeof(Out))));
  constexpr I SIGN = sign_mask<T>();
  const int m = s.element.fraction_bits;
  const T inverse = T(1 / factor), scale = T(factor), largest = T(s.max), least = T(0 - s.min);
  const I lowest = I(s.min_normal_exponent + Bits<T>::bias) << F;
  const I offset = I(2 * Bits<T>::bias + m) << F;
  const T to_units = from_bits<T>(typename Bits<T>::U(Bits<T>::bias - s.element.least_exponent) << F);
  const T from_units = 1 / to_units;
  const I rebias = I(s.min_normal_exponent - 1 + Bits<T>::bias) << m;
  const W sign_of_zero = (s.element.has_negative_zero ? I(-1) : I(0)) - W{};
  const I top = I(1) << (s.element.bits - 1), code_mask = (top << 1) - 1;
  const T enormous = sizeof(T) == 4 ? T(1e38) : T(1e300);
  for (int64_t first = 0; first < count; first += LANES) {
    const int64_t left = count - first < LANES ? count - first : LANES;
    Loaded loaded{};
    if (left == LANES) std::memcpy(&loaded, values + first, sizeof loaded);
    else std::memcpy(&loaded, values + first, sizeof(In) * size_t(left));
    const V v = __builtin_convertvector(loaded, V);
    const W negative = (W)v < 0;
    V q = (V)((W)v & ~SIGN);
    if constexpr (DIVIDES) {
      const V quotient = q / scale;
      const V rest = multiply_subtract<T>(q, quotient, scale);
      const W odd = ((W)quotient + (rest < 0)) | ((W)(rest != 0) & 1);
      q = quotient < enormous ? (V)odd : quotient;
    } else {
      q *= inverse;
    }
    const V bound = negative ? least - V{} : largest - V{};
    q = q < bound ? q : bound;
    V rounded;
    if constexpr (IS_FLOAT) {
      // | exponent, but at least that of the smallest binade | in steps of 2**-m of it
      W exponent = (W)q & exponent_mask<T>();
      exponent = exponent > lowest ? exponent : lowest - W{};
      const V up = (V)(offset - exponent), down = (V)(exponent - (I(m) << F));
      rounded = round_integer<ROUNDING, T>(q * up, negative) * down;
    } else {
      rounded = round_integer<ROUNDING, T>(q * to_units, negative);
    }
    Stored stored;
    if constexpr (VALUES) {
      const V value = (IS_FLOAT ? rounded : rounded * from_units) * scale;
      const W sign = (value != 0 ? ~W{} : sign_of_zero) & negative & SIGN;
      stored = __builtin_convertvector((V)((W)value | sign), Stored);
    } else {
      W code;
      if constexpr (IS_FLOAT) {
        const W normal = ((W)rounded >> (F - m)) - rebias;
        const W below = __builtin_convertvector(rounded * to_units, W);
        code = (W)rounded >= lowest ? normal : below;
        code |= (code != 0 ? ~W{} : sign_of_zero) & negative & top;
      } else {
        const W integer = __builtin_convertvector(rounded, W);
        code = (negative ? -integer : integer) & code_mask;
      }
      stored = __builtin_convertvector(code, Stored);
    }
    if (left == LANES) std::memcpy(out + first, &stored, sizeof stored);
    else std::memcpy(out + first, &stored, sizeof(Out) * size_t(left));
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
  const bool is_power = split_number(factor, exponent) == 0.5;
  const bool is_near = s.element.rounding == NEAREST_EVEN || s.element.rounding == NEAREST_AWAY ||
                       s.element.rounding == TOWARD_ZERO;
  if (!is_power) {
    // In binary32 a quotient is next to the right one and its remainder exact, unless numbers are so
    // small that nothing but zero can come out.
    const bool fits = sizeof(In) == 4 && is_near && double(float(factor)) == factor &&
                      factor > 0x1p-30 && factor < 0x1p60 && s.element.least_exponent > -48;
    if (fits) return quantise_rounded<IS_FLOAT, true, VALUES, float>(s, values, count, factor, out);
    return quantise_rounded<IS_FLOAT, true, VALUES, double>(s, values, count, factor, out);
  }
  // binary32 is exact for quotients within its range; what lies below it rounds to zero, except
  // where the direction asks for more
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
