// What this server generated, as tokens, found again by what clients send back of it.
//
// Clients rewrite the calls a model made (keys reordered, blanks cut, defaults added) and templates
// drop thinking, so a rendered history has other tokens than those in the KV cache. A turn is
// remembered under the ids of its tool calls and the signatures of its thinking blocks, which
// clients keep verbatim; a turn of text alone under its text. Bounded by tokens, oldest use first
// out. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "chat/block.h"

namespace ac::prompt {

// One assistant turn as it was generated.
struct GeneratedTurn {
  std::string opening;  // what the template wrote for it to begin; "<|im_start|>assistant\n<think>"
  std::vector<int32_t> tokens;  // everything sampled, with the end token when there is one
  std::vector<std::string> call_ids;
  std::vector<std::string> signatures;
  std::string text;     // of its text blocks, joined
  uint64_t number = 0;  // unique in this process; given by GeneratedTurns
};

class GeneratedTurns {
 public:
  using TurnPtr = std::shared_ptr<const GeneratedTurn>;
  static constexpr int64_t kMaxTokens = 4'000'000;  // 16 MB; weeks of one person's work

  explicit GeneratedTurns(int64_t max_tokens = kMaxTokens) : max_tokens_(max_tokens) {}

  void Remember(GeneratedTurn turn);
  // The turn an assistant message is the echo of; null when none, or when the message lacks a call
  // or has other text, so that it must be rendered as it is now.
  TurnPtr Find(const chat::Message& message);

  // From the least to the most recently used: what a file of them should hold.
  std::vector<TurnPtr> All() const;

 private:
  struct Entry {
    TurnPtr turn;
    std::vector<std::string> keys;
  };
  using Position = std::list<Entry>::iterator;

  TurnPtr Use(const std::string& key) AC_REQUIRES(mutex_);
  void Forget(Position entry) AC_REQUIRES(mutex_);

  const int64_t max_tokens_;
  mutable Mutex mutex_;
  std::list<Entry> entries_ AC_GUARDED_BY(mutex_);  // most recently used last
  std::unordered_map<std::string, Position> by_key_ AC_GUARDED_BY(mutex_);
  int64_t tokens_ AC_GUARDED_BY(mutex_) = 0;
  uint64_t last_number_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::prompt
