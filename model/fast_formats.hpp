// Formats, terms and wide integers for the compiled golden model: scalar and general.
//
// A finite value is +-significand * 2**exponent. Rounding takes a significand of 64 bits, normalised
// and *jammed*: where the true value has bits below, the last bit is 1. A jammed number is on the
// same side of every code and every midpoint as the true one, as long as those have at most 62
// significand bits; formats here have 24, midpoints one more.

#pragma once

#include <cstdint>
#include <cstring>

namespace macsmith {

enum Rounding : int32_t {
  NEAREST_EVEN,
  NEAREST_AWAY,
  TOWARD_ZERO,
  UP,
  DOWN,
  TO_ODD,
  STOCHASTIC_A,
  STOCHASTIC_B,
  STOCHASTIC_C
};
enum Overflow : int32_t { SATURATE, TO_INFINITY, TO_NAN, PROPAGATE };
enum Kind : uint8_t { FINITE, INFINITE, NOT_A_NUMBER };

struct Term {
  uint64_t significand;
  int32_t exponent;
  uint8_t negative;
  uint8_t kind;
};

// One magnitude of a format that lists them. Values beyond the boundary, boundary * 2**exponent with
// bit 63 set, go to the next one, and at it where `goes_up`; index 1 of a pair is for negative values.
struct Magnitude {
  uint64_t boundary;
  int32_t exponent;
  uint32_t code[2];
  uint8_t goes_up[2];
};

// Mirrors `OrderedStruct` of fast_ordered.py: posits, powers of four, signed digits.
struct Ordered {
  int32_t count;
  uint32_t zero_code;
  uint32_t nan_code;
  int32_t infinity_is_nan;
  const Term *terms;            // by code
  const Magnitude *magnitudes;  // ascending
};

// Mirrors `FormatStruct` of fast_structs.py, field by field.
struct Format {
  int32_t is_float;
  int32_t bits;
  int32_t fraction_bits;
  int32_t least_exponent;  // all values are multiples of 2**least_exponent
  int32_t has_subnormals;
  int32_t has_negative_zero;
  int32_t has_nan;
  int32_t max_code;       // float: magnitude code of the largest finite number
  int32_t nan_code;       // 0 where there is no NaN, which is what NaN then encodes to
  int32_t infinity_code;  // -1 where there is none
  int32_t is_signed;
  int32_t min_integer;  // integers: what rounding clips to
  int32_t max_integer;
  int32_t rounding;
  int32_t overflow;
  int32_t random_bits;  // of stochastic rounding
  int32_t has_zero;
  int32_t wraps;           // integers: keep the low bits instead of clipping
  const Ordered *ordered;  // null for floats and integers

