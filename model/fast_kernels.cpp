// The compiled golden model: conversions, and the general path of sums of products.
//
// The general path is right for every configuration: a step's exact sum is formed in a wide integer
// (of as many 64-bit words as the widest sum needs) and rounded once. The tiles of fast_tiles.hpp
// are for configurations in which floating-point hardware provably gives the same bits.
//
// Compiled on first use by fast_library.py; every function here is called through ctypes on arrays
// whose sizes Python has checked.

#include "fast_aligned.hpp"
#include "fast_blocks.hpp"
#include "fast_convert.hpp"
#include "fast_formats.hpp"
#include "fast_output.hpp"
#include "fast_tile_matmul.hpp"

#include <type_traits>
#include <vector>

namespace macsmith {

// Mirrors `AlignedStruct` of fast_structs.py: terms of a step aligned to the largest exponent.
struct Aligned {
  int32_t is_aligned;
  int32_t fraction_bits;
  int32_t kept_bits;
  int32_t min_exponent;  // least int32_t where there is none
  int32_t is_late;
  int32_t rounds_terms;
  int32_t product_fraction_bits;  // below the point of a product's significand
};

// Mirrors `SumStruct` of fast_structs.py: one simple accumulator.
struct SumLayout {
  Format format;
  int32_t is_fixed;
  int32_t lsb_exponent;  // fixed: unit of the register; float: unit of the exact sum
  int32_t integer_bits;
  int32_t flag_bits;
  int32_t clips;
  int32_t bits;
  Aligned aligned;
};

// Mirrors `MacStruct` of fast_structs.py.
struct Mac {
  Format a, b, product, output;
  SumLayout inner, outer;
  int32_t has_product_format;
  int32_t has_integer_operand;
  int32_t lanes;
  int32_t chunk_length;  // 0: not chunked
  int32_t is_raw_output;
  int32_t rounding;
  int32_t partial_sum_words;
  int32_t result_words;
  Format scales[2];  // of blocks, the first `scale_count` of them
  int32_t scale_count;
  int32_t is_block_a_step;  // then nothing of the inner sum is kept between steps
  int32_t inner_state_bits;
};

template <int N>
struct Sum {
  Wide<N> integer;  // fixed only
  uint32_t flags;   // fixed only
  uint32_t code;    // float only

  void clear() { integer.clear(), flags = 0, code = 0; }
};

inline uint32_t flags_of(const SumLayout &s, const Term &t) {
  if (s.flag_bits == 1 || t.kind == NOT_A_NUMBER) return (1u << s.flag_bits) - 1;
  return t.negative ? 2u : 1u;
}

// Adds a finite term in units of 2**lsb_exponent, of which its value is a multiple (its significand
// may have zeros below).
template <int N>
void add_term(Wide<N> &sum, const Term &t, int32_t lsb_exponent) {
  const int32_t shift = t.exponent - lsb_exponent;
  if (!t.significand) return;
  if (shift >= 0) sum.add(t.significand, t.negative, shift);
  else sum.add(t.significand >> -shift, t.negative, 0);
}

// Exact sum of finite terms, or the special that they add up to.
template <int N>
struct ExactSum {
  Wide<N> total;
  int32_t lsb_exponent;
  bool has_nan = false, has_positive_infinity = false, has_negative_infinity = false;
  bool all_zero = true, has_positive = false, has_negative = false;

  explicit ExactSum(int32_t lsb) : lsb_exponent(lsb) { total.clear(); }

  void add(const Term &t) {
    if (__builtin_expect(t.kind != FINITE, 0)) {
      if (t.kind == NOT_A_NUMBER) has_nan = true;
      else if (t.negative) has_negative_infinity = true;
      else has_positive_infinity = true;
      return;
    }
    (t.negative ? has_negative : has_positive) = true;
    if (!t.significand) return;
    all_zero = false;
    add_term(total, t, lsb_exponent);
  }

  uint32_t round(const Format &f, int32_t rounding, uint32_t random) const {
    if (has_nan || (has_positive_infinity && has_negative_infinity))
      return encode_special(f, NOT_A_NUMBER, false);
    if (has_positive_infinity || has_negative_infinity)
      return encode_special(f, INFINITE, has_negative_infinity);
    uint64_t significand = 0;
    int32_t exponent = 0;
    bool negative = false;
    if (!total.normalise(significand, exponent, negative))
      // IEEE 754-2019, 6.3: zeros of one sign keep it; otherwise +0, or -0 rounding down
      negative = all_zero && has_positive != has_negative ? has_negative : rounding == DOWN;
    return encode(f, negative, significand, exponent + lsb_exponent, random);
  }
};

// Sum of finite terms of which each keeps its bits down to fraction_bits below the largest exponent.
// A term's significand lies below 4, so the sum of 65 needs fraction_bits + 10 bits.
struct AlignedSum {
  const Aligned &aligned;
  Wide<2> total;
  int32_t exponent;

