// Turns what a remote server says, in whatever order, into a well-formed stream of events.
//
// Decoders say what they understood (some text, a piece of a call, the end); this class opens and
// closes blocks, numbers them, drops what clients would move, invents missing ids and ends the
// stream exactly once. Owns its state; not thread-safe.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec.h"
#include "chat/event.h"

namespace ac::api::internal {

class EventBuilder {
 public:
  explicit EventBuilder(const DecoderOptions& options) : options_(options) {}

  // Where events go until the next call.
  void SetOutput(std::vector<chat::ChatEvent>* out) { out_ = out; }
  bool ended() const { return ended_; }
  bool started() const { return started_; }
  // Some choice was given its stop reason: the reply is whole even if the stream just breaks off.
  bool has_stop_reason() const;

  void Start(std::string_view id, std::string_view model, const chat::Usage& usage);
  void Ping();
  void Text(int choice, std::string_view text, std::vector<chat::TokenLogprob> logprobs = {});
  void Thinking(int choice, std::string_view text);
  void Signature(int choice, std::string_view signature);
  void BeginCall(int choice, std::string_view id, std::string_view name);
  void Arguments(int choice, std::string_view text);
  // A block without deltas, or a server tool's call (its arguments follow).
  void Begin(int choice, chat::Block block);
  void CloseBlock(int choice);
  void SetStopReason(int choice, chat::StopReason reason, std::string_view sequence = {});
  // Numbers that are not zero replace earlier ones.
  void MergeUsage(const chat::Usage& usage);
  // The reply is over: closes everything and says MessageStop.
  void End();
  void Fail(Status status);

 private:
  enum class Kind { kNone, kText, kThinking, kCall, kOther };
  struct Choice {
    int blocks = 0;
    Kind open = Kind::kNone;
    Kind last = Kind::kNone;  // of the block before
    bool called_tool = false;
    std::string held_blanks;  // blanks that may turn out to be a whole block
    std::optional<chat::StopReason> stop_reason;
    std::string stop_sequence;
  };

  bool Ready(int choice);  // false once the stream is over or the number is absurd
  Choice& At(int choice) { return choices_[static_cast<size_t>(choice)]; }
  void Open(int choice, Kind kind, chat::Block block);
  void Emit(int choice, chat::ChatEvent event);

  const DecoderOptions options_;
  std::vector<chat::ChatEvent>* out_ = nullptr;
  bool started_ = false;
  bool ended_ = false;
  chat::Usage usage_;
  std::vector<Choice> choices_;
  std::set<std::string, std::less<>> call_ids_;
};

}  // namespace ac::api::internal