  int magnitude_bits() const { return bits - (is_signed ? 1 : 0); }
};

inline Term decode(const Format &f, uint32_t code) {
  if (f.ordered) return f.ordered->terms[code];
  Term t{0, f.least_exponent, 0, FINITE};
  if (!f.is_float) {
    int64_t integer = code;
    if (f.is_signed && (code >> (f.bits - 1) & 1)) integer -= int64_t(1) << f.bits;
    t.negative = integer < 0;
    t.significand = uint64_t(integer < 0 ? -integer : integer);
    return t;
  }
  const int magnitude_bits = f.magnitude_bits();
  const uint32_t magnitude = code & ((uint32_t(1) << magnitude_bits) - 1);
  t.negative = code >> magnitude_bits & 1;
  if (int64_t(magnitude) > f.max_code || (t.negative && !magnitude && !f.has_negative_zero)) {
    t.kind = int64_t(magnitude) == f.infinity_code ? INFINITE : NOT_A_NUMBER;
    if (t.kind == NOT_A_NUMBER) t.negative = 0;
    return t;
  }
  const uint32_t field = magnitude >> f.fraction_bits;
  const uint32_t hidden = uint32_t(1) << f.fraction_bits;
  t.significand = magnitude & (hidden - 1);
  if (f.has_subnormals) {
    if (field) t.significand += hidden, t.exponent += int32_t(field) - 1;
  } else if (magnitude || !f.has_zero) {
    t.significand += hidden, t.exponent += int32_t(field);
  }
  return t;
}

// What lies beyond the numbers of a float format.
inline uint32_t encode_beyond(const Format &f, bool negative, bool is_infinite) {
  if (negative && !f.is_signed)
    return f.overflow == SATURATE || f.overflow == PROPAGATE ? 0 : uint32_t(f.nan_code);
  if (f.overflow == TO_NAN) return uint32_t(f.nan_code);
  const bool to_infinity = f.overflow == TO_INFINITY || (f.overflow == PROPAGATE && is_infinite);
  return uint32_t(negative) << f.magnitude_bits() | uint32_t(to_infinity ? f.infinity_code : f.max_code);
}

inline uint32_t encode_special(const Format &f, uint8_t kind, bool negative) {
  if (f.ordered) {
    const Ordered &o = *f.ordered;
    if (kind == NOT_A_NUMBER || o.infinity_is_nan) return o.nan_code;
    return o.magnitudes[o.count - 1].code[negative];
  }
  if (kind == NOT_A_NUMBER) return uint32_t(f.nan_code);
  if (!f.is_float)
    return uint32_t(negative ? f.min_integer : f.max_integer) & ((uint64_t(1) << f.bits) - 1);
  return encode_beyond(f, negative, true);
}

inline bool rounds_up(int32_t rounding, bool negative, bool odd, bool round_bit, bool sticky) {
  switch (rounding) {
    case NEAREST_EVEN: return round_bit && (sticky || odd);
    case NEAREST_AWAY: return round_bit;
    case UP: return !negative && (round_bit || sticky);
    case DOWN: return negative && (round_bit || sticky);
    case TO_ODD: return !odd && (round_bit || sticky);
    default: return false;
  }
}

// Splits significand * 2**exponent (bit 63 set, jammed) at 2**grid_exponent, which is at least
// exponent + 1.
inline uint64_t split(uint64_t significand, int32_t exponent, int32_t grid_exponent,
                      bool &round_bit, bool &sticky) {
  const int64_t dropped = int64_t(grid_exponent) - exponent;
  if (dropped > 64) {
    round_bit = false, sticky = true;
    return 0;
  }
  round_bit = significand >> (dropped - 1) & 1;
  sticky = (significand & ((uint64_t(1) << (dropped - 1)) - 1)) != 0;
  return dropped == 64 ? 0 : significand >> dropped;
}

// Stochastic rounding of what lies below bit `dropped` of a jammed significand. At most 25 bits of it
// are looked at one by one, and `dropped` is at least 40.
inline bool rounds_up_randomly(const Format &f, uint64_t significand, int64_t dropped,
                               uint32_t random) {
  const auto bits_above = [&](int64_t at) { return at > 63 ? 0 : significand >> at; };
  const uint64_t below = dropped > 63 ? significand : significand & ((uint64_t(1) << dropped) - 1);
  significand = below;
  const int32_t bits = f.random_bits;
  const uint64_t one = uint64_t(1) << bits;
  if (f.rounding == STOCHASTIC_A) return bits_above(dropped - bits) + random >= one;
  const uint64_t longer = bits_above(dropped - bits - 1);  // one bit more
  if (f.rounding == STOCHASTIC_B) return longer + 2 * uint64_t(random) + 1 >= 2 * one;
  const bool sticky = dropped - bits - 1 > 63
                          ? below != 0
                          : (below & ((uint64_t(1) << (dropped - bits - 1)) - 1)) != 0;
  const uint64_t nearest = (longer >> 1) + ((longer & 1) && (sticky || (longer >> 1 & 1)));
  return nearest + random >= one;
}

// A value other than 0, bit 63 of its jammed significand set. Boundaries have few bits: the jammed
// number is on the same side of each as the true one.
inline uint32_t encode_ordered(const Ordered &o, bool negative, uint64_t significand,
                               int32_t exponent) {
  int32_t low = 0, high = o.count - 1;
  while (low < high) {
    const int32_t middle = (low + high) / 2;
    const Magnitude &m = o.magnitudes[middle];
    const bool at = exponent == m.exponent && significand == m.boundary;
    const bool above =
        exponent > m.exponent || (exponent == m.exponent && significand > m.boundary);
    if (above || (at && m.goes_up[negative])) low = middle + 1;
    else high = middle;
  }
  return o.magnitudes[low].code[negative];
}

// `keeps_finite`: a magnitude that is rounded down never leaves the finite range.
inline uint32_t encode(const Format &f, bool negative, uint64_t significand, int32_t exponent,
                       uint32_t random = 0, bool keeps_finite = true) {
  if (!significand) {
    if (f.ordered) return f.ordered->zero_code;
    if (f.is_float && !f.has_zero) return encode_beyond(f, true, false);
    return f.is_float && negative && f.has_negative_zero ? uint32_t(1) << (f.bits - 1) : 0;
  }
  const int shift = __builtin_clzll(significand);
  significand <<= shift, exponent -= shift;
  if (f.ordered) return encode_ordered(*f.ordered, negative, significand, exponent);
  const int32_t top = exponent + 63;
  bool round_bit, sticky;

  if (!f.is_float) {
    int64_t integer = int64_t(1) << 40;  // beyond every integer format
    if (f.wraps) {  // the significand is no jammed one here: all its bits are the value's
      const int64_t up = int64_t(exponent) - f.least_exponent;
      if (up >= 0) {
        integer = up > 63 ? 0 : int64_t(significand << up);
      } else {
        integer = int64_t(split(significand, exponent, f.least_exponent, round_bit, sticky));
        integer += rounds_up(f.rounding, negative, integer & 1, round_bit, sticky);
      }
      return uint32_t(negative ? -uint64_t(integer) : uint64_t(integer)) &
             ((uint64_t(1) << f.bits) - 1);
    }
    if (top - f.least_exponent < 40) {
      integer = int64_t(split(significand, exponent, f.least_exponent, round_bit, sticky));
      integer += rounds_up(f.rounding, negative, integer & 1, round_bit, sticky);
    }
    if (negative) integer = -integer;
    if (integer > f.max_integer) integer = f.max_integer;
    if (integer < f.min_integer) integer = f.min_integer;
    return uint32_t(integer) & ((uint64_t(1) << f.bits) - 1);
  }

  const int32_t min_normal_exponent = f.least_exponent + f.fraction_bits;
  const uint64_t hidden = uint64_t(1) << f.fraction_bits;
  int64_t code;
  bool is_gap = false;
  if (!f.has_zero) {  // all that is below the smallest number becomes it
    is_gap = top < min_normal_exponent;
    code = 0, round_bit = false, sticky = false;
  } else if (!f.has_subnormals) {
    // smallest number: fraction 1 of field 0, or field 1 where there is no fraction
    const uint64_t smallest = f.fraction_bits ? hidden + 1 : 2;
    const int smallest_shift = __builtin_clzll(smallest);
    const int32_t smallest_top = f.least_exponent + 63 - smallest_shift;
    const uint64_t smallest_normalised = smallest << smallest_shift;
    is_gap = top < smallest_top || (top == smallest_top && significand < smallest_normalised);
    if (is_gap) {  // between 0 and the smallest number, whose midpoint has the same significand
      const bool above = top > smallest_top - 1 ||
                         (top == smallest_top - 1 && significand > smallest_normalised);
      const bool tie = top == smallest_top - 1 && significand == smallest_normalised;
      round_bit = above || tie, sticky = !tie;
      code = 0;
    }
  }
  if (!is_gap) {
    const int32_t binade = top > min_normal_exponent ? top : min_normal_exponent;
    const int32_t grid_exponent = binade - f.fraction_bits;
    code = int64_t(split(significand, exponent, grid_exponent, round_bit, sticky));
    if (f.random_bits)
      code += rounds_up_randomly(f, significand, int64_t(grid_exponent) - exponent, random);
    code += int64_t(grid_exponent - f.least_exponent) << f.fraction_bits;
    if (!f.has_subnormals) code -= int64_t(hidden);
  }
  code += rounds_up(f.rounding, negative, code & 1, round_bit, sticky);
  if (negative && !f.is_signed) return code || !f.has_zero ? encode_beyond(f, true, false) : 0;
  const uint32_t sign = uint32_t(negative) << f.magnitude_bits();
  if (code <= f.max_code) {
    if (code == 0 && !f.has_negative_zero) return 0;
    return sign | uint32_t(code);
  }
  const bool stays_finite = f.rounding == TOWARD_ZERO || f.rounding == TO_ODD ||
                            (f.rounding == UP && negative) || (f.rounding == DOWN && !negative);
  if (stays_finite && keeps_finite) return sign | uint32_t(f.max_code);
  return encode_beyond(f, negative, false);
}

inline uint32_t encode(const Format &f, double value, uint32_t random = 0) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const bool negative = bits >> 63;
  const int32_t field = int32_t(bits >> 52 & 0x7ff);
  uint64_t significand = bits & ((uint64_t(1) << 52) - 1);
  if (field == 0x7ff) return encode_special(f, significand ? NOT_A_NUMBER : INFINITE, negative);
  if (field) significand += uint64_t(1) << 52;
  return encode(f, negative, significand, (field ? field : 1) - 1075, random);
}

