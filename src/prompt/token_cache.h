// Prompts tokenised lately: a prompt that goes on from one of them is encoded from there.
//
// An agent's next request is the last one with a few more messages behind it, and tokenising is the
// slow part of preparing it. Texts are compared byte by byte, so a hit is exact. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "tokenizer/tokenizer.h"

namespace ac::prompt {

// A prompt's text and what it became. Immutable once shared.
struct TokenizedPrompt {
  std::string text;  // marked; see prompt_builder.h
  std::vector<int32_t> tokens;
  std::vector<tokenizer::TokenBoundary> boundaries;  // rising
};

class TokenCache {
 public:
  struct Start {
    std::shared_ptr<const TokenizedPrompt> from;  // null: nothing is known
    size_t boundaries = 0;                        // how many of its boundaries hold
  };

  // The prompt that shares the longest beginning with `text`.
  Start Longest(std::string_view text);
  void Insert(std::shared_ptr<const TokenizedPrompt> prompt);

 private:
  static constexpr size_t kMaxPrompts = 16;
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  Mutex mutex_;
  std::list<std::shared_ptr<const TokenizedPrompt>> prompts_ AC_GUARDED_BY(mutex_);  // newest first
  size_t bytes_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::prompt
