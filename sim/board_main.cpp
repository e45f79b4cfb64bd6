// A board in simulation: the Verilated top, its serial line at a pseudo-terminal.
//
// Usage: board DIVISOR. Prints the path of the pseudo-terminal, then runs until its standard input
// is closed. SIGUSR1 resets the board. While nothing happens it waits for the host.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <deque>

#include "Vtop.h"
#include "verilated.h"

static volatile sig_atomic_t reset_requests = 0;
static void on_reset(int) { reset_requests = reset_requests + 1; }

namespace {

constexpr int kBits = 10;              // start, data, stop
constexpr uint64_t kQuietCycles = 8192;  // without a byte, before the host is waited for

class Board {
 public:
  explicit Board(int divisor) : divisor_(divisor) {
    top_.clk = 0;
    top_.rx = 1;
    reset();
  }

  void reset() {
    top_.rst = 1;
    for (int cycle = 0; cycle < 4; ++cycle) tick();
    top_.rst = 0;
  }

  // One clock cycle; the host's bytes go to rx, the board's bytes come from tx.
  void cycle() {
    if (send_left_ == 0 && !from_host_.empty()) {
      // stop bit above, data, start bit below
      send_shift_ = 1u << (kBits - 1) | from_host_.front() << 1;
      from_host_.pop_front();
      send_left_ = kBits * divisor_;
    }
    if (send_left_ != 0) {
      top_.rx = send_shift_ >> ((kBits * divisor_ - send_left_) / divisor_) & 1;
      --send_left_;
      quiet_ = 0;
    }
    tick();
    receive();
    ++quiet_;
  }

  bool is_quiet() const { return quiet_ > kQuietCycles && from_host_.empty(); }
  void wake() { quiet_ = 0; }
  size_t waiting() const { return from_host_.size(); }
  void put(uint8_t byte) { from_host_.push_back(byte); }
  std::deque<uint8_t>& to_host() { return to_host_; }

 private:
  void tick() {
    top_.clk = 1;
    top_.eval();
    top_.clk = 0;
    top_.eval();
  }

  void receive() {
    if (receive_left_ == 0) {
      if (top_.tx == 0) {
        receive_left_ = kBits * divisor_ - divisor_ / 2;  // to the middle of the stop bit
        receive_shift_ = 0;
        quiet_ = 0;
      }
      return;
    }
    --receive_left_;
    quiet_ = 0;
    const int at = kBits * divisor_ - divisor_ / 2 - receive_left_;  // cycles since the start
    const int bit = at / divisor_;
    if (at % divisor_ == divisor_ / 2 && bit >= 1 && bit <= 8) {
      receive_shift_ |= static_cast<unsigned>(top_.tx) << (bit - 1);
    }
    if (receive_left_ == 0) to_host_.push_back(static_cast<uint8_t>(receive_shift_));
  }

  Vtop top_;
  const int divisor_;
  std::deque<uint8_t> from_host_, to_host_;
  unsigned send_shift_ = 0, receive_shift_ = 0;
  int send_left_ = 0, receive_left_ = 0;
  uint64_t quiet_ = 0;
};

int open_terminal() {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) {
    perror("board: no pseudo-terminal");
    exit(2);
  }
  termios settings;
  tcgetattr(terminal, &settings);
  cfmakeraw(&settings);
  tcsetattr(terminal, TCSANOW, &settings);
  // kept open at the far end too: a host may close and open it again
  const int far_end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  if (far_end < 0) {
    perror("board: the pseudo-terminal does not open");
    exit(2);
  }
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  return terminal;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s CYCLES_PER_BIT\n", argv[0]);
    return 2;
  }
  struct sigaction action = {};
  action.sa_handler = on_reset;
  sigaction(SIGUSR1, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int terminal = open_terminal();
  printf("%s\n", ptsname(terminal));
  fflush(stdout);

  Board board(atoi(argv[1]));
  for (;;) {
    pollfd events[2] = {{terminal, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    // bursts of cycles, and a rest between them while nobody asks for anything
    poll(events, 2, board.is_quiet() ? 2 : 0);
    if (events[1].revents) {
      char byte;
      if (read(STDIN_FILENO, &byte, 1) <= 0) return 0;
    }
    if (reset_requests) {
      reset_requests = 0;
      board.reset();
    }
    if (board.waiting() < 4096) {
      uint8_t bytes[1024];
      const ssize_t count = read(terminal, bytes, sizeof bytes);
      for (ssize_t index = 0; index < count; ++index) board.put(bytes[index]);
      if (count > 0) board.wake();
    }
    for (int cycle = 0; cycle < 2048; ++cycle) board.cycle();
    while (!board.to_host().empty()) {
      const uint8_t byte = board.to_host().front();
      if (write(terminal, &byte, 1) != 1) break;
      board.to_host().pop_front();
    }
  }
}