inline double to_double(const Term &t) {
  if (t.kind == NOT_A_NUMBER) return __builtin_nan("");
  double magnitude =
      t.kind == INFINITE ? __builtin_inf() : __builtin_ldexp(double(t.significand), t.exponent);
  return t.negative ? -magnitude : magnitude;
}

// NaN times anything, and infinity times zero, is NaN.
inline Term product(const Term &a, const Term &b, bool has_integer_operand) {
  if (__builtin_expect(a.kind | b.kind, 0)) {
    if (a.kind == NOT_A_NUMBER || b.kind == NOT_A_NUMBER) return {0, 0, 0, NOT_A_NUMBER};
    if ((a.kind == FINITE && !a.significand) || (b.kind == FINITE && !b.significand))
      return {0, 0, 0, NOT_A_NUMBER};
    return {0, 0, uint8_t(a.negative ^ b.negative), INFINITE};
  }
  Term t{a.significand * b.significand, a.exponent + b.exponent,
         uint8_t(a.negative ^ b.negative), FINITE};
  if (!t.significand && has_integer_operand) t.negative = 0;
  return t;
}

// Two's-complement integer of N words, least significant first.
template <int N>
struct Wide {
  uint64_t word[N];

  void clear() { std::memset(word, 0, sizeof word); }
  bool is_negative() const { return word[N - 1] >> 63; }

