#include "gateway/stream_guard.h"

#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::gateway {
namespace {

constexpr size_t kShownBytes = 2000;

const obs::Counter& Violations() {
  static const obs::Counter counter = obs::Metrics::Default().GetCounter(
      "anyclaude_stream_violations_total", "Streams that broke a rule of their protocol");
  return counter;
}

void Report(const Status& status, std::string_view bytes) {
  if (status.ok()) return;
  Violations().Add();
  const std::string_view end = bytes.substr(bytes.size() - std::min(bytes.size(), kShownBytes));
  obs::Error("gateway", "a stream broke the rules", {{"what", status.message()}, {"end", end}});
}

}  // namespace

void StreamGuard::End() const {
  Report(events_.Finish(), bytes_);
  Report(api::CheckSse(endpoint_, bytes_), bytes_);
}

int64_t StreamGuard::violations() { return static_cast<int64_t>(Violations().value()); }

}  // namespace ac::gateway