  AlignedSum(const Aligned &a) : aligned(a), exponent(a.min_exponent) { total.clear(); }

  void include(const Term &t, int32_t fraction_bits) {
    if (t.significand && t.exponent + fraction_bits > exponent)
      exponent = t.exponent + fraction_bits;
  }
  int32_t unit() const { return exponent - aligned.fraction_bits; }

  // after all terms were included
  void add(const Term &t) {
    if (!t.significand) return;
    const int64_t shift = int64_t(t.exponent) - unit();
    if (shift >= 0) return total.add(t.significand, t.negative, int32_t(shift));
    uint64_t kept = shift > -64 ? t.significand >> -shift : 0;
    if (aligned.rounds_terms) {
      bool round_bit, sticky;
      split(t.significand, 0, int32_t(-shift), round_bit, sticky);
      kept += rounds_up(NEAREST_EVEN, t.negative, kept & 1, round_bit, sticky);
    }
    total.add(kept, t.negative, 0);
  }

  // Rounded to kept_bits; overflow follows its policy in every rounding.
  uint32_t round(const Format &f) const {
    uint64_t significand = 0;
    int32_t at = 0;
    bool negative = false;
    if (!total.normalise(significand, at, negative)) return 0;
    at += unit();
    if (aligned.kept_bits < f.fraction_bits) {
      const int32_t least = f.least_exponent + f.fraction_bits;  // the smallest binade
      const int32_t grid = (at + 63 > least ? at + 63 : least) - aligned.kept_bits;
      if (grid > at) {
        bool round_bit, sticky;
        significand = split(significand, at, grid, round_bit, sticky);
        significand += rounds_up(f.rounding, negative, significand & 1, round_bit, sticky);
        at = grid;
      }
      if (!significand)
        return negative && f.has_negative_zero ? uint32_t(1) << (f.bits - 1) : 0;
    }
    return encode(f, negative, significand, at, 0, false);
  }
};

template <int N>
void accumulate_aligned(const Mac &mac, const SumLayout &s, Sum<N> &sum, const Term *terms,
                        int count) {
  const Term before = decode(s.format, sum.code);
  ExactSum<2> specials(0);  // finite terms are not added: they do not matter beside a special one
  bool has_special = false;
  const auto look = [&](const Term &t) {
    if (t.kind == FINITE) return;
    has_special = true;
    specials.add(t);
  };
  for (int i = 0; i < count; ++i) look(terms[i]);
  if (!s.aligned.is_late) look(before);
  uint32_t code;
  if (has_special) {
    code = specials.round(s.format, mac.rounding, 0);
  } else {
    AlignedSum aligned(s.aligned);
    const int32_t below = s.aligned.product_fraction_bits;
    for (int i = 0; i < count; ++i) aligned.include(terms[i], below);
    if (!s.aligned.is_late) aligned.include(before, s.format.fraction_bits);
    for (int i = 0; i < count; ++i) aligned.add(terms[i]);
    if (!s.aligned.is_late) aligned.add(before);
    code = aligned.round(s.format);
  }
  if (s.aligned.is_late) {
    Format nearest = s.format;
    nearest.rounding = NEAREST_EVEN;
    ExactSum<N> exact(s.lsb_exponent);
    exact.add(before);
    exact.add(decode(s.format, code));
    code = exact.round(nearest, NEAREST_EVEN, 0);
  }
  sum.code = code;
}

template <int N>
void accumulate(const Mac &mac, const SumLayout &s, Sum<N> &sum, const Term *terms, int count,
                uint64_t random) {
  if (s.aligned.is_aligned) return accumulate_aligned(mac, s, sum, terms, count);
  if (!s.is_fixed) {
    ExactSum<N> exact(s.lsb_exponent);
    exact.add(decode(s.format, sum.code));
    for (int i = 0; i < count; ++i) exact.add(terms[i]);
    random &= (uint64_t(1) << s.format.random_bits) - 1;
    sum.code = exact.round(s.format, s.format.rounding, uint32_t(random));
    return;
  }
  for (int i = 0; i < count; ++i) {
    const Term &t = terms[i];
    if (t.kind != FINITE) sum.flags |= flags_of(s, t);
    else add_term(sum.integer, t, s.lsb_exponent);
  }
  if (s.clips) sum.integer.clip(s.integer_bits);
  else sum.integer.wrap(s.integer_bits);
}

// Rounds the value of a partial sum to a format.
template <int N>
uint32_t round_sum(const SumLayout &s, const Sum<N> &sum, const Format &f) {
  if (!s.is_fixed) {
    const Term t = decode(s.format, sum.code);
    if (t.kind != FINITE) return encode_special(f, t.kind, t.negative);
    return encode(f, t.negative, t.significand, t.exponent);
  }
  if (sum.flags) {
    if (sum.flags == (1u << s.flag_bits) - 1) return encode_special(f, NOT_A_NUMBER, false);
    return encode_special(f, INFINITE, sum.flags == 2);
  }
  uint64_t significand = 0;
  int32_t exponent = 0;
  bool negative = false;
  sum.integer.normalise(significand, exponent, negative);
  return encode(f, negative && significand, significand, exponent + s.lsb_exponent);
}

template <int N>
void end_chunk(const Mac &mac, Sum<N> &inner, Sum<N> &outer, uint64_t random) {
  if (!mac.outer.is_fixed) {
    Format format = mac.outer.format;  // only the addition is rounded at random
    format.rounding = mac.inner.aligned.is_aligned ? int32_t(NEAREST_EVEN) : mac.rounding;
    format.random_bits = 0;
    const Term t = decode(format, round_sum(mac.inner, inner, format));
    accumulate(mac, mac.outer, outer, &t, 1, random);
  } else if (!mac.inner.is_fixed) {
    const Term t = decode(mac.inner.format, inner.code);
    accumulate(mac, mac.outer, outer, &t, 1, random);
  } else {
    // both fixed: the same unit, by the derivation of widths.py
    if (inner.flags) {
      const bool is_nan = inner.flags == (1u << mac.inner.flag_bits) - 1;
      const Term t{0, 0, uint8_t(inner.flags == 2), is_nan ? NOT_A_NUMBER : INFINITE};
      accumulate(mac, mac.outer, outer, &t, 1, random);
    } else {
      outer.integer.add(inner.integer);
      accumulate(mac, mac.outer, outer, nullptr, 0, random);
    }
  }
  inner.clear();
}

// The scales of a block as one number; `significand` has 32 bits at most.
struct Factor {
  uint64_t significand = 1;
  int32_t exponent = 0;
  bool is_nan = false;

