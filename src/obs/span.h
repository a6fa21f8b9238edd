// Times a scope: at its end the seconds go to a histogram and, at debug level, to the log.
//
// Lives on the stack of one thread; module and name must outlive it (literals do).
#pragma once

#include <string_view>

#include "base/clock.h"
#include "obs/log.h"
#include "obs/metrics.h"

namespace ac::obs {

class Span {
 public:
  explicit Span(Histogram histogram, const Clock& clock = Clock::Real())
      : Span(histogram, {}, {}, clock) {}
  // Also logs "name seconds=..." under `module`.
  Span(Histogram histogram, std::string_view module, std::string_view name,
       const Clock& clock = Clock::Real())
      : clock_(clock), histogram_(histogram), module_(module), name_(name), start_(clock.Now()) {}
  ~Span() { Stop(); }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  double Elapsed() const { return Seconds(clock_.Now() - start_); }

  // Ends the span before its scope does; later calls change nothing. Returns the seconds.
  double Stop() {
    if (stopped_) return seconds_;
    stopped_ = true;
    seconds_ = Elapsed();
    histogram_.Observe(seconds_);
    if (!name_.empty()) Debug(module_, name_, {{"seconds", seconds_}});
    return seconds_;
  }

 private:
  const Clock& clock_;
  const Histogram histogram_;
  const std::string_view module_;
  const std::string_view name_;
  const Nanos start_;
  bool stopped_ = false;
  double seconds_ = 0;
};

}  // namespace ac::obs
