/* Words, packing and unpacking for the bit-sliced operators that `macsmith bitslice` writes.
 *
 * A word holds one bit of each of MS_LANES independent values; a value of n bits is n words, least
 * significant bit first. The width of a word is chosen before this file is included:
 *
 *   (nothing)            uint64_t, 64 lanes, any C99 compiler
 *   MACSMITH_AVX2        __m256i, 256 lanes (compile with -mavx2)
 *   MACSMITH_AVX512      __m512i, 512 lanes (compile with -mavx512f)
 */
#ifndef MACSMITH_BITSLICE_H
#define MACSMITH_BITSLICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(MACSMITH_AVX512)
#include <immintrin.h>
typedef __m512i ms_word;
#define MS_LANES 512
#define MS_AND(a, b) _mm512_and_si512(a, b)
#define MS_OR(a, b) _mm512_or_si512(a, b)
#define MS_XOR(a, b) _mm512_xor_si512(a, b)
#define MS_ANDNOT(a, b) _mm512_andnot_si512(b, a) /* a & ~b */
#define MS_ZERO _mm512_setzero_si512()
#define MS_ONES _mm512_set1_epi32(-1)
#define MS_LOAD(from) _mm512_loadu_si512((const void *)(from))
#define MS_STORE(to, a) _mm512_storeu_si512((void *)(to), a)
/* any function of three bits: bit 4a + 2b + c of `table` */
#define MS_TABLE(a, b, c, table) _mm512_ternarylogic_epi64(a, b, c, table)
#elif defined(MACSMITH_AVX2)
#include <immintrin.h>
typedef __m256i ms_word;
#define MS_LANES 256
#define MS_AND(a, b) _mm256_and_si256(a, b)
#define MS_OR(a, b) _mm256_or_si256(a, b)
#define MS_XOR(a, b) _mm256_xor_si256(a, b)
#define MS_ANDNOT(a, b) _mm256_andnot_si256(b, a)
#define MS_ZERO _mm256_setzero_si256()
#define MS_ONES _mm256_set1_epi32(-1)
#define MS_LOAD(from) _mm256_loadu_si256((const __m256i *)(from))
#define MS_STORE(to, a) _mm256_storeu_si256((__m256i *)(to), a)
#else
typedef uint64_t ms_word;
#define MS_LANES 64
#define MS_AND(a, b) ((a) & (b))
#define MS_OR(a, b) ((a) | (b))
#define MS_XOR(a, b) ((a) ^ (b))
#define MS_ANDNOT(a, b) ((a) & ~(b))
#define MS_ZERO UINT64_C(0)
#define MS_ONES (~UINT64_C(0))
#define MS_LOAD(from) (*(const uint64_t *)(from))
#define MS_STORE(to, a) (*(uint64_t *)(to) = (a))
#endif

#define MS_PARTS (MS_LANES / 64)

/* Transpose of an 8 x 8 bit matrix, a row in each byte (Warren, Hacker's Delight, 7-3). */
static inline uint64_t ms_transpose8(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & UINT64_C(0x00AA00AA00AA00AA);
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & UINT64_C(0x0000CCCC0000CCCC);
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & UINT64_C(0x00000000F0F0F0F0);
  return x ^ t ^ (t << 28);
}

/* The bits of MS_LANES values into `bits` words. A value is `bytes` bytes, least significant first;
 * with count < MS_LANES the other lanes are 0. */
static inline void ms_pack(const void *values, size_t count, unsigned bytes, unsigned bits,
                           ms_word *words) {
  const uint8_t *from = (const uint8_t *)values;
  unsigned at, part, group, k;
  for (at = 0; 8 * at < bits; ++at) {
    const unsigned width = bits - 8 * at < 8 ? bits - 8 * at : 8;
    uint64_t planes[8][MS_PARTS];
    for (part = 0; part < MS_PARTS; ++part) {
      uint64_t plane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
      for (group = 0; group < 8; ++group) {
        const size_t first = 64 * (size_t)part + 8 * group;
        uint64_t rows = 0;
        if (first + 8 <= count) {
          const uint8_t *p = from + first * bytes + at;
          rows = (uint64_t)p[0] | (uint64_t)p[bytes] << 8 | (uint64_t)p[2 * bytes] << 16 |
                 (uint64_t)p[3 * bytes] << 24 | (uint64_t)p[4 * bytes] << 32 |
                 (uint64_t)p[5 * bytes] << 40 | (uint64_t)p[6 * bytes] << 48 |
                 (uint64_t)p[7 * bytes] << 56;
        } else {
          for (k = 0; k < 8 && first + k < count; ++k)
            rows |= (uint64_t)from[(first + k) * bytes + at] << 8 * k;
        }
        rows = ms_transpose8(rows);
        for (k = 0; k < 8; ++k) plane[k] |= (rows >> 8 * k & 255) << 8 * group;
      }
      for (k = 0; k < 8; ++k) planes[k][part] = plane[k];
    }
    for (k = 0; k < width; ++k) words[8 * at + k] = MS_LOAD(planes[k]);
  }
}

/* The values of MS_LANES lanes, of which the first `count` are written; unused bits are 0. */
static inline void ms_unpack(const ms_word *words, unsigned bits, unsigned bytes, size_t count,
                             void *values) {
  uint8_t *to = (uint8_t *)values;
  unsigned at, part, group, k;
  for (at = 0; at < bytes; ++at) {
    uint64_t planes[8][MS_PARTS];
    for (k = 0; k < 8; ++k) {
      if (8 * at + k < bits)
        MS_STORE(planes[k], words[8 * at + k]);
      else
        memset(planes[k], 0, sizeof planes[k]);
    }
    for (part = 0; part < MS_PARTS; ++part) {
      for (group = 0; group < 8; ++group) {
        const size_t first = 64 * (size_t)part + 8 * group;
        uint64_t rows = 0;
        for (k = 0; k < 8; ++k) rows |= (planes[k][part] >> 8 * group & 255) << 8 * k;
        rows = ms_transpose8(rows);
        for (k = 0; k < 8 && first + k < count; ++k)
          to[(first + k) * bytes + at] = (uint8_t)(rows >> 8 * k);
      }
    }
  }
}

#endif
