// The numbers of one request as they are seen passing by: tokens, times, how it ended.
//
// A value that is fed events; not thread-safe. Only what was measured is there: a time that no
// event gave stays empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chat/event.h"
#include "gateway/observer.h"

namespace ac::gateway {

class RequestMeasure {
 public:
  RequestMeasure(Nanos started, std::string mode) : mode_(std::move(mode)), started_(started) {}

  void Apply(const chat::ChatEvent& event, Nanos now);
  void End(Ending ending, Nanos now);

  // The mode, or what answered in its place.
  const std::string& served_by() const { return served_by_.empty() ? mode_ : served_by_; }
  bool by_mode() const { return served_by_.empty() || served_by_ == mode_; }
  const chat::Usage& usage() const { return usage_; }
  const std::optional<chat::CacheDiagnosis>& diagnosis() const { return diagnosis_; }
  // What the embedded engine did with the prompt, as far as it has told.
  const std::optional<chat::PromptFacts>& prompt() const { return prompt_; }
  const std::optional<chat::StopReason>& stop_reason() const { return stop_reason_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const Status& error() const { return error_; }
  Ending ending() const { return ending_; }
  // How much of the prompt is read, where the backend tells.
  int64_t prompt_done() const { return prompt_done_; }
  int64_t prompt_total() const { return prompt_total_; }
  // While the prompt is read: at the speed since progress was first told.
  bool reading() const { return prompt_total_ > 0 && !answering() && !ended_.has_value(); }
  std::optional<double> prefill_seconds_left() const;
  bool accepted() const { return accepted_.has_value(); }
  bool answering() const { return first_output_.has_value(); }

  // Milliseconds.
  std::optional<double> accepted_ms() const { return Since(accepted_, started_); }
  std::optional<double> first_ms() const { return Since(first_output_, started_); }
  // From admission to the first output, where the backend reported progress in between: without
  // that, admission may have been reported late.
  std::optional<double> prefill_ms() const;
  double total_ms() const { return Since(ended_, started_).value_or(0); }
  // Of the output, once it is over.
  std::optional<double> tokens_per_second() const;

 private:
  static std::optional<double> Since(std::optional<Nanos> time, Nanos from);

  const std::string mode_;
  const Nanos started_;
  std::optional<Nanos> accepted_;
  std::optional<Nanos> first_output_;
  std::optional<Nanos> ended_;
  chat::Usage usage_;
  std::optional<chat::CacheDiagnosis> diagnosis_;
  std::optional<chat::PromptFacts> prompt_;
  std::optional<chat::StopReason> stop_reason_;
  std::string served_by_;
  std::vector<std::string> notes_;
  Status error_;
  Ending ending_ = Ending::kCancelled;
  int64_t prompt_done_ = 0;
  int64_t prompt_total_ = 0;
  struct Progress {
    Nanos at{0};
    int64_t done = 0;
  };
  std::optional<Progress> first_progress_;
  Progress last_progress_;
};

std::string_view EndingName(Ending ending);  // "complete", "failed", "cancelled"

}  // namespace ac::gateway
