// Runs many generations at once over one model: continuous batching with a shared prefix cache.
//
// Submit() hands a request to the engine thread, which owns every sequence, the page pool and the
// prefix cache; sinks are called from that thread. Each step: drain new requests and cancellations,
// admit, plan (scheduler.h), forward, sample, emit. Submit, Cancel and stats are thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "engine/engine_metrics.h"
#include "engine/engine_options.h"
#include "engine/engine_stats.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/speculation.h"
#include "engine/step_pacer.h"
#include "kv/page_pool.h"
#include "model/forward_model.h"
#include "tokenizer/tokenizer.h"

namespace ac::engine {

struct Sequence;
class SequenceCache;

class Engine {
 public:
  // `model`, `tokenizer` and `clock` must outlive the engine. The thread starts at once.
  Engine(model::ForwardModel& model, const tokenizer::Tokenizer& tokenizer, kv::PagePool pages,
         const EngineOptions& options, Clock& clock = Clock::Real());
  // Cancels what runs and joins the thread; every sink gets its OnFinish.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Whether a prompt of so many tokens can be served: kTooLarge when it does not fit the context,
  // kResourceExhausted, with what would be needed, when the memory for the cache is too small.
  Status CheckPrompt(int64_t tokens) const;
  // Fails at once, without a call to the sink, on an empty prompt or one that CheckPrompt refuses,
  // bad sampling values, or a full queue (kOverloaded).
  Result<RequestId> Submit(GenerateRequest request, std::shared_ptr<TokenSink> sink);
  // What Submit would say of such a prompt now.
  Status CheckRequest(const GenerateRequest& request, std::span<const TokenId> prompt) const;
  // Takes effect at once, within a layer, when nobody else shares the step, and otherwise after the
  // step; the sink gets OnFinish(kCancelled). Unknown ids are ignored.
  void Cancel(RequestId id);

  int64_t context_length() const { return context_length_; }
  // What the memory for keys and values holds.
  int64_t memory_tokens() const;
  EngineStats stats() const;
  // Verifies the KV state between two steps and waits for it; not while the engine is destroyed.
  Status CheckIntegrity();

 private:
  using SequencePtr = std::unique_ptr<Sequence>;

  // The main loop and its stages, in order of use.
  void Run();
  bool Drain();
  void AnswerChecks();
  void Expire();
  void Admit();
  void BringNextToFront();
  void Start(Sequence& sequence);
  std::vector<PlannedChunk> Plan();
  void CountActiveClients();
  bool ReservePages(std::vector<PlannedChunk>* plan);
  void Compute(std::span<const PlannedChunk> plan);
  void BeginStep(std::span<const PlannedChunk> plan);
  void InterruptIfUnwanted() AC_REQUIRES(mutex_);
  Status CheckQueue() const AC_REQUIRES(mutex_);
  model::Chunk InputOf(Sequence& sequence, const PlannedChunk& chunk) const;
  bool FinishArrival(std::span<const PlannedChunk> plan, Nanos begin);
  void ComputeFailed(std::span<const PlannedChunk> plan, const Status& status);
  void Commit(Sequence& sequence, const PlannedChunk& chunk, std::span<const float> logits);
  void SampleChunk(Sequence& sequence, const PlannedChunk& chunk, std::span<const float> logits);
  // The usable tokens that the sequence's constraint allows now; valid until the next call.
  std::span<const uint64_t> AllowedTokens(const Sequence& sequence);
  void CountGuesses(const Sequence& sequence, int computed, int64_t first);
  void AcceptToken(Sequence& sequence, const SampledToken& sampled);
  void AcceptForcedTokens(Sequence& sequence);

  void Preempt(Sequence& sequence);
  void Finish(Sequence& sequence, FinishReason reason, Status status = OkStatus());
  void RemoveFinished();
  Sequence* FindRunning(RequestId id) const;
  Sequence* Find(RequestId id) const;  // waiting ones too
  void UpdateStats();

  model::ForwardModel& model_;
  const tokenizer::Tokenizer& tokenizer_;
  Clock& clock_;
  const EngineOptions options_;
  const int64_t context_length_;

  // The engine thread's own.
  const std::unique_ptr<SequenceCache> cache_;
  bool cache_busy_ = true;  // it restores prefixes although nobody asks for them yet
  std::deque<SequencePtr> waiting_;
  std::list<SequencePtr> running_;                          // in order of arrival
  std::unordered_map<std::string, int64_t> client_tokens_;  // computed for each that runs
  std::vector<float> logits_;
  StepPacer pacer_;
  Speculator speculator_;
  const EngineMetrics metrics_;
  double request_seconds_ = 0;  // that a request took lately, once it was admitted
  // Bit i: token i may be generated: it is text. Empty when every token may.
  std::vector<uint64_t> usable_tokens_;
  std::vector<uint64_t> allowed_tokens_;  // scratch of AllowedTokens
  mutable Mutex mutex_;
  CondVar wake_, checked_;
  std::vector<SequencePtr> submitted_ AC_GUARDED_BY(mutex_);
  std::vector<RequestId> cancelled_ AC_GUARDED_BY(mutex_);
  std::vector<RequestId> in_step_ AC_GUARDED_BY(mutex_);  // whom the running step computes for
  std::atomic<bool> interrupt_{false};                    // nobody wants it any more
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  int checks_wanted_ AC_GUARDED_BY(mutex_) = 0;  // callers of CheckIntegrity that wait
  uint64_t checks_done_ AC_GUARDED_BY(mutex_) = 0;
  Status integrity_ AC_GUARDED_BY(mutex_);
  RequestId next_id_ AC_GUARDED_BY(mutex_) = 1;
  EngineStats stats_ AC_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace ac::engine
