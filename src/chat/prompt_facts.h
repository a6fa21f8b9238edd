// What the embedded engine did with a prompt. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ac::chat {

// Where a prompt left the longest one that was cached, and what that cost.
struct Divergence {
  int64_t token = 0;   // index of the first one that differs
  int64_t lost = 0;    // tokens behind it that an unchanged prompt had found cached
  std::string part;    // "tool Read", "message 3 (user)"; empty: not known
  std::string before;  // a few words before the difference, the same on both sides
  std::string was;     // the next words of the cached prompt
  std::string now;     // and of this one
  double seconds = 0;  // that computing the lost tokens took; 0: not known yet
  friend bool operator==(const Divergence&, const Divergence&) = default;
};

// What the embedded engine did with a prompt. A MessageStart has what is known then, the last
// MessageDelta all of it.
struct PromptFacts {
  int64_t from_memory = 0;  // tokens, by where their keys and values came from
  int64_t from_disk = 0;
  int64_t computed = 0;
  double queue_ms = 0;
  double restore_ms = 0;  // waiting for the disk
  double twin_ms = 0;     // waiting for another request that computed the same beginning
  double prefill_ms = 0;  // from admission to the first token; 0: not known yet
  double decode_ms = 0;
  std::optional<Divergence> divergence;  // none: the prompt only went on
  friend bool operator==(const PromptFacts&, const PromptFacts&) = default;
};

}  // namespace ac::chat
