#include "launch/menu.h"

#include <algorithm>
#include <utility>

namespace ac::launch {
namespace {

constexpr char kEscape = '\x1b';

// Cuts at `width` bytes without splitting a character.
std::string Cut(std::string line, size_t width) {
  if (line.size() <= width) return line;
  size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end);
}

}  // namespace

Menu::Menu(std::vector<MenuItem> items, size_t selected)
    : items_(std::move(items)),
      selected_(std::min(selected, items_.empty() ? 0 : items_.size() - 1)) {}

void Menu::Move(int step) {
  const size_t count = items_.size();
  selected_ = (selected_ + count + static_cast<size_t>(step + static_cast<int>(count))) % count;
}

void Menu::Key(char key) {
  if (key == '\r' || key == '\n') {
    state_ = State::kChosen;
  } else if (key == 'j' || key == '\t') {
    Move(1);
  } else if (key == 'k') {
    Move(-1);
  } else if (key == 'q' || key == '\x03' || key == '\x04') {
    state_ = State::kLeft;
  } else if (key >= '1' && key <= '9' && static_cast<size_t>(key - '1') < items_.size()) {
    selected_ = static_cast<size_t>(key - '1');
    state_ = State::kChosen;
  }
}

Menu::State Menu::Feed(std::string_view bytes) {
  for (const char byte : bytes) {
    if (state_ != State::kOpen) break;
    if (escape_.empty()) {
      if (byte == kEscape) {
        escape_ = byte;
      } else {
        Key(byte);
      }
      continue;
    }
    escape_ += byte;
    // ESC [ A and ESC O A are the two forms of an arrow; other sequences end at their letter.
    const bool opened = escape_.size() == 2 && (byte == '[' || byte == 'O');
    if (opened) continue;
    const bool ends = escape_.size() == 2 || (byte >= '@' && byte <= '~');
    if (!ends) continue;
    if (escape_.size() == 3 && byte == 'A') Move(-1);
    if (escape_.size() == 3 && byte == 'B') Move(1);
    escape_.clear();
  }
  return state_;
}

Menu::State Menu::Idle() {
  if (state_ == State::kOpen && escape_.size() == 1) state_ = State::kLeft;
  return state_;
}

std::string Menu::Render(size_t width) const {
  std::string text = Cut("anyclaude: who answers?", width) + "\r\n";
  size_t title_width = 0;
  for (const MenuItem& item : items_) title_width = std::max(title_width, item.title.size());
  for (size_t i = 0; i < items_.size(); ++i) {
    const MenuItem& item = items_[i];
    std::string line = i == selected_ ? " > " : "   ";
    line += i < 9 ? std::to_string(i + 1) + " " : "  ";
    line += item.title;
    if (!item.detail.empty()) {
      line += std::string(title_width - item.title.size() + 2, ' ') + item.detail;
    }
    line = Cut(std::move(line), width);
    if (i == selected_) line = "\x1b[1m" + line + "\x1b[0m";
    text += line + "\r\n";
  }
  return text + Cut("Arrows or a number, Enter to start, q to leave.", width) + "\r\n";
}

}  // namespace ac::launch
