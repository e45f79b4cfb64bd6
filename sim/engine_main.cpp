// An accelerator without an interface, in simulation: packets from a file, results to another.
//
// Usage: engine COMMANDS RESULTS PAUSES SEED. COMMANDS is 32-bit words: a count n and n words of
// packets, again and again. Each run of words is sent, and waited for until the accelerator is idle;
// then RESULTS gets the number of result words, those, and the registers STATUS to MACS_HIGH.
// PAUSES is the share of cycles, of 256, in which a stream pauses; 0: both are always ready.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint32_t kStatus = 0x24, kRegisters = 7;  // STATUS, then three counters of two words
constexpr uint64_t kPatience = 1000000;             // cycles without a word before giving up

class Engine {
 public:
  Engine(unsigned pauses, uint64_t seed) : pauses_(pauses), random_(seed * 2 + 1) {
    top_.clk = 0;
    top_.rst = 1;
    top_.i_valid = top_.o_ready = top_.register_read = top_.register_write = 0;
    for (int index = 0; index < 4; ++index) tick();
    top_.rst = 0;
  }

  // Send words and take results until the accelerator is idle; whether it became so.
  bool run(const std::vector<uint32_t>& words, std::vector<uint32_t>& results) {
    size_t sent = 0;
    bool offers = false;
    for (uint64_t quiet = 0; quiet < kPatience; ++quiet) {
      // what was offered stays until it is taken
      offers = offers || (sent < words.size() && !pauses());
      top_.i_valid = offers;
      if (offers) top_.i_data = words[sent];
      top_.o_ready = !pauses();
      top_.register_read = 1;
      top_.register_address = kStatus;
      top_.eval();
      const bool takes = offers && top_.i_ready;
      const bool gives = top_.o_valid && top_.o_ready;
      if (gives) results.push_back(top_.o_data);
      tick();
      if (takes) {
        ++sent;
        offers = false;
      }
      if (takes || gives) {
        quiet = 0;
      } else if (sent == words.size() && quiet > 1 && !(top_.register_data_o & 1)) {
        return true;
      }
    }
    return false;
  }

  uint32_t read(uint32_t address) {
    top_.i_valid = top_.o_ready = 0;
    top_.register_read = 1;
    top_.register_address = address;
    tick();
    return top_.register_data_o;
  }

 private:
  void tick() {
    top_.clk = 1;
    top_.eval();
    top_.clk = 0;
    top_.eval();
  }

  bool pauses() {
    if (pauses_ == 0) return false;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return (random_ >> 24 & 255) < pauses_;
  }

  Vtop top_;
  const unsigned pauses_;
  uint64_t random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s COMMANDS RESULTS PAUSES SEED\n", argv[0]);
    return 2;
  }
  FILE* commands = fopen(argv[1], "rb");
  FILE* output = fopen(argv[2], "wb");
  if (commands == nullptr || output == nullptr) {
    perror("engine: a file does not open");
    return 2;
  }
  Engine engine(atoi(argv[3]), strtoull(argv[4], nullptr, 10));
  uint32_t count;
  while (fread(&count, sizeof count, 1, commands) == 1) {
    std::vector<uint32_t> words(count), results;
    if (fread(words.data(), sizeof(uint32_t), count, commands) != count) {
      fprintf(stderr, "engine: the commands end too early\n");
      return 2;
    }
    if (!engine.run(words, results)) {
      fprintf(stderr, "engine: busy for ever after %zu results\n", results.size());
      return 1;
    }
    uint32_t head = static_cast<uint32_t>(results.size());
    for (uint32_t index = 0; index < kRegisters; ++index) {
      results.push_back(engine.read(kStatus + 4 * index));
    }
    fwrite(&head, sizeof head, 1, output);
    fwrite(results.data(), sizeof(uint32_t), results.size(), output);
  }
  return fclose(output) == 0 ? 0 : 2;
}
