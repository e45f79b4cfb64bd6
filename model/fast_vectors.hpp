// Vectors of floats and of doubles, and additions that are rounded in a stated direction.
//
// AVX-512 states a direction in each instruction. Without it the same is made of additions to
// nearest and of their errors (Knuth's TwoSum, exact): slower, with the same bits.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "fast_formats.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace macsmith {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64;
constexpr bool HAS_DIRECTED = true;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32;
constexpr bool HAS_DIRECTED = false;
#else
constexpr int VECTOR_BYTES = 16;
constexpr bool HAS_DIRECTED = false;
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
template <class T>
using VectorOf = typename Lanes<T>::V;
template <class T>
using WordsOf = typename Lanes<T>::W;

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

// v | (from & mask), in one instruction where there is one.
template <class W, class I>
inline W or_masked(W v, W from, I mask) {
#if defined(__AVX512F__)
  const W all = mask - W{};
  return (W)_mm512_ternarylogic_epi64((__m512i)v, (__m512i)from, (__m512i)all, 0xf8);
#else
  return v | (from & mask);
#endif
}

// x + y, and what rounding to nearest took away from it: NaN where the sum is infinite or NaN.
template <class T>
inline VectorOf<T> add_two(VectorOf<T> x, VectorOf<T> y, VectorOf<T> &error) {
  using V = VectorOf<T>;
  const V s = x + y;
  const V y_part = s - x;
  error = (x - (s - y_part)) + (y - y_part);
  return s;
}

#if defined(__AVX512F__)

template <int MODE>
constexpr int DIRECTION = _MM_FROUND_NO_EXC | (MODE == TOWARD_ZERO ? _MM_FROUND_TO_ZERO
                                               : MODE == UP        ? _MM_FROUND_TO_POS_INF
                                               : MODE == DOWN      ? _MM_FROUND_TO_NEG_INF
                                                                   : _MM_FROUND_TO_NEAREST_INT);

// x + y rounded as `MODE` says, one of NEAREST_EVEN, TOWARD_ZERO, UP and DOWN; a zero sum as IEEE 754.
template <class T, int MODE>
inline VectorOf<T> add_toward(VectorOf<T> x, VectorOf<T> y) {
  if constexpr (sizeof(T) == 4)
    return (VectorOf<T>)_mm512_add_round_ps((__m512)x, (__m512)y, DIRECTION<MODE>);
  else return (VectorOf<T>)_mm512_add_round_pd((__m512d)x, (__m512d)y, DIRECTION<MODE>);
}

// a * b + c, rounded once.
template <int MODE>
inline Lanes<float>::V multiply_add(Lanes<float>::V a, Lanes<float>::V b, Lanes<float>::V c) {
  return (Lanes<float>::V)_mm512_fmadd_round_ps((__m512)a, (__m512)b, (__m512)c, DIRECTION<MODE>);
}

// c - a * b, rounded once.
template <class T>
inline VectorOf<T> multiply_subtract(VectorOf<T> c, VectorOf<T> a, VectorOf<T> b) {
  if constexpr (sizeof(T) == 4)
    return (VectorOf<T>)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
  else return (VectorOf<T>)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
template <class T>
inline VectorOf<T> multiply_subtract(VectorOf<T> c, VectorOf<T> a, T b) {
  return multiply_subtract<T>(c, a, b - VectorOf<T>{});
}

// `v`, its last bit set where low and high differ and neither is NaN.
inline Lanes<float>::V set_odd_where_less(Lanes<float>::V v, Lanes<float>::V low,
                                          Lanes<float>::V high) {
  const __mmask16 less = _mm512_cmp_ps_mask((__m512)low, (__m512)high, _CMP_LT_OQ);
  const __m512i bits = (__m512i)v;
  return (Lanes<float>::V)_mm512_mask_or_epi32(bits, less, bits, _mm512_set1_epi32(1));
}
inline Lanes<double>::V set_odd_where_less(Lanes<double>::V v, Lanes<double>::V low,
                                           Lanes<double>::V high) {
  const __mmask8 less = _mm512_cmp_pd_mask((__m512d)low, (__m512d)high, _CMP_LT_OQ);
  const __m512i bits = (__m512i)v;
  return (Lanes<double>::V)_mm512_mask_or_epi64(bits, less, bits, _mm512_set1_epi64(1));
}

inline bool is_any_less(Lanes<float>::V low, Lanes<float>::V high) {
  return _mm512_cmp_ps_mask((__m512)low, (__m512)high, _CMP_LT_OQ) != 0;
}
inline bool is_any_less(Lanes<double>::W low, Lanes<double>::W high) {
  return _mm512_cmplt_epi64_mask((__m512i)low, (__m512i)high) != 0;
}
inline bool is_any_less(Lanes<double>::V low, Lanes<double>::V high) {
  return _mm512_cmp_pd_mask((__m512d)low, (__m512d)high, _CMP_LT_OQ) != 0;
}

// x + y rounded to odd: if inexact, to the neighbour whose last bit is 1.
template <class T>
inline VectorOf<T> add_to_odd(VectorOf<T> x, VectorOf<T> y) {
  return set_odd_where_less(add_toward<T, TOWARD_ZERO>(x, y), add_toward<T, DOWN>(x, y),
                            add_toward<T, UP>(x, y));
}

#else

// Declared for code that HAS_DIRECTED leaves out.
template <class T, int MODE>
VectorOf<T> add_toward(VectorOf<T> x, VectorOf<T> y);
template <int MODE>
Lanes<float>::V multiply_add(Lanes<float>::V a, Lanes<float>::V b, Lanes<float>::V c);
template <class V>
V set_odd_where_less(V v, V low, V high);

template <class T>
inline VectorOf<T> multiply_subtract(VectorOf<T> c, VectorOf<T> a, T b) {
  for (size_t i = 0; i < VECTOR_BYTES / sizeof(T); ++i) c[i] = std::fma(-a[i], b, c[i]);
  return c;
}

template <class V>
inline bool is_any_less(V low, V high) {
  const auto less = low < high;
  bool any = false;
  for (size_t i = 0; i < sizeof(V) / sizeof(low[0]); ++i) any |= less[i] != 0;
  return any;
}

template <class T>
inline VectorOf<T> add_to_odd(VectorOf<T> x, VectorOf<T> y) {
  using V = VectorOf<T>;
  using W = WordsOf<T>;
  V error;
  const V s = add_two<T>(x, y, error);
  // where the sum is infinite or NaN, `error` is NaN and compares false
  const W is_inexact = (W)(error > 0) | (W)(error < 0);
  const W bits = (W)s;
  const W toward = (((W)error ^ bits) >> (8 * sizeof(T) - 1)) | 1;  // +1: away from zero
  const W is_even = ~-(bits & 1);
  return (V)(bits + (toward & is_even & is_inexact));
}

#endif

}  // namespace macsmith
