/* Multiply-add of small floating-point formats one value at a time, written plainly, as a software
 * library has it: unpack, exact product, align, add, round to nearest even, pack. For comparison
 * only (benchmarks/bitslice.py), which checks it against the golden model first.
 *
 * Formats with an infinity and NaNs in the top binade (IEEE 754), subnormal numbers included, of up
 * to 5 exponent and 10 fraction bits. E and F: exponent and fraction bits; C: y = a * b + c.
 */
#include <stdint.h>

typedef struct {
  int exponent_bits, fraction_bits;
} scalar_format;

static inline uint32_t scalar_pack(scalar_format f, uint32_t sign, int exponent, uint64_t magnitude) {
  /* value is magnitude * 2^exponent, the lowest bit sticky; magnitude not 0 */
  const int bias = (1 << (f.exponent_bits - 1)) - 1, least = 1 - bias - f.fraction_bits;
  const uint32_t top = ((1u << f.exponent_bits) - 1) << f.fraction_bits;
  const int length = 64 - __builtin_clzll(magnitude);
  int last = exponent + length - 1 - f.fraction_bits; /* weight of the last bit kept */
  uint64_t kept;
  uint32_t code;
  if (last < least) last = least;
  if (last <= exponent) {
    kept = magnitude << (exponent - last);
  } else {
    const int shift = last - exponent;
    if (shift > 62) {
      kept = 0;
    } else {
      const uint64_t half = UINT64_C(1) << (shift - 1), rest = magnitude & (2 * half - 1);
      kept = magnitude >> shift;
      if (rest > half || (rest == half && (kept & 1))) ++kept;
    }
  }
  /* a carry out of the fraction raises the exponent by itself */
  code = kept >> f.fraction_bits
             ? (uint32_t)(((uint64_t)(last - least) << f.fraction_bits) + kept)
             : (uint32_t)kept;
  if (code >= top) code = top;
  return sign << (f.exponent_bits + f.fraction_bits) | code;
}

static inline uint32_t scalar_fma(scalar_format in, scalar_format out, uint32_t a, uint32_t b,
                                  uint32_t c) {
  const int in_bias = (1 << (in.exponent_bits - 1)) - 1, out_bias = (1 << (out.exponent_bits - 1)) - 1;
  const int in_top = (1 << in.exponent_bits) - 1, out_top = (1 << out.exponent_bits) - 1;
  const uint32_t in_mask = (1u << in.fraction_bits) - 1, out_mask = (1u << out.fraction_bits) - 1;
  const int ea = (int)(a >> in.fraction_bits) & in_top, eb = (int)(b >> in.fraction_bits) & in_top;
  const int ec = (int)(c >> out.fraction_bits) & out_top;
  const uint32_t fa = a & in_mask, fb = b & in_mask, fc = c & out_mask;
  const uint32_t sp = (a ^ b) >> (in.exponent_bits + in.fraction_bits) & 1;
  const uint32_t sc = c >> (out.exponent_bits + out.fraction_bits) & 1;
  const uint32_t infinity = (uint32_t)out_top << out.fraction_bits;
  const uint32_t nan = infinity | 1u << (out.fraction_bits - 1);
  const uint32_t sign_place = (uint32_t)(out.exponent_bits + out.fraction_bits);
  uint64_t p, q;
  int xp, xc;
  if (ea == in_top || eb == in_top || ec == out_top) {
    const int a_is_zero = ea == 0 && fa == 0, b_is_zero = eb == 0 && fb == 0;
    if ((ea == in_top && fa) || (eb == in_top && fb) || (ec == out_top && fc)) return nan;
    if ((ea == in_top && b_is_zero) || (eb == in_top && a_is_zero)) return nan;
    if (ea == in_top || eb == in_top) {
      if (ec == out_top && sc != sp) return nan;
      return sp << sign_place | infinity;
    }
    return c;
  }
  p = (uint64_t)(fa | (uint32_t)(ea != 0) << in.fraction_bits) *
      (fb | (uint32_t)(eb != 0) << in.fraction_bits);
  xp = (ea ? ea : 1) + (eb ? eb : 1) - 2 * in_bias - 2 * in.fraction_bits;
  q = fc | (uint32_t)(ec != 0) << out.fraction_bits;
  xc = (ec ? ec : 1) - out_bias - out.fraction_bits;
  if (p == 0) return q == 0 ? (sp & sc) << sign_place : c;
  if (q == 0) return scalar_pack(out, sp, xp - 1, p << 1);
  {
    /* the larger leading bit goes to bit 60; what leaves the other one below is sticky */
    const int shift_p = __builtin_clzll(p) - 3, shift_c = __builtin_clzll(q) - 3;
    int distance;
    uint64_t sum;
    uint32_t sign;
    p <<= shift_p, xp -= shift_p;
    q <<= shift_c, xc -= shift_c;
    distance = xp - xc;
    if (distance > 0) {
      q = distance > 62 ? 1 : q >> distance | ((q & ((UINT64_C(1) << distance) - 1)) != 0);
    } else if (distance < 0) {
      p = -distance > 62 ? 1 : p >> -distance | ((p & ((UINT64_C(1) << -distance) - 1)) != 0);
      xp = xc;
    }
    if (sp == sc) {
      sum = p + q, sign = sp;
    } else if (p >= q) {
      sum = p - q, sign = sp;
    } else {
      sum = q - p, sign = sc;
    }
    if (sum == 0) return 0;
    return scalar_pack(out, sign, xp, sum);
  }
}
