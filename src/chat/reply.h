// Collects the events of a running reply into the finished message.
//
// Used for replies that are not streamed, for traces and for the history of the Responses API.
// Owns what it collected; not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/event.h"

namespace ac::chat {

struct ReplyChoice {
  std::vector<Block> blocks;
  std::vector<TokenLogprob> logprobs;
  StopReason stop_reason = StopReason::kEndTurn;
  std::string stop_sequence;
};

struct Reply {
  std::string id;
  std::string model;
  std::vector<ReplyChoice> choices;  // at least one once MessageStart was seen
  Usage usage;
  std::optional<CacheDiagnosis> diagnosis;
  bool complete = false;  // MessageStop was seen
  Status error;           // of an Error event
  int64_t retry_after_s = 0;
};

class ReplyBuilder {
 public:
  // Events that do not fit (a delta for a block that is not open) are ignored, never fatal.
  void Apply(const ChatEvent& event);
  const Reply& reply() const { return reply_; }
  Reply Take() { return std::move(reply_); }

 private:
  ReplyChoice& Choice(int index);
  Block* OpenBlock(int choice, int index);

  Reply reply_;
};

}  // namespace ac::chat
