// Counters, gauges and histograms, exported in the Prometheus text format.
//
// A Metrics object owns all values; modules get it as part of their context, and main uses
// Default(). Handles are small values to copy and keep: resolve one at construction, bump it from
// any thread. They must not outlive their Metrics. A default-made handle counts nowhere, so code
// runs without metrics too. Each distinct set of label values lives forever: label with enumerable
// things (a mode, a route), never with ids. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace ac::obs {

class Counter {
 public:
  Counter() = default;
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void Add(double amount = 1) const;  // negative amounts are ignored
  double value() const;

 private:
  prometheus::Counter* counter_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  void Set(double value) const;
  void Add(double amount) const;
  double value() const;

 private:
  prometheus::Gauge* gauge_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  void Observe(double value) const;
  uint64_t count() const;
  double sum() const;

 private:
  prometheus::Histogram* histogram_ = nullptr;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same value again. Names are [a-z_][a-z0-9_]*, begin with
  // "anyclaude_" and end with the unit; a counter's ends with "_total". A name that is malformed or
  // taken by another kind is a bug of the caller: it asserts, and otherwise gives an inert handle.
  Counter GetCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge GetGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds` are the upper ends of the buckets, ascending.
  Histogram GetHistogram(const std::string& name, const std::string& help,
                         const std::vector<double>& bounds, const Labels& labels = {});

  // The body of GET /metrics.
  std::string RenderPrometheus() const;

  static Metrics& Default();

 private:
  struct Registry;
  const std::unique_ptr<Registry> registry_;
};

// Seconds from a millisecond to ten minutes: everything between a reply from the cache and a cold
// prompt of a whole code base.
std::vector<double> LatencyBounds();

}  // namespace ac::obs
