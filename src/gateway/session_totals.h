// Adds up what passes by: for the report at the end of a session, for /metrics, and one log line
// per request.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "gateway/observer.h"
#include "gateway/request_measure.h"
#include "obs/metrics.h"

namespace ac::gateway {

struct Totals {
  int64_t requests = 0;
  int64_t failed = 0;
  int64_t cancelled = 0;
  int64_t answered_here = 0;  // by the reply cache or the gateway itself
  int64_t computed_tokens = 0;
  int64_t reused_tokens = 0;
  int64_t output_tokens = 0;
  // Of the requests whose prompt speed could be measured.
  int64_t measured_tokens = 0;
  double measured_ms = 0;

  // Share of prompt tokens that came from the cache; nothing without prompts.
  std::optional<double> HitRate() const;
  // At the measured speed; nothing when none was measured.
  std::optional<double> SavedSeconds() const;
};

class SessionTotals : public RequestObserver {
 public:
  SessionTotals(std::string mode, obs::Metrics& metrics, bool log_bodies = false);

  std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) override;
  Totals totals() const;

 private:
  class Watch;
  void Add(const RequestMeasure& measure, const std::string& model);
  // How far a running request has read its prompt; it is over when it reads no more.
  void Progress(const Watch* watch, const RequestMeasure& measure);

  const std::string mode_;
  obs::Metrics& metrics_;
  const bool log_bodies_;
  const obs::Histogram first_output_;
  const obs::Counter computed_;
  const obs::Counter reused_;
  const obs::Counter output_;
  const obs::Gauge prefill_read_;
  const obs::Gauge prefill_left_;
  const obs::Gauge prefill_seconds_left_;

  mutable Mutex mutex_;
  Totals totals_ AC_GUARDED_BY(mutex_);
  struct Reading {
    int64_t read = 0;
    int64_t left = 0;
    double seconds_left = 0;  // 0: not known yet
  };
  std::map<const Watch*, Reading> reading_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::gateway
