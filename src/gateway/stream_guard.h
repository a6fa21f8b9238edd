// Watches one stream for the rules that its clients rely on, when the setting check_streams is on.
//
// The events of the backend and the bytes made from them are each judged as a whole at the end
// (api/stream_checker.h). A violation is an error in the log and counts in
// anyclaude_stream_violations_total; the tests run every server with it and demand zero. Keeps the
// whole stream in memory. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "api/stream_checker.h"

namespace ac::gateway {

class StreamGuard {
 public:
  explicit StreamGuard(api::Endpoint endpoint) : endpoint_(endpoint) {}

  void Event(const chat::ChatEvent& event) { (void)events_.Observe(event); }
  void Bytes(std::string_view bytes) { bytes_ += bytes; }
  // The stream ended as the server wanted.
  void End() const;

  // In this process so far.
  static int64_t violations();

 private:
  const api::Endpoint endpoint_;
  api::StreamChecker events_;
  std::string bytes_;
};

}  // namespace ac::gateway
