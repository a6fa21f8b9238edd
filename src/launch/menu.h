// The menu of modes as a state machine: keys in, a picture out. No terminal, so tests are tables.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ac::launch {

struct MenuItem {
  std::string name;    // what --mode takes
  std::string title;   // "Local engine"
  std::string detail;  // state, speed, cost, purpose; may be empty
};

class Menu {
 public:
  enum class State { kOpen, kChosen, kLeft };

  // At least one item; `selected` is the one Enter takes at once.
  Menu(std::vector<MenuItem> items, size_t selected);

  // Bytes from a terminal in raw mode, cut anywhere: arrows or j/k move, digits choose, Enter takes
  // the selected one, q, Ctrl-C and Ctrl-D leave. A lone Escape leaves when no key follows (Idle).
  State Feed(std::string_view bytes);
  // No key came for a moment: an Escape that is pending was a lone one.
  State Idle();

  size_t selected() const { return selected_; }
  State state() const { return state_; }
  const std::vector<MenuItem>& items() const { return items_; }

  // Lines, each ended by "\r\n" and cut at `width` columns.
  std::string Render(size_t width) const;
  size_t LineCount() const { return items_.size() + 2; }

 private:
  void Key(char key);
  void Move(int step);

  std::vector<MenuItem> items_;
  size_t selected_;
  State state_ = State::kOpen;
  std::string escape_;  // an unfinished sequence, from ESC on
};

}  // namespace ac::launch
