#include "engine/stop_strings.h"

#include <algorithm>

namespace ac::engine {
namespace {

// The longest end of `text` that is a proper beginning of `stop`.
size_t OpenEnd(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::Push(std::string_view text) {
  if (matched()) return {};
  held_ += text;
  size_t begin = 0;
  size_t end = std::string::npos;
  size_t open = 0;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at != std::string::npos) {
      const size_t stop_end = at + stop.size();
      if (stop_end < end || (stop_end == end && at < begin)) {
        begin = at;
        end = stop_end;
        matched_ = &stop;
      }
    }
    open = std::max(open, OpenEnd(held_, stop));
  }
  std::string final = held_.substr(0, matched() ? begin : held_.size() - open);
  held_.erase(0, matched() ? held_.size() : final.size());
  return final;
}

std::string StopStrings::Finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

}  // namespace ac::engine
