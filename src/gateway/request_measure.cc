#include "gateway/request_measure.h"

#include <algorithm>

namespace ac::gateway {

std::string_view EndingName(Ending ending) {
  switch (ending) {
    case Ending::kComplete:
      return "complete";
    case Ending::kFailed:
      return "failed";
    case Ending::kCancelled:
      return "cancelled";
  }
  return "cancelled";
}

void RequestMeasure::Apply(const chat::ChatEvent& event, Nanos now) {
  if (const auto* start = event.As<chat::MessageStart>()) {
    if (start->admitted) accepted_ = now;
    usage_ = start->usage;
    diagnosis_ = start->diagnosis;
    prompt_ = start->prompt;
    served_by_ = start->served_by;
  } else if (const auto* ping = event.As<chat::Ping>()) {
    if (ping->prompt_total > 0) {
      if (!accepted_) accepted_ = now;
      prompt_done_ = ping->prompt_done;
      prompt_total_ = ping->prompt_total;
      last_progress_ = {now, prompt_done_};
      if (!first_progress_) first_progress_ = last_progress_;
    }
  } else if (const auto* delta = event.As<chat::MessageDelta>()) {
    stop_reason_ = delta->stop_reason;
    if (delta->prompt.has_value()) prompt_ = delta->prompt;
    notes_.insert(notes_.end(), delta->notes.begin(), delta->notes.end());
    if (delta->usage.PromptTokens() > 0 || delta->usage.output_tokens > 0) usage_ = delta->usage;
  } else if (const auto* error = event.As<chat::Error>()) {
    error_ = error->status;
  } else if (const auto* block = event.As<chat::BlockStart>();
             block != nullptr && !block->note && !first_output_.has_value()) {
    first_output_ = now;
  }
}

void RequestMeasure::End(Ending ending, Nanos now) {
  ending_ = ending;
  ended_ = now;
  if (ending == Ending::kComplete || answering()) return;
  // Stopped while reading: only what was read has been computed.
  usage_.input_tokens = std::max<int64_t>(0, prompt_done_ - usage_.cache_read);
  usage_.cache_creation = 0;
}

std::optional<double> RequestMeasure::Since(std::optional<Nanos> time, Nanos from) {
  if (!time.has_value()) return std::nullopt;
  return Seconds(*time - from) * 1000;
}

std::optional<double> RequestMeasure::prefill_ms() const {
  if (!accepted_ || !first_output_ || prompt_total_ == 0) return std::nullopt;
  return Since(first_output_, *accepted_);
}

std::optional<double> RequestMeasure::prefill_seconds_left() const {
  if (!reading()) return std::nullopt;
  const double seconds = Seconds(last_progress_.at - first_progress_->at);
  const auto read = static_cast<double>(last_progress_.done - first_progress_->done);
  if (seconds <= 0 || read <= 0) return std::nullopt;
  return static_cast<double>(prompt_total_ - prompt_done_) / read * seconds;
}

std::optional<double> RequestMeasure::tokens_per_second() const {
  if (!first_output_ || !ended_ || usage_.output_tokens < 2) return std::nullopt;
  const double seconds = Seconds(*ended_ - *first_output_);
  if (seconds <= 0) return std::nullopt;
  return static_cast<double>(usage_.output_tokens - 1) / seconds;
}

}  // namespace ac::gateway