  void times(const Format &f, uint32_t code) {
    const Term t = decode(f, code);
    is_nan |= t.kind != FINITE;
    significand *= t.significand;
    exponent += t.exponent;
  }
  Factor times(const Factor &other) const {
    Factor both;
    both.significand = significand * other.significand;
    both.exponent = exponent + other.exponent;
    both.is_nan = is_nan || other.is_nan;
    return both;
  }
};

// Adds the sum of a block times its scales to the outer sum, which rounds once.
template <int N>
void end_block(const Mac &mac, Sum<N> &inner, Sum<N> &outer, const Factor &factor) {
  Term terms[2 * N];
  int count = 0;
  if (factor.is_nan || inner.flags) {
    const bool is_nan = factor.is_nan || !factor.significand ||
                        inner.flags == (1u << mac.inner.flag_bits) - 1;
    terms[count++] = Term{0, 0, uint8_t(!is_nan && inner.flags == 2), is_nan ? NOT_A_NUMBER : INFINITE};
  } else {
    Wide<N> magnitude = inner.integer;
    const bool negative = magnitude.is_negative();
    if (negative) magnitude.negate();
    const int32_t exponent = mac.inner.lsb_exponent + factor.exponent;
    for (int32_t at = 0; at < mac.inner.integer_bits; at += 32) {
      const uint64_t limb = magnitude.word[at / 64] >> at % 64 & 0xffffffffu;
      const uint64_t significand = limb * factor.significand;
      if (significand) terms[count++] = Term{significand, exponent + at, uint8_t(negative), FINITE};
    }
    if (!count) terms[count++] = Term{0, 0, 0, FINITE};  // a fixed-point sum has one zero
  }
  accumulate(mac, mac.outer, outer, terms, count, 0);
  inner.clear();
}

template <int N>
void step(const Mac &mac, Sum<N> &inner, Sum<N> &outer, const Term *a, const Term *b,
          bool chunk_end, uint64_t random, const Factor &factor) {
  Term terms[64];
  for (int lane = 0; lane < mac.lanes; ++lane) {
    Term t = product(a[lane], b[lane], mac.has_integer_operand);
    if (mac.has_product_format)
      t = decode(mac.product, t.kind == FINITE
                                  ? encode(mac.product, t.negative, t.significand, t.exponent)
                                  : encode_special(mac.product, t.kind, t.negative));
    terms[lane] = t;
  }
  accumulate(mac, mac.inner, inner, terms, mac.lanes, random);
  if (mac.scale_count) {
    if (chunk_end || mac.is_block_a_step) end_block(mac, inner, outer, factor);
  } else if (chunk_end && mac.chunk_length)
    end_chunk(mac, inner, outer, random >> mac.inner.format.random_bits);
}

// Bit fields of multi-word numbers, least significant word first.
inline void put_bits(uint64_t *words, int32_t at, const uint64_t *bits, int32_t count) {
  for (int32_t done = 0; done < count; done += 64) {
    const int32_t left = count - done < 64 ? count - done : 64;
    const uint64_t piece =
        left == 64 ? bits[done / 64] : bits[done / 64] & ((uint64_t(1) << left) - 1);
    const int32_t to = at + done;
    words[to / 64] |= piece << (to % 64);
    if (to % 64 && to % 64 + left > 64) words[to / 64 + 1] |= piece >> (64 - to % 64);
  }
}

inline uint64_t get_bits(const uint64_t *words, int32_t at, int32_t count) {
  if (!count) return 0;
  uint64_t piece = words[at / 64] >> (at % 64);
  if (at % 64 && at % 64 + count > 64) piece |= words[at / 64 + 1] << (64 - at % 64);
  return count == 64 ? piece : piece & ((uint64_t(1) << count) - 1);
}

template <int N>
void load(const SumLayout &s, Sum<N> &sum, const uint64_t *words, int32_t at) {
  sum.clear();
  if (!s.is_fixed) {
    sum.code = uint32_t(get_bits(words, at, s.bits));
    return;
  }
  for (int32_t done = 0; done < s.integer_bits; done += 64) {
    const int32_t left = s.integer_bits - done < 64 ? s.integer_bits - done : 64;
    sum.integer.word[done / 64] = get_bits(words, at + done, left);
  }
  sum.integer.wrap(s.integer_bits);
  sum.flags = uint32_t(get_bits(words, at + s.integer_bits, s.flag_bits));
}

template <int N>
void store(const SumLayout &s, const Sum<N> &sum, uint64_t *words, int32_t at) {
  if (!s.is_fixed) {
    const uint64_t code = sum.code;
    put_bits(words, at, &code, s.bits);
    return;
  }
  put_bits(words, at, sum.integer.word, s.integer_bits);
  const uint64_t flags = sum.flags;
  put_bits(words, at + s.integer_bits, &flags, s.flag_bits);
}

template <int N>
void store_result(const Mac &mac, const Sum<N> &inner, const Sum<N> &outer, uint64_t *words) {
  const SumLayout &last = mac.chunk_length ? mac.outer : mac.inner;
  const Sum<N> &sum = mac.chunk_length ? outer : inner;
  std::memset(words, 0, sizeof(uint64_t) * size_t(mac.result_words));
  if (mac.is_raw_output) store(last, sum, words, 0);
  else words[0] = round_sum(last, sum, mac.output);
}

template <int N>
void step_batch(const Mac &mac, int64_t count, const uint64_t *before, const uint32_t *a,
                const uint32_t *b, const uint8_t *chunk_end, const uint64_t *random,
                const uint32_t *scales, uint64_t *after) {
  Term a_terms[64], b_terms[64];
  for (int64_t i = 0; i < count; ++i) {
    Sum<N> inner, outer;
    inner.clear(), outer.clear();
    if (mac.inner_state_bits) load(mac.inner, inner, before, 0);
    if (mac.chunk_length) load(mac.outer, outer, before, mac.inner_state_bits);
    for (int lane = 0; lane < mac.lanes; ++lane) {
      a_terms[lane] = decode(mac.a, a[lane]);
      b_terms[lane] = decode(mac.b, b[lane]);
    }
    Factor factor;
    for (int side = 0; side < mac.scale_count; ++side) factor.times(mac.scales[side], *scales++);
    step(mac, inner, outer, a_terms, b_terms, chunk_end[i], random ? random[i] : 0, factor);
    std::memset(after, 0, sizeof(uint64_t) * size_t(mac.partial_sum_words));
    if (mac.inner_state_bits) store(mac.inner, inner, after, 0);
    if (mac.chunk_length) store(mac.outer, outer, after, mac.inner_state_bits);
    before += mac.partial_sum_words, after += mac.partial_sum_words;
    a += mac.lanes, b += mac.lanes;
  }
}

template <int N>
void result_batch(const Mac &mac, int64_t count, const uint64_t *partial_sums, uint64_t *results) {
  for (int64_t i = 0; i < count; ++i) {
    Sum<N> inner, outer;
    inner.clear(), outer.clear();
    if (mac.inner_state_bits) load(mac.inner, inner, partial_sums, 0);
    if (mac.chunk_length) load(mac.outer, outer, partial_sums, mac.inner_state_bits);
    store_result(mac, inner, outer, results);
    partial_sums += mac.partial_sum_words, results += mac.result_words;
  }
}

template <int N>
void matmul(const Mac &mac, int64_t M, int64_t columns, int64_t K, const uint32_t *a,
            const uint32_t *b, const RandomSource &source, const uint32_t *a_scales,
            const uint32_t *b_scales, uint64_t *results) {
  const int64_t blocks = mac.scale_count ? (K + mac.chunk_length - 1) / mac.chunk_length : 0;
  std::vector<Factor> a_factors(size_t(M * blocks)), b_factors(size_t(columns * blocks));
  for (int64_t i = 0; a_scales && i < M * blocks; ++i)
    a_factors[size_t(i)].times(mac.scales[0], a_scales[i]);
  for (int64_t n = 0; b_scales && n < columns; ++n)
    for (int64_t k = 0; k < blocks; ++k)
      b_factors[size_t(n * blocks + k)].times(mac.scales[mac.scale_count - 1],
                                              b_scales[k * columns + n]);
  std::vector<Term> a_terms(size_t(M * K)), b_terms(size_t(K * columns));
  for (int64_t i = 0; i < M * K; ++i) a_terms[size_t(i)] = decode(mac.a, a[i]);
  for (int64_t n = 0; n < columns; ++n)  // one column after the other
    for (int64_t k = 0; k < K; ++k)
      b_terms[size_t(n * K + k)] = decode(mac.b, b[k * columns + n]);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < columns; ++n) {
      Sum<N> inner, outer;
      inner.clear(), outer.clear();
      uint64_t state = source.starts ? source.starts[m * columns + n] : 0;
      const uint64_t *word = source.words + m * source.row_stride + n * source.column_stride;
      int64_t in_chunk = 0, block = 0;
      for (int64_t k = 0; k < K; k += mac.lanes) {
        in_chunk += mac.lanes;
        const bool chunk_end = in_chunk == mac.chunk_length || k + mac.lanes == K;
        uint64_t random = 0;
        if (source.starts) {
          random = state & source.lfsr.word_mask();
          state = source.lfsr.next(state);
        } else if (source.words) {
          random = *word;
          word += source.step_stride;
        }
        Factor factor;
        if (chunk_end && blocks)
          factor = a_factors[size_t(m * blocks + block)].times(
              b_factors[size_t(n * blocks + block)]);
        step(mac, inner, outer, &a_terms[size_t(m * K + k)], &b_terms[size_t(n * K + k)],
             chunk_end, random, factor);
        if (chunk_end) in_chunk = 0, ++block;
      }
      store_result(mac, inner, outer, results + (m * columns + n) * mac.result_words);
    }
}

}  // namespace macsmith

