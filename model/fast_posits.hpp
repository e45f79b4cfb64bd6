// Rounding vectors of doubles to a posit format.
//
// Of a posit of N bits with E exponent bits, in the binade e, the regime says k = e >> E in k + 2 bits,
// or 1 - k where k is negative: N - 3 - E - (k or ~k) fraction bits are left. Where there are any, a
// binade has an even grid and the last bit of a code is that of the fraction: rounding is as for floats.
// Binades with none have at most two results, on either side of a boundary; they are in a table, of
// which the definition's own list of boundaries is the source. Numbers are exact or rounded to odd, so
// they are on the right side (fast_additions.hpp).

#pragma once

#include "fast_rounding.hpp"

#include <cmath>
#include <vector>

namespace macsmith {

constexpr int POSIT = 103;  // a mode of tiles

struct Binade {
  double threshold, below, from;  // results below the threshold, and from it on
};

class PositConstants {
  using V = VectorOf<double>;
  using W = WordsOf<double>;
  int32_t exponent_bits, max_exponent;
  int64_t to_magic;     // from the exponent field and the regime to the constant that rounds
  int64_t last_regime;  // k or ~k of the last binades with a fraction
  std::vector<Binade> binades;  // from max_exponent + 1 below 2**0 to as many above

  double round(double value) const {
    const double magnitude = std::fabs(value);
    int exponent;
    std::frexp(magnitude, &exponent);
    --exponent;
    const int limit = max_exponent + 1;
    exponent = exponent < -limit ? -limit : exponent > limit ? limit : exponent;
    const Binade &binade = binades[size_t(exponent + limit)];
    return std::copysign(magnitude < binade.threshold ? binade.below : binade.from, value);
  }

 public:
  explicit PositConstants(const TileRound &r) : max_exponent(r.max_exponent) {
    const Format &f = r.format;
    for (exponent_bits = 0; (f.bits - 2) << exponent_bits < max_exponent;) ++exponent_bits;
    const int most_fraction_bits = f.bits - 3 - exponent_bits;
    last_regime = most_fraction_bits - 1;
    to_magic = (int64_t(52 - most_fraction_bits) << 52) + (int64_t(1) << 51);
    const auto rounded = [&](double value) { return to_double(decode(f, encode(f, value))); };
    for (int e = -max_exponent - 1; e <= max_exponent + 1; ++e) {
      const double power = std::ldexp(1.0, e);
      Binade binade{INFINITY, rounded(power), rounded(std::nextafter(2 * power, 0.0))};
      const uint32_t code = encode(f, binade.below);
      if (binade.below != binade.from)
        for (int32_t i = 0; i < f.ordered->count; ++i) {
          const Magnitude &m = f.ordered->magnitudes[i];
          if (m.code[0] != code) continue;
          const double boundary = std::ldexp(double(m.boundary), m.exponent);
          binade.threshold = m.goes_up[0] ? boundary : std::nextafter(boundary, INFINITY);
        }
      binades.push_back(binade);
    }
  }

  // Zero stays zero; infinities and NaN become NaN.
  V round_all(V v) const {
    const W exponent = ((W)v & exponent_mask<double>()) - (int64_t(1023) << 52);
    const W regime = exponent >> (52 + exponent_bits);
    const W used = regime ^ regime >> 63;
    const V magic = (V)((exponent + (int64_t(1023) << 52)) + (used << 52) + to_magic);
    V r = (v + magic) - magic;
    // false for most vectors: no number is near the ends of the range, or zero
    if (__builtin_expect(is_any_less(last_regime - W{}, used), 0))
      for (int i = 0; i < VECTOR_BYTES / 8; ++i)
        if (used[i] > last_regime)
          r[i] = v[i] == 0 ? 0 : v[i] - v[i] == 0 ? round(v[i]) : __builtin_nan("");
    return r;
  }
};

}  // namespace macsmith
