// JSON calls: {"name": ..., "arguments": {...}} as Hermes and Qwen write them in <tool_call>, Llama
// bare, Mistral in a list. Also OpenAI's nesting, keys in any order, arguments as a JSON text.
#include <algorithm>
#include <array>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::array<std::string_view, 4> kNameKeys = {"name", "tool_name", "tool",
                                                       "function_name"};
constexpr std::array<std::string_view, 5> kArgumentKeys = {"arguments", "parameters", "args",
                                                           "input", "tool_input"};
constexpr std::array<std::string_view, 5> kIgnoredKeys = {"id", "type", "call_id", "index",
                                                          "tool_call_id"};
// Tags that models put between the object and the closer.
constexpr std::array<std::string_view, 4> kStrayTags = {"</function>", "</parameter>",
                                                        "</arguments>", "```"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

class JsonBody : public Body {
 public:
  JsonBody(BodyContext context, std::vector<std::string_view> closers, bool strict)
      : context_(context), closers_(std::move(closers)), strict_(strict) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    buffer_ += text;
    Next next = Next::kAgain;
    while (next == Next::kAgain) {
      const bool in_value = at_ == At::kArguments || at_ == At::kOther;
      if (!in_value) buffer_.erase(0, SkipBlanks(buffer_));
      if (buffer_.empty()) return BodyState::kMore;
      next = Step(out);
    }
    if (next == Next::kMore) return BodyState::kMore;
    return next == Next::kDone ? BodyState::kDone : NoCall();
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    if (at_ == At::kAfter || at_ == At::kObject || strict_) return NoCall();
    if (cut) {
      if (!committed_) return NoCall();
      Emit(Event::Kind::kCallEnd, "", out);
      return BodyState::kDone;
    }
    if (at_ == At::kArguments) EndArguments(out);
    return EndCall(out) ? BodyState::kDone : NoCall();
  }

 private:
  enum class At { kObject, kKey, kColon, kValue, kArguments, kOther, kAfter };
  enum class Next { kAgain, kMore, kDone, kReject };

  // What is here is none; calls before it stand.
  BodyState NoCall() const { return calls_ > 0 ? BodyState::kDone : BodyState::kReject; }

  Next Step(std::vector<Event>* out) {
    switch (at_) {
      case At::kObject:
        return StepObject();
      case At::kKey:
        return StepKey(out);
      case At::kColon:
        return StepColon(out);
      case At::kValue:
        return StepValue(out);
      case At::kArguments:
        return StepArguments(out);
      case At::kOther:
        return StepOther();
      case At::kAfter:
        return StepAfter();
    }
    return Next::kReject;
  }

  Next StepObject() {
    const char c = buffer_.front();
    if (c == '{') {
      at_ = At::kKey;
      nested_ = 0;
    } else if (c == '[' && !list_ && calls_ == 0) {
      list_ = true;
    } else if (c != ',' && c != ';') {
      if (calls_ == 0) return Next::kReject;
      at_ = At::kAfter;
      return Next::kAgain;
    }
    buffer_.erase(0, 1);
    return Next::kAgain;
  }

  Next StepKey(std::vector<Event>* out) {
    const char c = buffer_.front();
    if (c == '"' || c == '\'') {
      std::optional<std::string> key = TakeString();
      if (!key.has_value()) return Next::kMore;
      key_ = std::move(*key);
      at_ = At::kColon;
      const bool expected = Contains(kNameKeys, key_) || Contains(kArgumentKeys, key_) ||
                            Contains(kIgnoredKeys, key_) || key_ == "function";
      if (strict_ && !expected) return Next::kReject;
      return Next::kAgain;
    }
    if (c == ',') {
      buffer_.erase(0, 1);
      return Next::kAgain;
    }
    if (c == '}' && nested_ > 0) {
      buffer_.erase(0, 1);
      --nested_;
      return Next::kAgain;
    }
    // The end of the object, or something that cannot be inside it: the brace was forgotten.
    if (c == '}') {
      buffer_.erase(0, 1);
    } else if (strict_) {
      return Next::kReject;
    }
    if (!EndCall(out)) return Next::kReject;
    return Next::kAgain;
  }

  Next StepColon(std::vector<Event>* out) {
    if (buffer_.front() != ':') return ForceEnd(out);
    buffer_.erase(0, 1);
    at_ = At::kValue;
    return Next::kAgain;
  }

  Next StepValue(std::vector<Event>* out) {
    const char c = buffer_.front();
    if (key_ == "function" && c == '{') {
      buffer_.erase(0, 1);
      ++nested_;
      at_ = At::kKey;
      return Next::kAgain;
    }
    if (Contains(kNameKeys, key_) || key_ == "function") {
      if (c != '"' && c != '\'') return ForceEnd(out);
      std::optional<std::string> name = TakeString();
      if (!name.has_value()) return Next::kMore;
      std::optional<std::string> tool = context_.ToolName(TrimBlanks(*name));
      if (!tool.has_value()) return Next::kReject;
      if (name_.empty()) name_ = std::move(*tool);
      at_ = At::kKey;
      return Next::kAgain;
    }
    copier_ = JsonCopier();
    if (Contains(kArgumentKeys, key_) && !has_arguments_) {
      if (c != '{' && c != '[' && c != '"' && c != 'n') return ForceEnd(out);
      has_arguments_ = true;
      as_text_ = c == '"';
      at_ = At::kArguments;
    } else {
      other_.clear();
      at_ = At::kOther;
    }
    return Next::kAgain;
  }

  Next StepArguments(std::vector<Event>* out) {
    std::string piece;
    buffer_.erase(0, copier_.Feed(buffer_, &piece));
    held_ += piece;
    if (!as_text_ && !copier_.done()) Commit(out);
    if (copier_.done() || copier_.stuck()) {
      if (copier_.stuck() && !committed_) return Next::kReject;
      EndArguments(out);
      return Next::kAgain;
    }
    return Next::kMore;
  }

  // Values of keys that belong to no call; taken as arguments when the model forgot to nest them.
  Next StepOther() {
    buffer_.erase(0, copier_.Feed(buffer_, &other_));
    if (!copier_.done() && !copier_.stuck()) return Next::kMore;
    copier_.Close(&other_);
    if (!Contains(kIgnoredKeys, key_)) {
      extras_ += (extras_.empty() ? "" : ",") + json::Quote(key_) + ":" + other_;
    }
    at_ = At::kKey;
    return Next::kAgain;
  }

  Next StepAfter() {
    const char c = buffer_.front();
    if (c == ';' && !closers_.empty()) {
      buffer_.erase(0, 1);
      return Next::kAgain;
    }
    if (c == '{' || (list_ && c == ',')) {
      if (!list_ && closers_.empty()) return Next::kDone;
      at_ = At::kObject;
      return Next::kAgain;
    }
    if ((list_ && c == ']') || (!closers_.empty() && (c == '}' || c == ']'))) {
      buffer_.erase(0, 1);
      if (c == ']') list_ = false;
      if (closers_.empty()) return Next::kDone;
      return Next::kAgain;
    }
    bool partial = false;
    for (const std::string_view closer : closers_) {
      const Match match = StartsWith(buffer_, closer);
      partial = partial || match == Match::kPartial;
      if (match != Match::kYes) continue;
      buffer_.erase(0, closer.size());
      return Next::kDone;
    }
    for (const std::string_view tag : kStrayTags) {
      const Match match = StartsWith(buffer_, tag);
      partial = partial || (match == Match::kPartial && !closers_.empty());
      if (match != Match::kYes || closers_.empty()) continue;
      buffer_.erase(0, tag.size());
      return Next::kAgain;
    }
    return partial ? Next::kMore : Next::kDone;
  }

  // Something that cannot stand here: what is complete counts, unless nothing was given out yet.
  Next ForceEnd(std::vector<Event>* out) {
    if (!committed_) return Next::kReject;
    return EndCall(out) ? Next::kAgain : Next::kReject;
  }

  // Gives out the start of the call as soon as it is certain: a name, and arguments that look real.
  void Commit(std::vector<Event>* out) {
    if (!committed_) {
      if (name_.empty() || (held_.find('"') == std::string::npos && !copier_.done())) return;
      committed_ = true;
      Emit(Event::Kind::kCallStart, name_, out);
    }
    Emit(Event::Kind::kArgsDelta, std::exchange(held_, {}), out);
  }

  void EndArguments(std::vector<Event>* out) {
    copier_.Close(&held_);
    if (as_text_) {
      // A JSON text inside a JSON string, or a plain string: only an object is of use.
      const Result<json::Value> outer = json::Parse(held_);
      const std::optional<std::string_view> inner =
          outer.ok() ? json::AsString(&*outer) : std::nullopt;
      JsonCopier copier;
      std::string object;
      if (inner.has_value()) copier.Feed(*inner, &object);
      copier.Close(&object);
      held_ = object.starts_with('{') ? object : "{}";
      as_text_ = false;
    } else if (held_ == "null") {
      held_ = "{}";
    }
    Commit(out);
    at_ = At::kKey;
  }

  bool EndCall(std::vector<Event>* out) {
    if (name_.empty() || (strict_ && !has_arguments_)) return false;
    if (!committed_) {
      Emit(Event::Kind::kCallStart, name_, out);
      if (!has_arguments_) held_ = "{" + extras_ + "}";
      Emit(Event::Kind::kArgsDelta, held_, out);
    }
    Emit(Event::Kind::kCallEnd, "", out);
    ++calls_;
    name_.clear();
    held_.clear();
    extras_.clear();
    has_arguments_ = committed_ = false;
    at_ = At::kAfter;
    return true;
  }

  // A whole string from the front of the buffer, or nothing yet.
  std::optional<std::string> TakeString() {
    JsonCopier copier;
    std::string text;
    const size_t used = copier.Feed(buffer_, &text);
    if (!copier.done()) return std::nullopt;
    buffer_.erase(0, used);
    const Result<json::Value> value = json::Parse(text);
    return std::string(value.ok() ? json::AsString(&*value).value_or("") : "");
  }

  const BodyContext context_;
  const std::vector<std::string_view> closers_;
  const bool strict_;
  At at_ = At::kObject;
  bool list_ = false;
  int nested_ = 0;
  int calls_ = 0;
  std::string key_;
  std::string name_;
  JsonCopier copier_;
  bool has_arguments_ = false;
  bool as_text_ = false;
  bool committed_ = false;
  std::string held_;    // arguments not given out yet
  std::string other_;   // value of a key that is none of ours
  std::string extras_;  // all of them, as members of an object
};

