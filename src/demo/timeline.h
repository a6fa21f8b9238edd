// The session as a picture for a terminal: one line a turn, a bar as long as the wait.
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "demo/conversation.h"

namespace ac::demo {

constexpr size_t kBarWidth = 24;

// `part` of `whole` as blocks of eighths, padded to `width` columns; something above nothing shows.
std::string Bar(double part, double whole, size_t width);

// The head of the table that TurnLine fills.
std::string TimelineHead();
// One turn; bars are relative to `longest_s`, the longest wait so far.
std::string TurnLine(int number, const AskedTurn& turn, double longest_s);

struct DemoTimes {
  double cold_s = 0;           // first turn
  std::vector<double> warm_s;  // later ones
  double restart_s = 0;        // first one after the restart
};
// What it comes down to, in sentences.
std::string Summary(const DemoTimes& times, int64_t prompt_tokens);

}  // namespace ac::demo
