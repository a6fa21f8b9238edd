#include "engine/engine.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>

#include "engine/internal/sequence.h"
#include "engine/internal/sequence_cache.h"

namespace ac::engine {
namespace {

// How often an engine without other work looks whether the disk is done.
constexpr Nanos kCachePoll = std::chrono::milliseconds(1);

std::vector<uint64_t> UsableTokens(const tokenizer::Tokenizer& tokenizer, int vocab_size) {
  std::vector<uint64_t> mask(static_cast<size_t>(vocab_size + 63) / 64);
  bool all = true;
  for (int32_t id = 0; id < vocab_size; ++id) {
    const bool usable =
        id < tokenizer.vocab_size() && tokenizer.type(id) != tokenizer::TokenType::kUnused;
    all = all && usable;
    if (usable) mask[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  if (all) mask.clear();
  return mask;
}

}  // namespace

Engine::Engine(model::ForwardModel& model, const tokenizer::Tokenizer& tokenizer,
               kv::PagePool pages, const EngineOptions& options, Clock& clock)
    : model_(model),
      tokenizer_(tokenizer),
      clock_(clock),
      options_(options),
      context_length_(options.context_length > 0
                          ? std::min(options.context_length, model.context_length())
                          : model.context_length()),
      cache_(std::make_unique<SequenceCache>(
          std::move(pages), tokenizer, clock,
          SequenceCacheOptions{options.prefix_cache, options.disk, options.metrics,
                               model.state_bytes(), options.state_memory_bytes})),
      pacer_(options.max_step_tokens, options.step_seconds),
      speculator_(options.speculation, options.draft),
      metrics_(options.metrics),
      usable_tokens_(UsableTokens(tokenizer, model.vocab_size())) {
  model_.SetInterrupt(&interrupt_);
  thread_ = std::thread([this] { Run(); });
}

Engine::~Engine() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    InterruptIfUnwanted();
  }
  wake_.NotifyAll();
  thread_.join();
  model_.SetInterrupt(nullptr);
}

Status Engine::CheckQueue() const {
  if (stopping_) return Unavailable("[engine] shutting down");
  if (stats_.queued < options_.max_queued) return OkStatus();
  metrics_.Refused();
  return Status(Code::kOverloaded, "[engine] " + std::to_string(stats_.queued) +
                                       " requests are waiting; try again later");
}

int64_t Engine::memory_tokens() const { return cache_->capacity_tokens(); }

Status Engine::CheckPrompt(int64_t tokens) const {
  if (tokens >= context_length_) {
    return Status(Code::kTooLarge, "[engine] prompt of " + std::to_string(tokens) +
                                       " tokens does not fit the context of " +
                                       std::to_string(context_length_));
  }
  if (tokens < memory_tokens()) return OkStatus();
  const auto megabytes = [this](int64_t count) {
    const auto bytes = static_cast<uint64_t>(count) * cache_->pool().layout().token_bytes();
    return std::to_string((bytes + (1 << 20) - 1) >> 20);
  };
  return Status(Code::kResourceExhausted,
                "[engine] prompt of " + std::to_string(tokens) + " tokens needs " +
                    megabytes(tokens + 1) + " MiB of KV cache; there are " +
                    megabytes(memory_tokens()) + " MiB for " + std::to_string(memory_tokens()) +
                    " tokens: raise kv.memory_mb");
}

Status Engine::CheckRequest(const GenerateRequest& request, std::span<const TokenId> ids) const {
  const auto prompt = static_cast<int64_t>(ids.size());
  if (prompt == 0) return InvalidArgument("[engine] the prompt is empty");
  AC_RETURN_IF_ERROR(CheckPrompt(prompt));
  if (request.embed && model_.embedding_size() == 0) {
    return Unsupported("[engine] this model gives no embeddings");
  }
  AC_RETURN_IF_ERROR(CheckSamplingParams(request.sampling));
  for (const TokenId token : ids) {
    if (token < 0 || token >= model_.vocab_size()) {
      return InvalidArgument("[engine] token " + std::to_string(token) +
                             " is not in the vocabulary of " + std::to_string(model_.vocab_size()));
    }
  }
  MutexLock lock(mutex_);
  return CheckQueue();
}

Result<RequestId> Engine::Submit(GenerateRequest request, std::shared_ptr<TokenSink> sink) {
  AC_RETURN_IF_ERROR(CheckRequest(request, request.prompt));
  const int64_t room =
      std::min(context_length_, memory_tokens()) - static_cast<int64_t>(request.prompt.size());
  const int64_t wanted = request.max_tokens > 0 ? std::min(request.max_tokens, room) : room;

  MutexLock lock(mutex_);
  AC_RETURN_IF_ERROR(CheckQueue());
  const RequestId id = next_id_++;
  auto sequence =
      std::make_unique<Sequence>(id, std::move(request), std::move(sink), tokenizer_, clock_.Now());
  sequence->max_outputs = wanted;
  submitted_.push_back(std::move(sequence));
  ++stats_.queued;
  ++stats_.requests;
  wake_.NotifyOne();
  return id;
}

void Engine::Cancel(RequestId id) {
  MutexLock lock(mutex_);
  cancelled_.push_back(id);
  InterruptIfUnwanted();
  wake_.NotifyOne();
}

// A step that still serves somebody goes on to its end: others' tokens are not thrown away.
void Engine::InterruptIfUnwanted() {
  const auto unwanted = [this](RequestId id) {
    return std::find(cancelled_.begin(), cancelled_.end(), id) != cancelled_.end();
  };
  interrupt_ =
      !in_step_.empty() && (stopping_ || std::all_of(in_step_.begin(), in_step_.end(), unwanted));
}

EngineStats Engine::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

Status Engine::CheckIntegrity() {
  MutexLock lock(mutex_);
  const uint64_t before = checks_done_;
  ++checks_wanted_;
  wake_.NotifyOne();
  while (checks_done_ == before) checked_.Wait(mutex_);
  return integrity_;
}

// --- The engine thread
// ----------------------------------------------------------------------------

void Engine::Run() {
  while (Drain()) {
    AnswerChecks();
    Expire();
    Admit();
    std::vector<PlannedChunk> plan = Plan();
    if (!plan.empty() && ReservePages(&plan)) Compute(plan);
    RemoveFinished();
    cache_->SetDecoding(std::any_of(running_.begin(), running_.end(),
                                    [](const auto& s) { return s->prompt_done(); }));
    UpdateStats();
  }
}

// Takes over what other threads asked for; sleeps while there is nothing to do. False: stop.
bool Engine::Drain() {
  std::vector<SequencePtr> submitted;
  std::vector<RequestId> cancelled;
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    while (submitted_.empty() && cancelled_.empty() && !stopping_ && running_.empty() &&
           waiting_.empty() && checks_wanted_ == 0) {
      if (!cache_busy_) {
        wake_.Wait(mutex_);
      } else if (!wake_.WaitFor(mutex_, kCachePoll)) {
        break;
      }
    }
    // Those that wait for the disk are looked after in every turn; nothing else is to do.
    if (submitted_.empty() && cancelled_.empty() && !stopping_ && running_.empty() &&
        !waiting_.empty() && checks_wanted_ == 0) {
      wake_.WaitFor(mutex_, kCachePoll);
    }
    submitted.swap(submitted_);
    cancelled.swap(cancelled_);
    stopping = stopping_;
  }
  for (SequencePtr& sequence : submitted) waiting_.push_back(std::move(sequence));
  for (const RequestId id : cancelled) {
    if (Sequence* sequence = Find(id)) {
      Finish(*sequence, FinishReason::kCancelled, Status(Code::kCancelled, "[engine] cancelled"));
    }
  }
  if (stopping) {
    const Status status = Unavailable("[engine] the server is shutting down");
    for (const auto& sequence : running_) Finish(*sequence, FinishReason::kCancelled, status);
    for (const auto& sequence : waiting_) Finish(*sequence, FinishReason::kCancelled, status);
  }
  RemoveFinished();
  return !stopping;
}

