#include "gateway/session_totals.h"

#include <algorithm>

#include "obs/log.h"
#include "store/ledger.h"

namespace ac::gateway {

std::optional<double> Totals::HitRate() const {
  const int64_t prompt = computed_tokens + reused_tokens;
  if (prompt == 0) return std::nullopt;
  return static_cast<double>(reused_tokens) / static_cast<double>(prompt);
}

std::optional<double> Totals::SavedSeconds() const {
  return store::SavedSeconds(
      {.cache_read = reused_tokens, .prefill_tokens = measured_tokens, .prefill_ms = measured_ms});
}

class SessionTotals::Watch : public RequestWatch {
 public:
  Watch(SessionTotals& owner, Nanos started, std::string model)
      : owner_(owner), model_(std::move(model)), measure_(started, owner.mode_) {}
  void OnEvent(const chat::ChatEvent& event, Nanos now) override {
    const bool was_reading = measure_.reading();
    measure_.Apply(event, now);
    const bool progress = event.As<chat::Ping>() != nullptr && measure_.reading();
    if (progress || was_reading != measure_.reading()) owner_.Progress(this, measure_);
  }
  void OnEnd(Ending ending, Nanos now) override {
    const bool was_reading = measure_.reading();
    measure_.End(ending, now);
    if (was_reading) owner_.Progress(this, measure_);
    owner_.Add(measure_, model_);
  }

 private:
  SessionTotals& owner_;
  const std::string model_;
  RequestMeasure measure_;
};

SessionTotals::SessionTotals(std::string mode, obs::Metrics& metrics, bool log_bodies)
    : mode_(std::move(mode)),
      metrics_(metrics),
      log_bodies_(log_bodies),
      first_output_(metrics.GetHistogram("anyclaude_first_output_seconds",
                                         "From the request to the first piece of the reply",
                                         obs::LatencyBounds())),
      computed_(metrics.GetCounter("anyclaude_prompt_tokens_total", "Prompt tokens by source",
                                   {{"source", "computed"}})),
      reused_(metrics.GetCounter("anyclaude_prompt_tokens_total", "Prompt tokens by source",
                                 {{"source", "cache"}})),
      output_(metrics.GetCounter("anyclaude_output_tokens_total", "Tokens generated")),
      prefill_read_(metrics.GetGauge("anyclaude_prefill_tokens",
                                     "Of the prompts that are being read now",
                                     {{"state", "read"}})),
      prefill_left_(metrics.GetGauge("anyclaude_prefill_tokens",
                                     "Of the prompts that are being read now",
                                     {{"state", "left"}})),
      prefill_seconds_left_(
          metrics.GetGauge("anyclaude_prefill_seconds_left",
                           "Until the last of the prompts that are being read now is read")) {}

std::unique_ptr<RequestWatch> SessionTotals::OnStarted(const ObservedRequest& request) {
  if (log_bodies_) {
    obs::Debug("gateway", "request body",
               {{"path", request.http.path}, {"body", request.http.body}});
  }
  return std::make_unique<Watch>(*this, request.now, request.chat.model);
}

void SessionTotals::Progress(const Watch* watch, const RequestMeasure& measure) {
  MutexLock lock(mutex_);
  if (measure.reading()) {
    reading_[watch] = {.read = measure.prompt_done(),
                       .left = measure.prompt_total() - measure.prompt_done(),
                       .seconds_left = measure.prefill_seconds_left().value_or(0)};
  } else {
    reading_.erase(watch);
  }
  Reading all;
  for (const auto& [_, one] : reading_) {
    all.read += one.read;
    all.left += one.left;
    all.seconds_left = std::max(all.seconds_left, one.seconds_left);
  }
  prefill_read_.Set(static_cast<double>(all.read));
  prefill_left_.Set(static_cast<double>(all.left));
  prefill_seconds_left_.Set(all.seconds_left);
}

Totals SessionTotals::totals() const {
  MutexLock lock(mutex_);
  return totals_;
}

void SessionTotals::Add(const RequestMeasure& measure, const std::string& model) {
  const chat::Usage& usage = measure.usage();
  const int64_t computed = usage.input_tokens + usage.cache_creation;
  metrics_
      .GetCounter("anyclaude_requests_total", "Requests by what answered and how they ended",
                  {{"served_by", measure.served_by()},
                   {"outcome", std::string(EndingName(measure.ending()))}})
      .Add();
  if (measure.first_ms().has_value()) first_output_.Observe(*measure.first_ms() / 1000);
  if (measure.by_mode()) {
    computed_.Add(static_cast<double>(computed));
    reused_.Add(static_cast<double>(usage.cache_read));
    output_.Add(static_cast<double>(usage.output_tokens));
  }
  obs::Info("gateway", "request",
            {{"model", model},
             {"served_by", measure.served_by()},
             {"outcome", EndingName(measure.ending())},
             {"error", measure.error().message()},
             {"computed", computed},
             {"reused", usage.cache_read},
             {"output", usage.output_tokens},
             {"first_ms", measure.first_ms().value_or(-1)},
             {"total_ms", measure.total_ms()},
             {"tokens_per_s", measure.tokens_per_second().value_or(-1)}});
  MutexLock lock(mutex_);
  ++totals_.requests;
  if (measure.ending() == Ending::kFailed) ++totals_.failed;
  if (measure.ending() == Ending::kCancelled) ++totals_.cancelled;
  if (!measure.by_mode()) {
    ++totals_.answered_here;
    return;  // its tokens were counted when the mode computed them
  }
  totals_.computed_tokens += computed;
  totals_.reused_tokens += usage.cache_read;
  totals_.output_tokens += usage.output_tokens;
  if (measure.ending() == Ending::kComplete && measure.prefill_ms().has_value() &&
      computed >= store::kMinMeasuredTokens) {
    totals_.measured_tokens += computed;
    totals_.measured_ms += *measure.prefill_ms();
  }
}

}  // namespace ac::gateway
