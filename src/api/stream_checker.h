// Proves that a stream of events, or the bytes made from it, keeps the rules that clients rely on.
//
// Used by every test over every stream; cheap enough to run in production debugging. Events: one
// MessageStart first; blocks with indices 0, 1, 2... per choice, one open at a time; deltas of the
// open block's kind; complete JSON objects as tool arguments, unless the reply was cut; one
// MessageDelta per choice after its blocks; exactly one MessageStop; nothing after it or after
// Error; tool call ids that differ. Owns its state; not thread-safe.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "chat/event.h"

namespace ac::api {

struct StreamRules {
  // Claude Code moves text that follows a tool call to before it, and the prefix is lost.
  bool text_after_tool_call = false;
  // Models cut by max_tokens leave half a JSON object; any other reply must not.
  bool broken_tool_arguments = false;
};

class StreamChecker {
 public:
  explicit StreamChecker(StreamRules rules = {}) : rules_(rules) {}

  // The first violation, then the same one again: "[api] event 7 (text_delta): block 1 is not
  // open".
  Status Observe(const chat::ChatEvent& event);
  // The stream is over: MessageStop or Error must have been seen.
  Status Finish() const;

 private:
  struct Choice {
    int blocks = 0;
    bool open = false;
    bool called_tool = false;
    bool finished = false;
    chat::Block block;      // the open one, to know its kind
    std::string arguments;  // of the open tool call
    std::vector<std::string> broken_arguments;
  };

  Status Check(const chat::ChatEvent& event);
  Status CheckBlockStart(const chat::BlockStart& start, Choice* choice);
  Status CheckBlockStop(const chat::BlockStop& stop, Choice* choice);
  Status CheckMessageDelta(const chat::MessageDelta& delta, Choice* choice);

  const StreamRules rules_;
  Status first_error_;
  int64_t events_ = 0;
  bool started_ = false;
  bool ended_ = false;
  std::vector<Choice> choices_;
  std::set<std::string> tool_ids_;
};

Status CheckEvents(const std::vector<chat::ChatEvent>& events, StreamRules rules = {});

// The bytes of a whole SSE reply of the endpoint: record names, indices, sequence numbers, ids and
// terminators as the dialect's clients expect them.
Status CheckSse(Endpoint endpoint, std::string_view bytes);

}  // namespace ac::api