// Looks at the first character and hands over to the syntax it belongs to.
class TagBody : public Body {
 public:
  TagBody(BodyContext context, std::vector<std::string_view> closers)
      : context_(context), closers_(std::move(closers)) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    if (inner_ != nullptr) return Pass(inner_->Feed(text, out));
    buffer_ += text;
    const std::string_view seen = std::string_view(buffer_).substr(SkipBlanks(buffer_));
    if (seen.empty()) return BodyState::kMore;
    size_t skip = buffer_.size() - seen.size();
    const char c = seen.front();
    if (c == '{' || c == '[') {
      inner_ = MakeJsonBody(context_, closers_, false);
    } else if (c == '`') {
      // A code fence around the call.
      const size_t line = seen.find('\n');
      if (!seen.starts_with(kFence.substr(0, seen.size()))) return BodyState::kReject;
      if (line == std::string_view::npos) {
        return seen.size() > kMaxFenceLine ? BodyState::kReject : BodyState::kMore;
      }
      buffer_.erase(0, skip + line);
      return Feed("", out);
    } else if (c == '<') {
      constexpr std::string_view kFunction = "<function";
      constexpr std::string_view kInvoke = "<invoke";
      constexpr std::string_view kAgain = "<tool_call>";
      const Match again = StartsWith(seen, kAgain);
      if (again == Match::kPartial) return BodyState::kMore;
      if (again == Match::kYes && !opened_twice_) {
        opened_twice_ = true;
        buffer_.erase(0, skip + kAgain.size());
        return Feed("", out);
      }
      const Match function = StartsWith(seen, kFunction);
      const Match invoke = StartsWith(seen, kInvoke);
      if (function == Match::kPartial || invoke == Match::kPartial) return BodyState::kMore;
      if (function == Match::kYes) {
        inner_ = MakeFunctionBody(context_, closers_.front(), true);
        skip += kFunction.size();
      } else if (invoke == Match::kYes) {
        inner_ = MakeInvokeBody(context_);
        skip += kInvoke.size();
      } else {
        return BodyState::kReject;
      }
    } else {
      inner_ = MakeGlmBody(context_);
    }
    const std::string rest = std::exchange(buffer_, {}).substr(skip);
    return Pass(inner_->Feed(rest, out));
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    return inner_ == nullptr ? BodyState::kReject : Pass(inner_->Finish(cut, out));
  }

 private:
  BodyState Pass(BodyState state) {
    if (state == BodyState::kDone) buffer_ = inner_->TakeRest();
    return state;
  }

  static constexpr std::string_view kFence = "```";
  static constexpr size_t kMaxFenceLine = 32;

  const BodyContext context_;
  const std::vector<std::string_view> closers_;
  bool opened_twice_ = false;
  std::unique_ptr<Body> inner_;
};

}  // namespace

std::unique_ptr<Body> MakeJsonBody(BodyContext context, std::vector<std::string_view> closers,
                                   bool strict) {
  return std::make_unique<JsonBody>(context, std::move(closers), strict);
}

std::unique_ptr<Body> MakeTagBody(BodyContext context, std::vector<std::string_view> closers) {
  return std::make_unique<TagBody>(context, std::move(closers));
}

}  // namespace ac::toolcall::internal
