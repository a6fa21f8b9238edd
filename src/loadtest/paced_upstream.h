// A model server that does nothing but keep time: every reply begins at once and goes on with one
// token per interval, so that what a gateway in front of it adds can be measured.
//
// It speaks the streams of the OpenAI chat API and of the Anthropic API and reads nothing of a
// request but its path. Replies keep their own time each: tokens of different streams do not come
// in bursts. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ac::loadtest {

struct Pace {
  int tokens = 64;  // of each reply
  std::chrono::microseconds interval{20'000};
};

class PacedUpstream {
 public:
  // What each token says.
  static constexpr std::string_view kToken = "token ";

  // On the loopback; port 0 takes any. A port in use is an error that says so.
  static Result<std::unique_ptr<PacedUpstream>> Create(uint16_t port);
  ~PacedUpstream();

  std::string url() const;
  uint16_t port() const;
  // For requests that come from now on.
  void SetPace(const Pace& pace);

 private:
  struct Impl;
  explicit PacedUpstream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ac::loadtest
