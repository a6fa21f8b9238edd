// Answers conversations with the embedded engine.
//
// Start() posts the slow part (template, tokeniser) to preparation threads, then what is slower
// still (the grammar of tools that are new) to another; submits to the engine and turns its tokens
// into chat events: text, thinking, tool calls, usage. Thread-safe; must be destroyed before the
// engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cache_diagnosis.h"
#include "backend/early_starts.h"
#include "backend/local_call.h"
#include "backend/reply_grammar.h"
#include "backend/task_queue.h"
#include "backend/text_tools.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "chat/ids.h"
#include "engine/engine.h"
#include "obs/metrics.h"
#include "prompt/generated_turns.h"
#include "prompt/prompt_builder.h"
#include "prompt/turn_log.h"
#include "tokenizer/tokenizer.h"
#include "toolcall/toolcall.h"

namespace ac::backend {

struct LocalOptions {
  std::string model_id;  // "qwen2.5-coder-7b-q4_k_m"
  std::string display_name;
  engine::SamplingParams sampling;  // what a request leaves unset
  chat::IdSource* ids = nullptr;    // null: random ones
  int preparation_threads = 2;
  // A message begins this long after its request, or when its prompt is read if that takes longer,
  // even if the engine is busy.
  Nanos start_patience = std::chrono::milliseconds(20);
  // Where generated turns are kept over restarts, a file per vocabulary; empty: in memory only.
  std::string turn_log_folder;
  obs::Metrics* metrics = nullptr;  // must outlive the backend
};

class LocalBackend : public Backend, public TextTools {
 public:
  LocalBackend(engine::Engine& engine, const tokenizer::Tokenizer& tokenizer,
               std::unique_ptr<const prompt::PromptBuilder> prompts, LocalOptions options);
  ~LocalBackend() override;

  std::unique_ptr<Call> Start(chat::ChatRequest request,
                              std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;
  void Tokenize(chat::ChatRequest request, TokensCallback done) override;
  std::string Detokenize(std::span<const int32_t> tokens) const override;
  std::unique_ptr<Call> Embed(std::vector<chat::RawPrompt> texts, EmbeddingsCallback done) override;

  const prompt::PromptBuilder& prompts() const { return *prompts_; }

 private:
  struct Prepared;
  void Prepare(chat::ChatRequest request, LocalCall& call, Nanos arrived);
  Status ReadPrompt(Prepared* prepared, LocalCall& call);
  void Submit(Prepared& prepared, std::shared_ptr<const engine::TokenConstraint> constraint,
              LocalCall& call);
  // What the engine would refuse.
  Status CheckSubmission(const Prepared& prepared) const;
  void CompileAndSubmit(Prepared& prepared, LocalCall& call);
  void RememberTurn(prompt::GeneratedTurn turn);

  engine::Engine& engine_;
  const tokenizer::Tokenizer& tokenizer_;
  const std::unique_ptr<const prompt::PromptBuilder> prompts_;
  const LocalOptions options_;
  const toolcall::Family family_;
  ReplyGrammars grammars_;
  prompt::GeneratedTurns turns_;
  CacheDiagnosis diagnosis_;
  RepetitionCounters repetitions_;
  Mutex log_mutex_;
  std::unique_ptr<prompt::TurnLog> turn_log_ AC_GUARDED_BY(log_mutex_);  // null: none
  EarlyStarts early_starts_;
  TaskQueue background_;   // what no message's beginning waits for: grammars, the turn log
  TaskQueue preparation_;  // posts to the one above, so it ends first
};

}  // namespace ac::backend
