// <function=NAME><parameter=KEY>VALUE</parameter>...</function>, as Qwen3-Coder and Qwen 3.5 write
// it; <function=NAME>{...}</function>, as Llama does; and Anthropic's <invoke name="NAME">.
//
// Values are raw text and may contain tags themselves: a closing tag counts only when what follows
// it can follow.
#include <array>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr size_t kMaxTagLength = 512;  // of <parameter=...>: longer is no tag

struct Tags {
  std::string_view parameter;  // begin of a parameter's tag
  std::string_view parameter_close;
  std::string_view close;        // of the function
  std::string_view outer_close;  // of the tag around it
  bool outer_open;               // that tag was there, so its end is expected
};

// NAME from "=NAME>" or " name=\"NAME\">", the part of a tag after its word.
struct TagName {
  Match match = Match::kPartial;
  std::string name;
  size_t length = 0;
};

TagName ReadTagName(std::string_view text) {
  const size_t end = text.substr(0, kMaxTagLength).find_first_of(">\n");
  if (end == std::string_view::npos) {
    return {text.size() >= kMaxTagLength ? Match::kNo : Match::kPartial, "", 0};
  }
  if (text[end] == '\n') return {Match::kNo, "", 0};
  std::string_view inside = TrimBlanks(text.substr(0, end));
  constexpr std::string_view kNameAttribute = "name=";
  if (inside.starts_with('=')) {
    inside.remove_prefix(1);
  } else if (inside.starts_with(kNameAttribute)) {
    inside.remove_prefix(kNameAttribute.size());
    inside = inside.substr(0, inside.find(' '));
  } else {
    return {Match::kNo, "", 0};
  }
  inside = TrimBlanks(inside);
  if (inside.size() >= 2 && (inside.front() == '"' || inside.front() == '\'')) {
    inside = inside.substr(1, inside.size() - 2);
  }
  return {inside.empty() ? Match::kNo : Match::kYes, std::string(inside), end + 1};
}

