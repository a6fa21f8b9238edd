// What the cache did for one request: where its prompt came from, and why not more of it.
//
// Filled in while the request runs: the token counts and the divergence are final when OnStart is
// called, `lost_seconds` when OnFinish is. Plain data; a copy may be kept and sent to any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace ac::engine {

// Where a prompt stopped being what the cache holds: from token `at` on, the longest cached
// beginning goes on with other tokens.
struct Divergence {
  int64_t at = 0;           // index of the first token that differs; what is before it was reused
  int64_t cached = 0;       // tokens the cache holds behind `at`, on the branch used last
  int64_t lost = 0;         // of the prompt behind `at`: what an unchanged prompt had not computed
  std::string before;       // a few words before the difference, the same on both sides
  std::string was;          // the cached side's next words
  std::string now;          // the prompt's next words
  double lost_seconds = 0;  // what computing `lost` tokens took, at this request's speed
};

struct CacheReport {
  bool kept = true;  // false: the cache is off, nothing of the prompt is remembered
  int64_t prompt_tokens = 0;
  int64_t from_memory = 0;  // of these, found in the page pool
  int64_t from_disk = 0;    // restored from the disk tier
  int64_t computed() const { return prompt_tokens - from_memory - from_disk; }
  // What a token of prompt took lately; 0: not measured. Prices the divergence before the end.
  double token_seconds = 0;
  bool overlapped = false;  // the restore ran beside the first step of computing the rest
  Nanos restore{0};         // waiting for the disk; of an overlapped one, how long it read
  Nanos twin_wait{0};       // waiting for another request that computed the same beginning
  std::optional<Divergence> divergence;  // none: all that was cached fits, the prompt only goes on
};

}  // namespace ac::engine