void Engine::AnswerChecks() {
  {
    MutexLock lock(mutex_);
    if (checks_wanted_ == 0) return;
  }
  std::vector<const Sequence*> running;
  for (const auto& sequence : running_) running.push_back(sequence.get());
  Status status = cache_->CheckIntegrity(running);
  if (status.ok()) status = speculator_.CheckIntegrity();
  MutexLock lock(mutex_);
  integrity_ = status;
  checks_wanted_ = 0;
  ++checks_done_;
  checked_.NotifyAll();
}

// Ends what waited or ran longer than it may.
void Engine::Expire() {
  const Nanos now = clock_.Now();
  const auto older = [now](const Sequence& sequence, double limit) {
    return limit > 0 && Seconds(now - sequence.submitted) > limit;
  };
  const auto expire = [&](Sequence& sequence) {
    if (!sequence.started && older(sequence, options_.queue_timeout_seconds)) {
      Finish(sequence, FinishReason::kFailed,
             Status(Code::kOverloaded, "[engine] no place came free in time; try again later"));
    } else if (older(sequence, options_.request_timeout_seconds)) {
      Finish(sequence, FinishReason::kFailed,
             Status(Code::kDeadlineExceeded,
                    "[engine] the request took longer than engine.request_timeout_s allows; what "
                    "it computed of its prompt is kept for the next try"));
    }
  };
  for (const auto& sequence : waiting_) expire(*sequence);
  for (const auto& sequence : running_) expire(*sequence);
  RemoveFinished();
}

