// A one-line progress bar on stderr, drawn only when stderr is a terminal.
//
// Update may be called often; it redraws at most ten times a second. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"

namespace ac::app {

class ProgressBar {
 public:
  ProgressBar(std::string what, std::string unit);
  ~ProgressBar();  // leaves the line complete

  // Shown behind the bar from the next Update on.
  void SetNote(std::string note) { note_ = std::move(note); }
  void Update(uint64_t done, uint64_t total);

 private:
  const std::string what_;
  const std::string unit_;
  std::string note_;
  const bool shown_;
  const Nanos start_;
  Nanos last_draw_{0};
  bool drawn_ = false;
};

}  // namespace ac::app
