// What the engine is asked and what it answers: tokens in, tokens out. No text formats, no JSON.
//
// Plain data. A TokenSink is called from the engine thread only and must not block; OnFinish is its
// last call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/cache_report.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/token_constraint.h"
#include "kv/place.h"

namespace ac::engine {

using TokenId = int32_t;
using RequestId = uint64_t;

struct GenerateRequest {
  std::vector<TokenId> prompt;
  SamplingParams sampling;
  int64_t max_tokens = 0;  // clamped to what the context leaves; 0: as much as that
  std::vector<std::string> stop_strings;
  std::vector<TokenId> stop_tokens;  // beside the model's own end tokens
  bool ignore_end_tokens = false;    // benchmarks and reference tests generate a fixed count
  int top_logprobs = -1;             // -1: none; 0: of the chosen token only; K: of the K best too
  // What the reply may consist of, in its first state; each sequence works on a fork of it. Null:
  // anything.
  std::shared_ptr<const TokenConstraint> constraint;
  // Where this prompt's cache is worth keeping longest, in ascending order; behind its end: none.
  std::vector<kv::Place> places;
  Priority priority = Priority::kInteractive;
  // The prompt is only read: no token is generated, FinishInfo has the mean of the hidden states.
  // Nothing of it is taken from the cache nor kept there.
  bool embed = false;
  std::string client;  // for fairness; requests with equal names share a turn
};

struct TokenEvent {
  TokenId id = 0;
  // Text that became final with this token: may be empty while a character or a possible stop
  // string is incomplete, and may hold what earlier tokens left open.
  std::string text;
  TokenLogprobs logprobs;  // filled when asked for
};

enum class FinishReason { kEndToken, kStopString, kMaxTokens, kContextFull, kCancelled, kFailed };

struct FinishInfo {
  FinishReason reason = FinishReason::kEndToken;
  std::string text;         // what was still held back
  std::string stop_string;  // of kStopString
  Status status;            // of kFailed and kCancelled
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of these, read from the prefix cache
  CacheReport cache;          // the same in detail
  int64_t output_tokens = 0;
  std::vector<float> embedding;  // of a request that asked for it
  Nanos queued{0};
  Nanos prefill{0};
  Nanos decode{0};
};

class TokenSink {
 public:
  virtual ~TokenSink() = default;
  // The request was admitted; the report says how much of its prompt needs no computing.
  virtual void OnStart(const CacheReport& report) = 0;
  virtual void OnProgress(int64_t prompt_done, int64_t prompt_total) = 0;
  virtual void OnToken(const TokenEvent& event) = 0;
  virtual void OnFinish(const FinishInfo& info) = 0;
};

}  // namespace ac::engine