// The waiting request whose turn it is.
void Engine::BringNextToFront() {
  const auto state = [this](const Sequence& sequence) {
    const auto same_client = [&](const SequencePtr& other) {
      return other->request.client == sequence.request.client;
    };
    return WaitingState{.id = sequence.id,
                        .priority = sequence.request.priority,
                        .client_running = static_cast<int>(
                            std::count_if(running_.begin(), running_.end(), same_client))};
  };
  const auto next = std::min_element(
      waiting_.begin(), waiting_.end(),
      [&](const auto& a, const auto& b) { return AdmittedBefore(state(*a), state(*b)); });
  std::iter_swap(waiting_.begin(), next);
}

void Engine::Admit() {
  cache_busy_ = cache_->Tend();
  std::deque<SequencePtr> not_yet;
  while (!waiting_.empty() && static_cast<int>(running_.size()) < options_.max_running) {
    BringNextToFront();
    Sequence& sequence = *waiting_.front();
    // One that was sent back waits for its memory, and those behind it with it: else they would
    // take what it waits for.
    if (sequence.preempted && !cache_->HasRoomFor(sequence, running_)) break;
    const bool alone = running_.empty() && waiting_.size() == 1 && not_yet.empty();
    if (!cache_->Prepare(sequence, running_, alone)) {
      not_yet.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      continue;
    }
    sequence.preempted = false;
    // While pages arrive, what the cache gives is not known.
    if (!sequence.arriving) Start(sequence);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  std::move(not_yet.begin(), not_yet.end(), std::back_inserter(waiting_));
}

void Engine::Start(Sequence& sequence) {
  if (sequence.started) return;
  sequence.started = true;
  sequence.admitted = clock_.Now();
  sequence.info.cached_tokens = sequence.computed;
  sequence.sink->OnStart(sequence.info.cache);
}

// Gives every planned chunk its pages. A chunk that finds none preempts the newest sequence after
// it; when it is itself the newest it waits, and when it is alone the request cannot be served.
bool Engine::ReservePages(std::vector<PlannedChunk>* plan) {
  for (PlannedChunk& chunk : *plan) {
    Sequence* sequence = FindRunning(chunk.id);
    if (sequence == nullptr) continue;  // preempted for an earlier chunk
    while (!cache_->Grow(*sequence, chunk.begin + chunk.count)) {
      if (chunk.drafted > 0) {  // guesses are worth no one else's pages
        chunk.count -= chunk.drafted;
        chunk.drafted = 0;
        continue;
      }
      Sequence& newest = *running_.back();
      if (running_.size() == 1) {
        Finish(newest, FinishReason::kFailed,
               Status(Code::kResourceExhausted,
                      "[engine] the KV cache is too small for this request: " +
                          std::to_string(cache_->capacity_tokens()) +
                          " tokens in all; raise kv.memory_mb"));
        break;
      }
      Preempt(newest);
      if (&newest == sequence) break;
    }
  }
  std::erase_if(*plan, [this](const PlannedChunk& chunk) {
    const Sequence* sequence = FindRunning(chunk.id);
    return sequence == nullptr || sequence->finished ||
           !cache_->Holds(*sequence, chunk.begin + chunk.count);
  });
  return !plan->empty();
}

// Sends a running sequence back to the queue until there is room for all of it. What it computed
// stays in the cache and goes to the disk tier, so it usually comes back without computing
// everything again.
void Engine::Preempt(Sequence& sequence) {
  sequence.preempted = true;
  cache_->Publish(sequence, /*finished=*/true);
  cache_->Release(sequence);
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [&](const auto& s) { return s.get() == &sequence; });
  waiting_.push_front(std::move(*it));
  running_.erase(it);
  metrics_.Preempted();
  MutexLock lock(mutex_);
  ++stats_.preemptions;
}