  // Adds +-significand * 2**shift; bits beyond the top fall off (arithmetic modulo 2**(64 N)).
  void add(uint64_t significand, bool negative, int32_t shift) {
    const int at = shift >> 6, bit = shift & 63;
    const uint64_t low = significand << bit;
    const uint64_t high = bit ? significand >> (64 - bit) : 0;
    uint64_t carry = 0;
    if (at >= N) return;
    if (negative) {
      word[at] = subtract_borrow(word[at], low, carry);
      if (at + 1 < N) word[at + 1] = subtract_borrow(word[at + 1], high, carry);
      for (int i = at + 2; carry && i < N; ++i) word[i] = subtract_borrow(word[i], 0, carry);
    } else {
      word[at] = add_carry(word[at], low, carry);
      if (at + 1 < N) word[at + 1] = add_carry(word[at + 1], high, carry);
      for (int i = at + 2; carry && i < N; ++i) word[i] = add_carry(word[i], 0, carry);
    }
  }

  void add(const Wide &other) {
    uint64_t carry = 0;
    for (int i = 0; i < N; ++i) word[i] = add_carry(word[i], other.word[i], carry);
  }

  void negate() {
    uint64_t carry = 1;
    for (int i = 0; i < N; ++i) word[i] = add_carry(~word[i], 0, carry);
  }

  // Keeps the low `bits` bits, as a signed number.
  void wrap(int32_t bits) {
    const int at = (bits - 1) >> 6, bit = (bits - 1) & 63;
    if (at >= N) return;
    const uint64_t fill = word[at] >> bit & 1 ? ~uint64_t(0) : 0;
    const uint64_t above = bit == 63 ? 0 : ~uint64_t(0) << (bit + 1);
    word[at] = (word[at] & ~above) | (fill & above);
    for (int i = at + 1; i < N; ++i) word[i] = fill;
  }

  // Saturates at the range of a signed number of `bits` bits.
  void clip(int32_t bits) {
    Wide wrapped = *this;
    wrapped.wrap(bits);
    if (!std::memcmp(word, wrapped.word, sizeof word)) return;
    const bool negative = is_negative();
    for (int i = 0; i < N; ++i) word[i] = ~uint64_t(0);
    const int at = (bits - 1) >> 6, bit = (bits - 1) & 63;
    // the largest number is 0 at bit `bits - 1` and above, 1 below; the least is its complement
    for (int i = at; i < N; ++i) word[i] = i > at ? 0 : (uint64_t(1) << bit) - 1;
    if (negative)
      for (int i = 0; i < N; ++i) word[i] = ~word[i];
  }

  // Magnitude as a normalised, jammed significand; false if it is zero.
  bool normalise(uint64_t &significand, int32_t &exponent, bool &negative) const {
    Wide magnitude = *this;
    negative = is_negative();
    if (negative) magnitude.negate();
    int top = N - 1;
    while (top >= 0 && !magnitude.word[top]) --top;
    if (top < 0) return false;
    const int shift = __builtin_clzll(magnitude.word[top]);
    significand = magnitude.word[top] << shift;
    exponent = 64 * top - shift;
    bool rest = false;
    if (top > 0) {
      if (shift) {
        significand |= magnitude.word[top - 1] >> (64 - shift);
        rest = magnitude.word[top - 1] << shift;
      } else {
        rest = magnitude.word[top - 1];
      }
      for (int i = top - 2; i >= 0 && !rest; --i) rest = magnitude.word[i];
    }
    significand |= uint64_t(rest);
    return true;
  }

 private:
  static uint64_t add_carry(uint64_t a, uint64_t b, uint64_t &carry) {
    const unsigned __int128 sum = (unsigned __int128)a + b + carry;
    carry = uint64_t(sum >> 64);
    return uint64_t(sum);
  }
  static uint64_t subtract_borrow(uint64_t a, uint64_t b, uint64_t &borrow) {
    const unsigned __int128 difference = (unsigned __int128)a - b - borrow;
    borrow = uint64_t(difference >> 64) & 1;
    return uint64_t(difference);
  }
};

}  // namespace macsmith
