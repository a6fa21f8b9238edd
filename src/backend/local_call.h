// One conversation being answered by the engine: its replies (n of them), their events, their end.
//
// Shared between the Call the caller holds and the engine's sinks. Emission is serialised by a
// mutex; after Detach() nothing reaches the sink any more. Private to backend/.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/cache_diagnosis.h"
#include "backend/reply_stream.h"
#include "base/mutex.h"
#include "chat/chat.h"
#include "chat/event.h"
#include "chat/ids.h"
#include "engine/engine.h"
#include "obs/metrics.h"
#include "prompt/generated_turns.h"
#include "prompt/prompt_parts.h"
#include "tokenizer/tokenizer.h"

namespace ac::backend {

// Calls that a reply repeated once more than it should (chat/repeated_call.h).
struct RepetitionCounters {
  obs::Counter resampled;    // thrown away and generated again
  obs::Counter let_through;  // still the same after every try
};

// What became of a finished reply, to be found again when the client sends it back.
using TurnListener = std::function<void(prompt::GeneratedTurn)>;

class LocalCall : public std::enable_shared_from_this<LocalCall> {
 public:
  LocalCall(engine::Engine& engine, const tokenizer::Tokenizer& tokenizer,
            std::shared_ptr<chat::ChatSink> sink, chat::IdSource& ids)
      : engine_(engine), tokenizer_(tokenizer), ids_(ids), sink_(std::move(sink)) {}

  // Submits one generation per prompt and choice. A failure is reported through the sink.
  void Submit(const chat::ChatRequest& request, std::vector<std::vector<int32_t>> prompts,
              const engine::GenerateRequest& settings, ReplyFormat format);
  // Before Submit: `opening` is what the prompt gives the reply to begin with.
  void ListenToTurns(std::string opening, TurnListener listener);
  // Before Submit: answers what became of the cache since the message the client names.
  void Diagnose(CacheDiagnosis* diagnosis, std::string previous_message_id, RequestDigest digest);
  // Before Submit: what the prompt consists of, to say what the cache did with it.
  void Describe(std::vector<prompt::PromptPart> parts, int64_t prompt_tokens);
  // Before BeginEarly and Submit: what a message tells of its request at its beginning.
  void Introduce(const std::string& model, int64_t prompt_tokens);
  // Begins the message although the engine has not admitted the request, or not even been told of
  // it: the client sees that it is heard. Nothing when it has begun, or when it must carry a
  // diagnosis that only the engine can give.
  void BeginEarly();
  // Nobody listens any more: what is not begun need not be.
  bool over();
  // Before Submit: counts what became of calls that were repeated.
  void CountRepetitions(const RepetitionCounters* counters);
  // One Error event, then nothing.
  void Fail(const Status& status);
  // The caller is gone: nothing is emitted any more, the engine stops its work.
  void Detach();

 private:
  class ChoiceSink;
  // One of the n replies.
  struct Choice {
    ReplyStream reply;
    engine::GenerateRequest settings{};  // as submitted; kept where a repetition is looked for
    engine::RequestId request = 0;
    std::vector<int32_t> sampled{};  // its tokens
    int attempt = 0;
    int64_t kept_tokens = 0;  // of earlier attempts
    std::vector<std::string> notes{};
  };

  void OnStart(const engine::CacheReport& report);
  void OnProgress(int choice, int64_t done, int64_t total);
  chat::PromptFacts FactsOf(const engine::CacheReport& report) const AC_REQUIRES(mutex_);
  void Begin(chat::MessageStart start) AC_REQUIRES(mutex_);
  void OnToken(int choice, int attempt, const engine::TokenEvent& event);
  void OnFinish(int choice, int attempt, const engine::FinishInfo& info);
  Result<engine::RequestId> SubmitChoice(int choice, engine::GenerateRequest generate)
      AC_REQUIRES(mutex_);
  void EmitFinish(int choice, const engine::FinishInfo& info, const chat::Usage& usage)
      AC_REQUIRES(mutex_);
  void SettleRepetition(int choice) AC_REQUIRES(mutex_);
  bool TryAgain(int choice) AC_REQUIRES(mutex_);
  void Emit(chat::ChatEvent event) AC_REQUIRES(mutex_);
  void EmitAll(std::vector<chat::ChatEvent> events) AC_REQUIRES(mutex_);
  void TellTurn(int choice) AC_REQUIRES(mutex_);
  void FailLocked(const Status& status) AC_REQUIRES(mutex_);

  engine::Engine& engine_;
  const tokenizer::Tokenizer& tokenizer_;
  chat::IdSource& ids_;

  Mutex mutex_;
  std::shared_ptr<chat::ChatSink> sink_ AC_GUARDED_BY(mutex_);  // null once over or detached
  std::vector<Choice> choices_ AC_GUARDED_BY(mutex_);
  const RepetitionCounters* repetitions_ AC_GUARDED_BY(mutex_) = nullptr;
  std::string opening_ AC_GUARDED_BY(mutex_);
  TurnListener turn_listener_ AC_GUARDED_BY(mutex_);
  CacheDiagnosis* diagnosis_ AC_GUARDED_BY(mutex_) = nullptr;
  std::string previous_message_id_ AC_GUARDED_BY(mutex_);
  RequestDigest digest_ AC_GUARDED_BY(mutex_);
  std::vector<prompt::PromptPart> parts_ AC_GUARDED_BY(mutex_);
  int64_t last_mark_ AC_GUARDED_BY(mutex_) = 0;  // tokens that the client asked to be stored
  std::string model_ AC_GUARDED_BY(mutex_);
  chat::Usage usage_ AC_GUARDED_BY(mutex_);
  bool wants_logprobs_ AC_GUARDED_BY(mutex_) = false;
  int64_t prompt_tokens_ AC_GUARDED_BY(mutex_) = 0;  // of the first prompt
  bool begun_ AC_GUARDED_BY(mutex_) = false;         // MessageStart is out
  bool admitted_ AC_GUARDED_BY(mutex_) = false;      // the engine has said what its cache holds
  size_t finished_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::backend
