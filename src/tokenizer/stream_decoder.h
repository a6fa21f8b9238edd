// Tokens in, valid UTF-8 out, as soon as it is complete.
//
// A token may end in the middle of a character: its bytes wait for the next tokens. Bytes that can
// no longer become a character are given out as U+FFFD. Holds at most three bytes; borrows the
// Tokenizer, which must outlive it. One stream per object; not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

namespace ac::tokenizer {

class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}

  std::string Push(int32_t id) {
    if (skip_special_ && tokenizer_.IsSpecial(id)) return {};
    return PushBytes(tokenizer_.TokenBytes(id));
  }

  std::string PushBytes(std::string_view bytes) {
    pending_ += bytes;
    const size_t waiting = IncompleteUtf8Suffix(pending_);
    std::string text = RepairUtf8(std::string_view(pending_).substr(0, pending_.size() - waiting));
    pending_.erase(0, pending_.size() - waiting);
    return text;
  }

  // The end of the stream: what still waits is given out repaired.
  std::string Flush() {
    std::string text = RepairUtf8(pending_);
    pending_.clear();
    return text;
  }

  bool has_pending() const { return !pending_.empty(); }

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::string pending_;
};

}  // namespace ac::tokenizer