using namespace macsmith;

extern "C" {

void macsmith_decode(const Format *format, int64_t count, const uint32_t *codes, double *values) {
  for (int64_t i = 0; i < count; ++i) values[i] = to_double(decode(*format, codes[i]));
}

// `extremes` is the format as the tiles take it; codes have 1, 2 or 4 bytes.
void macsmith_encode(const TileRound *extremes, int64_t count, const ValueSource *source,
                     int32_t code_bytes, void *codes) {
  const Format &f = extremes->format;
  const auto encode_as = [&](auto *to) {
    using Code = std::remove_reference_t<decltype(*to)>;
    if (is_for_vectors(f))
      return round_values(*extremes, count, *source, PutCodes<Code>{f, to});
    for (int64_t i = 0; i < count; ++i)
      to[i] = Code(encode(f, value_at(*source, i), source->random ? source->random[i] : 0));
  };
  if (code_bytes == 1) encode_as(static_cast<uint8_t *>(codes));
  else if (code_bytes == 2) encode_as(static_cast<uint16_t *>(codes));
  else encode_as(static_cast<uint32_t *>(codes));
}

void macsmith_quantise(const TileRound *extremes, int64_t count, const ValueSource *source,
                       double *rounded) {
  const Format &f = extremes->format;
  if (is_for_vectors(f)) {
    const double unit = f.is_float ? 1 : std::ldexp(1.0, f.least_exponent);
    return round_values(*extremes, count, *source, PutValues{unit, rounded});
  }
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t random = source->random ? source->random[i] : 0;
    rounded[i] = to_double(decode(f, encode(f, value_at(*source, i), random)));
  }
}

