// An accelerator behind AXI in simulation: the Verilated top, and masters that its streams never
// wait for.
//
// Requests come at standard input, answers go to standard output, both 32-bit words of this
// machine: operation, count, that many words; count, that many words. The clock only runs while a
// request is carried out, so to the accelerator the packet stream always has a word while there
// are more to come, and the result stream is always ready. Ends with its input.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint32_t kRead = 2, kWrite = 3, kPush = 4, kPull = 5;  // as macsmith.model.link has them
constexpr uint32_t kRefused = 0xFFFFFFFF;
constexpr uint64_t kPatienceCycles = 1u << 18;  // without a word taken or given

class Bench {
 public:
  Bench() {
    top_.s_axi_awvalid = top_.s_axi_wvalid = top_.s_axi_arvalid = 0;
    top_.s_axi_awprot = top_.s_axi_arprot = 0;
    top_.s_axi_wstrb = 0xF;
    top_.s_axi_bready = top_.s_axi_rready = 1;
    top_.s_axis_tvalid = top_.s_axis_tlast = 0;
    top_.m_axis_tready = 1;
    top_.aresetn = 0;
    for (int cycle = 0; cycle < 4; ++cycle) tick();
    top_.aresetn = 1;
    tick();
  }

  bool read(uint32_t address, uint32_t* data) {
    top_.s_axi_araddr = address;
    top_.s_axi_arvalid = 1;
    while (true) {
      settle();
      const bool taken = top_.s_axi_arvalid && top_.s_axi_arready;
      const bool done = top_.s_axi_rvalid;
      const bool okay = top_.s_axi_rresp == 0;
      *data = top_.s_axi_rdata;
      edge();
      if (taken) top_.s_axi_arvalid = 0;
      if (done) return okay;
    }
  }

  bool write(uint32_t address, uint32_t data) {
    top_.s_axi_awaddr = address;
    top_.s_axi_wdata = data;
    top_.s_axi_awvalid = top_.s_axi_wvalid = 1;
    while (true) {
      settle();
      const bool address_taken = top_.s_axi_awvalid && top_.s_axi_awready;
      const bool data_taken = top_.s_axi_wvalid && top_.s_axi_wready;
      const bool done = top_.s_axi_bvalid;
      const bool okay = top_.s_axi_bresp == 0;
      edge();
      if (address_taken) top_.s_axi_awvalid = 0;
      if (data_taken) top_.s_axi_wvalid = 0;
      if (done) {
        results_.clear();  // a restart: what was not fetched is of no product any more
        return okay;
      }
    }
  }

  // How many words were taken.
  uint32_t push(const std::vector<uint32_t>& words) {
    uint32_t taken = 0;
    uint64_t quiet = 0;
    top_.s_axis_tvalid = 1;
    while (taken < words.size() && quiet < kPatienceCycles) {
      top_.s_axis_tdata = words[taken];
      settle();
      const bool ready = top_.s_axis_tready;
      edge();
      taken += ready;
      quiet = ready ? 0 : quiet + 1;
    }
    top_.s_axis_tvalid = 0;
    return taken;
  }

  std::vector<uint32_t> pull(size_t most) {
    uint64_t quiet = 0;
    while (results_.size() < most && quiet < kPatienceCycles) {
      const size_t before = results_.size();
      tick();
      quiet = results_.size() > before ? 0 : quiet + 1;
    }
    const size_t count = results_.size() < most ? results_.size() : most;
    std::vector<uint32_t> words(results_.begin(), results_.begin() + count);
    results_.erase(results_.begin(), results_.begin() + count);
    return words;
  }

 private:
  void settle() {
    top_.aclk = 0;
    top_.eval();
  }
  void edge() {
    if (top_.m_axis_tvalid) results_.push_back(top_.m_axis_tdata);
    top_.aclk = 1;
    top_.eval();
  }
  void tick() {
    settle();
    edge();
  }

  Vtop top_;
  std::deque<uint32_t> results_;
};

void get(uint32_t* words, size_t count) {
  if (fread(words, 4, count, stdin) != count) exit(0);
}

void answer(const std::vector<uint32_t>& words) {
  const uint32_t count = static_cast<uint32_t>(words.size());
  fwrite(&count, 4, 1, stdout);
  fwrite(words.data(), 4, words.size(), stdout);
  fflush(stdout);
}

void refuse() {
  fwrite(&kRefused, 4, 1, stdout);
  fflush(stdout);
}

}  // namespace

int main() {
  Bench bench;
  for (;;) {
    uint32_t head[2];
    get(head, 2);
    std::vector<uint32_t> words(head[1]);
    get(words.data(), words.size());
    if (head[0] == kRead && words.size() == 1) {
      const uint32_t address = words[0] & 0xFFFF, count = words[0] >> 16;
      std::vector<uint32_t> values(count);
      for (uint32_t index = 0; index < count; ++index) {
        // the one register that is only written reads as 0, as over a serial line
        uint32_t value = 0;
        if (bench.read(address + 4 * index, &value)) values[index] = value;
      }
      answer(values);
    } else if (head[0] == kWrite && words.size() == 2) {
      if (bench.write(words[0], words[1])) {
        answer({});
      } else {
        refuse();
      }
    } else if (head[0] == kPush) {
      answer({bench.push(words)});
    } else if (head[0] == kPull && words.size() == 1) {
      answer(bench.pull(words[0]));
    } else {
      refuse();
    }
  }
}
