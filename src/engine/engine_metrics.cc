#include "engine/engine_metrics.h"

#include <iterator>

namespace ac::engine {
namespace {

// Steps are shorter than requests: a tenth of a millisecond to ten seconds.
std::vector<double> StepBounds() {
  return {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 3, 10};
}

// Of guesses: the conversation's own text, the draft model.
constexpr const char* kSources[] = {"text", "model"};

constexpr const char* kReasons[] = {"end",     "stop_string", "max_tokens",
                                    "context", "cancelled",   "failed"};

}  // namespace

EngineMetrics::EngineMetrics(obs::Metrics* metrics) {
  if (metrics == nullptr) return;
  const auto gauge = [&](const char* name, const char* help) {
    return metrics->GetGauge(std::string("anyclaude_engine_") + name, help);
  };
  const auto counter = [&](const char* name, const char* help) {
    return metrics->GetCounter(std::string("anyclaude_engine_") + name + "_total", help);
  };
  queued_ = gauge("queued_requests", "Requests that wait for a place.");
  running_ = gauge("running_requests", "Requests that share steps.");
  prompt_tokens_waiting_ =
      gauge("waiting_prompt_tokens", "Prompt tokens of running requests not computed yet.");
  pages_total_ = gauge("kv_total_pages", "Pages of the KV cache.");
  pages_free_ = gauge("kv_free_pages", "Pages nobody uses.");
  pages_cached_ = gauge("kv_cached_pages", "Pages of remembered prefixes.");
  prompt_tokens_ = counter("prompt_tokens", "Prompt tokens of finished requests.");
  cached_tokens_ = counter("cached_tokens", "Of these, found in the cache.");
  output_tokens_ = counter("output_tokens", "Tokens generated.");
  for (size_t i = 0; i < std::size(kSources); ++i) {
    const obs::Labels source = {{"source", kSources[i]}};
    guessed_[i] = metrics->GetCounter("anyclaude_engine_guessed_tokens_total",
                                      "Guessed tokens computed by speculation.", source);
    guessed_right_[i] = metrics->GetCounter("anyclaude_engine_guessed_right_tokens_total",
                                            "Of these, accepted.", source);
  }
  preemptions_ = counter("preemptions", "Requests sent back to the queue for lack of memory.");
  refused_ = counter("refused_requests", "Requests refused because the queue was full.");
  for (size_t i = 0; i < std::size(kReasons); ++i) {
    finished_[i] = metrics->GetCounter("anyclaude_engine_requests_total",
                                       "Finished requests by reason.", {{"reason", kReasons[i]}});
  }
  const auto step = [&](const char* kind) {
    return metrics->GetHistogram("anyclaude_engine_step_seconds",
                                 "Time of one step by what it ran.", StepBounds(),
                                 {{"kind", kind}});
  };
  decode_step_ = step("decode");
  prompt_step_ = step("prompt");
  mixed_step_ = step("mixed");
  const auto phase = [&](const char* name) {
    return metrics->GetHistogram("anyclaude_engine_phase_seconds", "Time of a request's phases.",
                                 obs::LatencyBounds(), {{"phase", name}});
  };
  queue_time_ = phase("queue");
  prefill_time_ = phase("prefill");
  decode_time_ = phase("decode");
}

void EngineMetrics::Step(std::span<const PlannedChunk> plan, double seconds) const {
  size_t prompts = 0;
  for (const PlannedChunk& chunk : plan) prompts += chunk.is_prompt ? 1 : 0;
  const obs::Histogram& kind = prompts == 0             ? decode_step_
                               : prompts == plan.size() ? prompt_step_
                                                        : mixed_step_;
  kind.Observe(seconds);
}

void EngineMetrics::Set(const Levels& levels) const {
  queued_.Set(static_cast<double>(levels.queued));
  running_.Set(static_cast<double>(levels.running));
  prompt_tokens_waiting_.Set(static_cast<double>(levels.prompt_tokens_waiting));
  pages_total_.Set(static_cast<double>(levels.pages_total));
  pages_free_.Set(static_cast<double>(levels.pages_free));
  pages_cached_.Set(static_cast<double>(levels.pages_cached));
}

void EngineMetrics::Guesses(speculation::Draft::Source source, int computed, int right) const {
  if (computed == 0) return;
  guessed_[static_cast<size_t>(source)].Add(computed);
  guessed_right_[static_cast<size_t>(source)].Add(right);
}

void EngineMetrics::Finished(const FinishInfo& info) const {
  finished_[static_cast<size_t>(info.reason)].Add();
  prompt_tokens_.Add(static_cast<double>(info.prompt_tokens));
  cached_tokens_.Add(static_cast<double>(info.cached_tokens));
  queue_time_.Observe(Seconds(info.queued));
  prefill_time_.Observe(Seconds(info.prefill));
  decode_time_.Observe(Seconds(info.decode));
}

}  // namespace ac::engine