void macsmith_requantise(const OutputStage *stage, int64_t count, const uint64_t *sums,
                         uint64_t *codes) {
  for (int64_t i = 0; i < count; ++i) codes[i] = requantised(*stage, sums[i]);
}

// `words` is the size of the wide integer: one of those below, at least what the widest sum needs.
#define WITH_WORDS(call)            \
  switch (words) {                  \
    case 2: { constexpr int N = 2; call; } return 0;   \
    case 4: { constexpr int N = 4; call; } return 0;   \
    case 12: { constexpr int N = 12; call; } return 0; \
    case 40: { constexpr int N = 40; call; } return 0; \
    default: return 1;              \
  }

int32_t macsmith_step(const Mac *mac, int32_t words, int64_t count, const uint64_t *before,
                      const uint32_t *a, const uint32_t *b, const uint8_t *chunk_end,
                      const uint64_t *random, const uint32_t *scales, uint64_t *after) {
  WITH_WORDS(step_batch<N>(*mac, count, before, a, b, chunk_end, random, scales, after))
}

int32_t macsmith_result(const Mac *mac, int32_t words, int64_t count, const uint64_t *partial_sums,
                        uint64_t *results) {
  WITH_WORDS(result_batch<N>(*mac, count, partial_sums, results))
}

int32_t macsmith_matmul(const Mac *mac, int32_t words, int64_t M, int64_t columns, int64_t K,
                        const uint32_t *a, const uint32_t *b, const RandomSource *source,
                        const uint32_t *a_scales, const uint32_t *b_scales, uint64_t *results) {
  WITH_WORDS(matmul<N>(*mac, M, columns, K, a, b, *source, a_scales, b_scales, results))
}

