#include "launch/terminal_menu.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace ac::launch {
namespace {

// How long a lone Escape waits for the rest of a sequence.
constexpr int kEscapeWaitMs = 80;

// Raw mode for a scope: keys one by one, no echo, Ctrl-C as a key.
class RawTerminal {
 public:
  explicit RawTerminal(int fd) : fd_(fd), raw_(tcgetattr(fd, &before_) == 0) {
    if (!raw_) return;
    termios settings = before_;
    settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    settings.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    raw_ = tcsetattr(fd, TCSADRAIN, &settings) == 0;
  }
  ~RawTerminal() {
    if (raw_) tcsetattr(fd_, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  const int fd_;
  termios before_{};
  bool raw_;
};

size_t Width(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

bool CanShowMenu(int input, int output) {
  const char* terminal = std::getenv("TERM");
  return isatty(input) != 0 && isatty(output) != 0 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

Result<std::optional<size_t>> RunMenu(Menu menu, int input, int output) {
  const RawTerminal raw(input);
  WriteAll(output, menu.Render(Width(output)));
  while (menu.state() == Menu::State::kOpen) {
    pollfd ready{.fd = input, .events = POLLIN, .revents = 0};
    const int count = poll(&ready, 1, kEscapeWaitMs);
    if (count < 0 && errno != EINTR) return FromErrno(errno, "[launch] waiting for a key");
    if (count <= 0) {
      menu.Idle();
      continue;
    }
    char buffer[64];
    const ssize_t size = read(input, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return std::optional<size_t>();  // the terminal is gone
    menu.Feed({buffer, static_cast<size_t>(size)});
    // Over the old picture: up by its lines, clear to the end of the screen.
    WriteAll(output,
             "\x1b[" + std::to_string(menu.LineCount()) + "A\x1b[J" + menu.Render(Width(output)));
  }
  if (menu.state() == Menu::State::kLeft) return std::optional<size_t>();
  return std::optional<size_t>(menu.selected());
}

}  // namespace ac::launch
