#include "obs/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <map>

namespace ac::obs {

struct Metrics::Registry {
  prometheus::Registry prometheus;

  // prometheus-cpp reports misuse by exceptions; they end here.
  template <typename Make>
  auto Resolve(Make make) -> decltype(make()) {
    try {
      return make();
    } catch (const std::exception&) {
      assert(false && "metric with a malformed name or label, or a name of another kind");
      return nullptr;
    }
  }
};

namespace {

std::map<std::string, std::string> ToMap(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

void Counter::Add(double amount) const {
  if (counter_ != nullptr) counter_->Increment(amount);
}
double Counter::value() const { return counter_ != nullptr ? counter_->Value() : 0; }

void Gauge::Set(double value) const {
  if (gauge_ != nullptr) gauge_->Set(value);
}
void Gauge::Add(double amount) const {
  if (gauge_ != nullptr) gauge_->Increment(amount);
}
double Gauge::value() const { return gauge_ != nullptr ? gauge_->Value() : 0; }

void Histogram::Observe(double value) const {
  if (histogram_ != nullptr) histogram_->Observe(value);
}
uint64_t Histogram::count() const {
  return histogram_ != nullptr ? histogram_->Collect().histogram.sample_count : 0;
}
double Histogram::sum() const {
  return histogram_ != nullptr ? histogram_->Collect().histogram.sample_sum : 0;
}

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

Counter Metrics::GetCounter(const std::string& name, const std::string& help,
                            const Labels& labels) {
  return Counter(registry_->Resolve([&] {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_->prometheus);
    return &family.Add(ToMap(labels));
  }));
}

Gauge Metrics::GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(registry_->Resolve([&] {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_->prometheus);
    return &family.Add(ToMap(labels));
  }));
}

Histogram Metrics::GetHistogram(const std::string& name, const std::string& help,
                                const std::vector<double>& bounds, const Labels& labels) {
  assert(std::is_sorted(bounds.begin(), bounds.end()));
  return Histogram(registry_->Resolve([&] {
    auto& family =
        prometheus::BuildHistogram().Name(name).Help(help).Register(registry_->prometheus);
    return &family.Add(ToMap(labels), bounds);
  }));
}

std::string Metrics::RenderPrometheus() const {
  return prometheus::TextSerializer().Serialize(registry_->prometheus.Collect());
}

Metrics& Metrics::Default() {
  // Never destroyed: threads may count while the program exits.
  static Metrics& metrics = *new Metrics();
  return metrics;
}

std::vector<double> LatencyBounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600};
}

}  // namespace ac::obs