void Engine::Finish(Sequence& sequence, FinishReason reason, Status status) {
  if (sequence.finished) return;
  sequence.finished = true;
  speculator_.End(sequence);
  cache_->Publish(sequence, /*finished=*/true);
  cache_->Release(sequence);
  FinishInfo& info = sequence.info;
  info.reason = reason;
  info.status = std::move(status);
  if (reason == FinishReason::kStopString) {
    info.stop_string = std::string(sequence.stops.match());
  } else {
    info.text = sequence.stops.Push(sequence.decoder.Flush()) + sequence.stops.Finish();
  }
  const Nanos now = clock_.Now();
  info.prompt_tokens = static_cast<int64_t>(sequence.request.prompt.size());
  info.output_tokens = sequence.outputs;
  info.queued = (sequence.started ? sequence.admitted : now) - sequence.submitted;
  if (sequence.started) {
    const Nanos prefilled = sequence.outputs > 0 ? sequence.first_token : now;
    info.prefill = prefilled - sequence.admitted;
    info.decode = now - prefilled;
    cache_->Observe(&info);
  }
  metrics_.Finished(info);
  if (sequence.outputs > 0) {
    const double took = Seconds(info.prefill + info.decode);
    request_seconds_ = request_seconds_ == 0 ? took : 0.8 * request_seconds_ + 0.2 * took;
  }
  sequence.sink->OnFinish(info);
}

void Engine::RemoveFinished() {
  const auto count = [this](const SequencePtr& sequence) {
    if (!sequence->finished) return false;
    MutexLock lock(mutex_);
    stats_.prompt_tokens += static_cast<uint64_t>(sequence->info.prompt_tokens);
    stats_.cached_tokens += static_cast<uint64_t>(sequence->info.cached_tokens);
    stats_.output_tokens += static_cast<uint64_t>(sequence->info.output_tokens);
    return true;
  };
  std::erase_if(running_, count);
  std::erase_if(waiting_, count);
}

Sequence* Engine::FindRunning(RequestId id) const {
  for (const auto& sequence : running_) {
    if (sequence->id == id) return sequence.get();
  }
  return nullptr;
}

Sequence* Engine::Find(RequestId id) const {
  if (Sequence* sequence = FindRunning(id)) return sequence;
  for (const auto& sequence : waiting_) {
    if (sequence->id == id) return sequence.get();
  }
  return nullptr;
}

void Engine::UpdateStats() {
  EngineMetrics::Levels levels{.queued = 0,
                               .running = static_cast<int64_t>(running_.size()),
                               .prompt_tokens_waiting = 0,
                               .pages_total = cache_->pool().total_pages(),
                               .pages_free = cache_->pool().free_pages(),
                               .pages_cached = cache_->cached_pages()};
  for (const auto& sequence : running_) {
    if (!sequence->prompt_done()) {
      levels.prompt_tokens_waiting += sequence->known() - sequence->computed;
    }
  }
  const std::optional<kv::DiskStats> disk = cache_->disk_stats();
  {
    MutexLock lock(mutex_);
    if (disk) {
      stats_.disk_pages = static_cast<int64_t>(disk->files);
      stats_.disk_bytes = static_cast<int64_t>(disk->bytes);
      stats_.disk_bad_pages = static_cast<int64_t>(disk->bad_pages);
      stats_.disk_writing = disk->writing;
    }
    levels.queued = static_cast<int64_t>(waiting_.size() + submitted_.size());
    stats_.running = levels.running;
    stats_.queued = levels.queued;
    stats_.pages_total = levels.pages_total;
    stats_.pages_free = levels.pages_free;
    stats_.pages_cached = levels.pages_cached;
    // Everybody in the queue takes a turn before the next one.
    constexpr double kLongestWait = 120;
    const double turns = 1 + static_cast<double>(levels.queued) / options_.max_running;
    stats_.retry_after_s =
        static_cast<int64_t>(std::clamp(std::ceil(turns * request_seconds_), 1.0, kLongestWait));
  }
  metrics_.Set(levels);
}

}  // namespace ac::engine