class FunctionBody : public Body {
 public:
  FunctionBody(BodyContext context, Tags tags) : context_(context), tags_(tags) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    buffer_ += text;
    Next next = Next::kAgain;
    while (next == Next::kAgain) next = Step(false, out);
    if (next == Next::kMore) return BodyState::kMore;
    return next == Next::kDone ? BodyState::kDone : BodyState::kReject;
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    if (at_ == At::kClosed) return BodyState::kDone;
    if (!started_) return BodyState::kReject;
    // The tags that may still come do not: what is held back belongs to the value.
    Next next = cut ? Next::kMore : Next::kAgain;
    while (next == Next::kAgain) next = Step(true, out);
    if (next == Next::kDone) return BodyState::kDone;
    if (!cut) return End(out) == Next::kReject ? BodyState::kReject : BodyState::kDone;
    Emit(Event::Kind::kCallEnd, "", out);
    return BodyState::kDone;
  }

 private:
  enum class At { kName, kBetween, kValue, kJson, kClosed };
  enum class Next { kAgain, kMore, kDone, kReject };

  Next Step(bool last, std::vector<Event>* out) {
    switch (at_) {
      case At::kName:
        return StepName();
      case At::kBetween:
        return StepBetween(out);
      case At::kValue:
        return StepValue(last, out);
      case At::kJson:
        return StepJson(out);
      case At::kClosed:
        return StepClosed(last);
    }
    return Next::kReject;
  }

  Next StepName() {
    const TagName tag = ReadTagName(buffer_);
    if (tag.match == Match::kPartial) return Next::kMore;
    const std::optional<std::string> tool =
        tag.match == Match::kYes ? context_.ToolName(tag.name) : std::nullopt;
    if (!tool.has_value()) return Next::kReject;
    buffer_.erase(0, tag.length);
    name_ = *tool;
    writer_ = std::make_unique<ParameterWriter>(context_.tools, name_);
    at_ = At::kBetween;
    return Next::kAgain;
  }

  Next StepBetween(std::vector<Event>* out) {
    buffer_.erase(0, SkipBlanks(buffer_));
    if (buffer_.empty()) return Next::kMore;
    if (buffer_.front() == '{' && !started_) {
      Start(out);
      at_ = At::kJson;
      return Next::kAgain;
    }
    const Match parameter = StartsWith(buffer_, tags_.parameter);
    const Match close = StartsWith(buffer_, tags_.close);
    const Match outer = StartsWith(buffer_, tags_.outer_close);
    if (parameter == Match::kYes) {
      const TagName tag = ReadTagName(std::string_view(buffer_).substr(tags_.parameter.size()));
      if (tag.match == Match::kPartial) return Next::kMore;
      if (tag.match == Match::kNo) return End(out);
      buffer_.erase(0, tags_.parameter.size() + tag.length);
      Start(out);
      writer_->Begin(tag.name, out);
      at_value_start_ = true;
      at_ = At::kValue;
      return Next::kAgain;
    }
    if (close == Match::kYes || outer == Match::kYes) return End(out);
    if (parameter == Match::kPartial || close == Match::kPartial || outer == Match::kPartial) {
      return Next::kMore;
    }
    return started_ ? End(out) : Next::kReject;
  }

  Next StepValue(bool last, std::vector<Event>* out) {
    // One line break after the tag and one before its end are the syntax's own.
    if (at_value_start_ && !buffer_.empty()) {
      if (buffer_ == "\r" && !last) return Next::kMore;
      if (buffer_.starts_with("\r\n")) buffer_.erase(0, 1);
      if (buffer_.starts_with('\n')) buffer_.erase(0, 1);
      at_value_start_ = false;
    }
    size_t from = 0;
    while (true) {
      const size_t tag = buffer_.find('<', from);
      const std::string_view rest = std::string_view(buffer_).substr(std::min(tag, buffer_.size()));
      size_t length = 0;
      const Match match = tag == std::string::npos ? Match::kNo : EndsValue(rest, last, &length);
      if (match == Match::kYes) {
        size_t end = tag;
        if (end > 0 && buffer_[end - 1] == '\n') --end;
        writer_->Value(std::string_view(buffer_).substr(0, end), out);
        buffer_.erase(0, tag + length);
        writer_->EndValue(out);
        at_ = At::kBetween;
        return Next::kAgain;
      }
      if (match == Match::kPartial) return HoldFrom(tag, out);
      if (tag == std::string::npos) return HoldFrom(buffer_.size(), out);
      from = tag + 1;
    }
  }

  // Passes on the value up to `end`, but not the line break that may belong to a closing tag.
  Next HoldFrom(size_t end, std::vector<Event>* out) {
    if (end > 0 && buffer_[end - 1] == '\n') --end;
    writer_->Value(std::string_view(buffer_).substr(0, end), out);
    buffer_.erase(0, end);
    return Next::kMore;
  }

  // Is this '<' the end of the value? `length` is what of it to swallow.
  Match EndsValue(std::string_view text, bool last, size_t* length) {
    const Match closed = StartsWith(text, tags_.parameter_close);
    if (closed == Match::kPartial && !last) return Match::kPartial;
    if (closed == Match::kYes) {
      *length = tags_.parameter_close.size();
      return FollowsParameter(text.substr(*length), last);
    }
    // The model forgot </parameter>.
    const Match function = StartsWith(text, tags_.close);
    if (function == Match::kYes) return FollowsFunction(text.substr(tags_.close.size()), last);
    const Match next = StartsWith(text, tags_.parameter);
    if (next == Match::kYes) {
      const TagName tag = ReadTagName(text.substr(tags_.parameter.size()));
      if (tag.match == Match::kYes) {
        return context_.tools->HasParameter(name_, tag.name) ? Match::kYes : Match::kNo;
      }
      return last ? Match::kNo : tag.match;
    }
    return function == Match::kPartial || next == Match::kPartial
               ? (last ? Match::kNo : Match::kPartial)
               : Match::kNo;
  }

  Match FollowsParameter(std::string_view text, bool last) {
    text.remove_prefix(SkipBlanks(text));
    if (text.empty()) return last ? Match::kYes : Match::kPartial;
    Match best = Match::kNo;
    for (const std::string_view tag : {tags_.parameter, tags_.close, tags_.outer_close}) {
      const Match match = StartsWith(text, tag);
      if (match == Match::kYes && tag == tags_.close) {
        const std::string_view after = text.substr(tag.size());
        const Match another = FollowsAnotherCall(after);
        if (another == Match::kYes || (another == Match::kPartial && !last)) return another;
        return FollowsFunction(after, last);
      }
      if (match == Match::kYes) return match;
      if (match == Match::kPartial) best = last ? Match::kYes : match;
    }
    return best;
  }

  // Models write several functions into one outer tag.
  Match FollowsAnotherCall(std::string_view text) const {
    constexpr std::string_view kFunction = "<function";
    text.remove_prefix(SkipBlanks(text));
    if (text.empty()) return Match::kNo;
    const Match match = StartsWith(text, kFunction);
    if (match != Match::kYes) return match;
    const TagName tag = ReadTagName(text.substr(kFunction.size()));
    if (tag.match != Match::kYes) return tag.match;
    return context_.tools->Find(tag.name).has_value() ? Match::kYes : Match::kNo;
  }

  Match FollowsFunction(std::string_view text, bool last) {
    text.remove_prefix(SkipBlanks(text));
    if (text.empty()) return last ? Match::kYes : Match::kPartial;
    if (!tags_.outer_open) return Match::kYes;
    const Match match = StartsWith(text, tags_.outer_close);
    return last ? Match::kYes : match;
  }

  Next StepJson(std::vector<Event>* out) {
    std::string piece;
    buffer_.erase(0, copier_.Feed(buffer_, &piece));
    if (copier_.stuck()) copier_.Close(&piece);
    Emit(Event::Kind::kArgsDelta, std::move(piece), out);
    if (!copier_.done()) return Next::kMore;
    json_ = true;
    at_ = At::kBetween;
    return Next::kAgain;
  }

  // </function> may be followed by the outer tag's end, which belongs to the call.
  Next StepClosed(bool last) {
    const size_t blanks = SkipBlanks(buffer_);
    const std::string_view text = std::string_view(buffer_).substr(blanks);
    if (!swallowed_close_) {
      const Match match = StartsWith(text, tags_.close);
      if (match == Match::kYes) {
        buffer_.erase(0, blanks + tags_.close.size());
        swallowed_close_ = true;
        return Next::kAgain;
      }
      if (match == Match::kPartial && !text.empty() && !last) return Next::kMore;
    }
    const Match match = StartsWith(text, tags_.outer_close);
    if (match == Match::kYes) buffer_.erase(0, blanks + tags_.outer_close.size());
    return match == Match::kPartial && !last ? Next::kMore : Next::kDone;
  }

  void Start(std::vector<Event>* out) {
    if (!std::exchange(started_, true)) Emit(Event::Kind::kCallStart, name_, out);
  }

  Next End(std::vector<Event>* out) {
    if (at_ == At::kJson) {
      std::string piece;
      copier_.Close(&piece);
      Emit(Event::Kind::kArgsDelta, std::move(piece), out);
      json_ = true;
    }
    if (at_ == At::kValue) {
      std::string_view rest = buffer_;
      if (rest.ends_with('\n')) rest.remove_suffix(1);
      writer_->Value(rest, out);
      buffer_.clear();
    }
    Start(out);
    if (!json_) writer_->End(out);
    Emit(Event::Kind::kCallEnd, "", out);
    at_ = At::kClosed;
    return Next::kAgain;
  }

  const BodyContext context_;
  const Tags tags_;
  At at_ = At::kName;
  std::string name_;
  bool started_ = false;
  bool json_ = false;  // the arguments were one JSON object
  bool at_value_start_ = false;
  bool swallowed_close_ = false;
  JsonCopier copier_;
  std::unique_ptr<ParameterWriter> writer_;
};

}  // namespace

std::unique_ptr<Body> MakeFunctionBody(BodyContext context, std::string_view closer,
                                       bool outer_open) {
  return std::make_unique<FunctionBody>(
      context, Tags{"<parameter", "</parameter>", "</function>", closer, outer_open});
}

std::unique_ptr<Body> MakeInvokeBody(BodyContext context) {
  return std::make_unique<FunctionBody>(
      context, Tags{"<parameter", "</parameter>", "</invoke>", "</function_calls>", false});
}

}  // namespace ac::toolcall::internal
