// What all netlist runtimes share; stands in front of each when it is compiled.
//
// A `word` holds one bit of each of 512 streams. Waveforms are [cycles][streams][bytes], one such array per
// port, a port's bits least significant first; a port that is the same in all streams has [cycles][bytes].

#include <cstdint>
#include <cstring>
#include <vector>

typedef uint64_t word __attribute__((vector_size(64), aligned(64)));
typedef uint8_t word_bytes __attribute__((vector_size(64), aligned(64)));
constexpr uint32_t kLanes = 512;
constexpr uint32_t kParts = 8;  // of 64 streams

// GCC has the shuffle of clang from version 12 on.
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(type, index, value, ...) __builtin_shufflevector(value, value, __VA_ARGS__)
#else
typedef int64_t word_index __attribute__((vector_size(64)));
typedef int8_t byte_index __attribute__((vector_size(64)));
#define SHUFFLE(type, index, value, ...) __builtin_shuffle(value, index{__VA_ARGS__})
#endif

namespace {

// Swaps the upper halves of the fields of one row with the lower halves of another's.
template <int kWidth>
inline void swap_rows(word &low, word &high, uint64_t mask) {
  const word swapped = ((low >> kWidth) ^ high) & mask;
  low ^= swapped << kWidth;
  high ^= swapped;
}

// Transpose of a 64 x 64 bit matrix: row r, bit c -> row c, bit r, by swapping ever smaller blocks. Vector v
// has the rows 8 v .. 8 v + 7; from width 4 on the rows to be swapped lie in the same vector.
inline void transpose(uint64_t *rows) {
  word m[8];
  std::memcpy(m, rows, sizeof m);
  for (int v = 0; v < 4; ++v) swap_rows<32>(m[v], m[v + 4], UINT64_C(0x00000000FFFFFFFF));
  for (int v = 0; v < 8; v += 4)
    for (int k = 0; k < 2; ++k) swap_rows<16>(m[v + k], m[v + k + 2], UINT64_C(0x0000FFFF0000FFFF));
  for (int v = 0; v < 8; v += 2) swap_rows<8>(m[v], m[v + 1], UINT64_C(0x00FF00FF00FF00FF));
  constexpr uint64_t k4 = UINT64_C(0x0F0F0F0F0F0F0F0F), k2 = UINT64_C(0x3333333333333333),
                     k1 = UINT64_C(0x5555555555555555);
  const word keep4 = {k4, k4, k4, k4, ~k4, ~k4, ~k4, ~k4};
  const word keep2 = {k2, k2, ~k2, ~k2, k2, k2, ~k2, ~k2};
  const word keep1 = {k1, ~k1, k1, ~k1, k1, ~k1, k1, ~k1};
  const word up4 = {4, 4, 4, 4, 60, 60, 60, 60}, up2 = {2, 2, 62, 62, 2, 2, 62, 62},
             up1 = {1, 63, 1, 63, 1, 63, 1, 63};
  for (auto &v : m) {
    word other = SHUFFLE(word, word_index, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v = (v & keep4) | (((other << up4) | (other >> (64 - up4))) & ~keep4);
    other = SHUFFLE(word, word_index, v, 2, 3, 0, 1, 6, 7, 4, 5);
    v = (v & keep2) | (((other << up2) | (other >> (64 - up2))) & ~keep2);
    other = SHUFFLE(word, word_index, v, 1, 0, 3, 2, 5, 4, 7, 6);
    v = (v & keep1) | (((other << up1) | (other >> (64 - up1))) & ~keep1);
  }
  std::memcpy(rows, m, sizeof m);
}

// Transpose of each of eight 8 x 8 bit matrices, one per lane.
inline word transpose_bytes(word x) {
  word t = (x ^ (x >> 7)) & UINT64_C(0x00AA00AA00AA00AA);
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & UINT64_C(0x0000CCCC0000CCCC);
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & UINT64_C(0x00000000F0F0F0F0);
  return x ^ t ^ (t << 28);
}

// Byte 8 j + b <-> byte 8 b + j.
inline word exchange_bytes(word x) {
  return (word)SHUFFLE(word_bytes, byte_index, ((word_bytes)x), 0, 8, 16, 24, 32, 40, 48, 56, 1, 9,
                       17, 25, 33, 41, 49, 57, 2, 10, 18, 26, 34, 42, 50, 58, 3, 11, 19, 27, 35, 43,
                       51, 59, 4, 12, 20, 28, 36, 44, 52, 60, 5, 13, 21, 29, 37, 45, 53, 61, 6, 14,
                       22, 30, 38, 46, 54, 62, 7, 15, 23, 31, 39, 47, 55, 63);
}

struct Port {
  const uint8_t *source;  // inputs
  uint64_t *target;       // outputs; null: not wanted
  uint32_t bytes;         // of one value in the source
  uint32_t width;
  const uint32_t *nets;
  bool is_shared;  // one value for all streams
};

// Ports from the tables that the callers give; nets of all ports lie one after the other.
inline std::vector<Port> make_ports(uint32_t count, const uint32_t *widths, const uint32_t *nets,
                                    const uint8_t *const *sources, const uint32_t *bytes,
                                    const uint32_t *are_shared, uint64_t *const *targets) {
  std::vector<Port> ports(count);
  for (uint32_t port = 0, at = 0; port < count; at += widths[port++])
    ports[port] = {sources ? sources[port] : nullptr, targets ? targets[port] : nullptr,
                   bytes ? bytes[port] : 0, widths[port], nets + at,
                   are_shared != nullptr && are_shared[port] != 0};
  return ports;
}

inline uint64_t *part_of(word *values, uint32_t net, uint32_t part) {
  return reinterpret_cast<uint64_t *>(values + net) + part;
}

// The values of an input port in one cycle of the streams first .. first + lanes - 1, into its nets.
inline void load_port(const Port &port, word *values, uint64_t cycle, uint64_t streams, uint64_t first,
                      uint64_t lanes) {
  if (port.is_shared) {
    const uint8_t *from = port.source + cycle * port.bytes;
    for (uint32_t bit = 0; bit < port.width; ++bit)
      values[port.nets[bit]] = word{} - (uint64_t)(from[bit / 8] >> bit % 8 & 1);
    return;
  }
  const uint8_t *from = port.source + (cycle * streams + first) * port.bytes;
  uint64_t plane[64];
  for (uint32_t part = 0; part < kParts; ++part) {
    const uint64_t here = lanes <= 64 * part ? 0 : lanes - 64 * part < 64 ? lanes - 64 * part : 64;
    const uint8_t *rows = from + 64 * part * port.bytes;
    if (port.bytes == 1 && port.width <= 8) {
      word value = {};
      if (here == 64)
        std::memcpy(&value, rows, 64);
      else if (here != 0)
        std::memcpy(&value, rows, here);
      value = exchange_bytes(transpose_bytes(value));
      for (uint32_t bit = 0; bit < port.width; ++bit)
        *part_of(values, port.nets[bit], part) = value[bit];
      continue;
    }
    for (uint32_t at = 0; at * 64 < port.width; ++at) {
      std::memset(plane, 0, sizeof plane);
      switch (port.bytes) {
        case 1:
          for (uint64_t lane = 0; lane < here; ++lane) plane[lane] = rows[lane];
          break;
        case 2:
          for (uint64_t lane = 0; lane < here; ++lane) std::memcpy(&plane[lane], rows + 2 * lane, 2);
          break;
        case 4:
          for (uint64_t lane = 0; lane < here; ++lane) std::memcpy(&plane[lane], rows + 4 * lane, 4);
          break;
        default:
          for (uint64_t lane = 0; lane < here; ++lane)
            std::memcpy(&plane[lane], rows + port.bytes * lane + 8 * at, 8);
      }
      transpose(plane);
      for (uint32_t bit = at * 64; bit < port.width && bit < at * 64 + 64; ++bit)
        *part_of(values, port.nets[bit], part) = plane[bit - at * 64];
    }
  }
}

// The nets of an output port as row `row` of its target, [rows][streams][words].
inline void store_port(const Port &port, const word *values, uint64_t row, uint64_t streams,
                       uint64_t first, uint64_t lanes) {
  const uint32_t words = (port.width + 63) / 64;
  uint64_t *to = port.target + (row * streams + first) * words;
  uint64_t plane[64];
  for (uint32_t part = 0; part < kParts && 64 * part < lanes; ++part, to += 64 * words) {
    const uint64_t here = lanes - 64 * part < 64 ? lanes - 64 * part : 64;
    for (uint32_t at = 0; at < words; ++at) {
      const uint32_t bits = port.width - 64 * at < 64 ? port.width - 64 * at : 64;
      const uint32_t *nets = port.nets + 64 * at;
      if (bits <= 8) {
        word value = {};
        for (uint32_t bit = 0; bit < bits; ++bit) value[bit] = values[nets[bit]][part];
        const word_bytes rows = (word_bytes)transpose_bytes(exchange_bytes(value));
        for (uint64_t lane = 0; lane < here; ++lane) to[lane * words + at] = rows[lane];
        continue;
      }
      for (uint32_t bit = 0; bit < bits; ++bit) plane[bit] = values[nets[bit]][part];
      for (uint32_t bit = bits; bit < 64; ++bit) plane[bit] = 0;
      transpose(plane);
      if (words == 1)
        std::memcpy(to, plane, here * 8);
      else
        for (uint64_t lane = 0; lane < here; ++lane) to[lane * words + at] = plane[lane];
    }
  }
}

// Ones where a stream of the block runs.
inline word live_lanes(uint64_t lanes) {
  word live = {};
  for (uint32_t part = 0; part < kParts; ++part) {
    const uint64_t here = lanes <= 64 * part ? 0 : lanes - 64 * part;
    live[part] = here >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << here) - 1;
  }
  return live;
}

inline int64_t population(const word &bits) {
  int64_t count = 0;
  for (uint32_t part = 0; part < kParts; ++part) count += __builtin_popcountll(bits[part]);
  return count;
}

}  // namespace