#define BLOCKS(NAME, VALUES, IN, OUT)                                                       \
  int32_t macsmith_blocks_##NAME(const BlockSpec *spec, int64_t rows, int64_t columns,      \
                                 const IN *values, OUT *out, uint16_t *scales) {            \
    return quantise_blocks<VALUES>(*spec, rows, columns, values, out, scales);              \
  }
BLOCKS(codes8_float, false, float, uint8_t)
BLOCKS(codes8_double, false, double, uint8_t)
BLOCKS(codes16_float, false, float, uint16_t)
BLOCKS(codes16_double, false, double, uint16_t)
BLOCKS(values_float, true, float, float)
BLOCKS(values_double, true, double, double)
#undef BLOCKS

int32_t macsmith_aligned(const AlignedSpec *spec, int64_t M, int64_t columns, int64_t K,
                         const double *a, const double *b, double *sums) {
  return run_aligned(*spec, M, columns, K, a, b, sums), 0;
}

int32_t macsmith_tiles_float(const TileSpec *spec, int64_t M, int64_t columns, int64_t K,
                             const float *a, const float *b, const RandomSource *source,
                             float *sums) {
  return run_tiles<float>(*spec, M, columns, K, a, b, *source, sums);
}

int32_t macsmith_tiles_double(const TileSpec *spec, int64_t M, int64_t columns, int64_t K,
                              const double *a, const double *b, const RandomSource *source,
                              double *sums) {
  return run_tiles<double>(*spec, M, columns, K, a, b, *source, sums);
}

// Whether tiles with the add NATIVE are compiled.
int32_t macsmith_has_native_tiles() { return HAS_DIRECTED; }

// States that the words of `count` sums start from: each the one before times `matrix`, whose columns
// say what each bit of a state becomes.
void macsmith_lfsr_states(const uint64_t *matrix, uint64_t seed, int64_t count, uint64_t *states) {
  for (int64_t i = 0; i < count; ++i) {
    states[i] = seed;
    uint64_t next = 0;
    for (uint64_t left = seed; left; left &= left - 1) next ^= matrix[__builtin_ctzll(left)];
    seed = next;
  }
}

}  // extern "C"
