// GLM 4.5 and 4.6, after <tool_call>: NAME, then pairs of
// <arg_key>K</arg_key><arg_value>V</arg_value>.
#include <utility>

#include "toolcall/internal/body.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::string_view kKeyOpen = "<arg_key>";
constexpr std::string_view kKeyClose = "</arg_key>";
constexpr std::string_view kValueOpen = "<arg_value>";
constexpr std::string_view kValueClose = "</arg_value>";
constexpr std::string_view kClose = "</tool_call>";
constexpr size_t kMaxKeyLength = 512;

class GlmBody : public Body {
 public:
  explicit GlmBody(BodyContext context) : context_(context) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    buffer_ += text;
    Next next = Next::kAgain;
    while (next == Next::kAgain) next = Step(out);
    if (next == Next::kMore) return BodyState::kMore;
    return next == Next::kDone ? BodyState::kDone : BodyState::kReject;
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    if (at_ == At::kName) return BodyState::kReject;
    if (!cut) {
      if (at_ == At::kValue) writer_->Value(std::exchange(buffer_, {}), out);
      buffer_.clear();
      writer_->End(out);
    }
    Emit(Event::Kind::kCallEnd, "", out);
    return BodyState::kDone;
  }

 private:
  enum class At { kName, kBetween, kKey, kValue };
  enum class Next { kAgain, kMore, kDone, kReject };

  Next Step(std::vector<Event>* out) {
    switch (at_) {
      case At::kName:
        return StepName(out);
      case At::kBetween:
        return StepBetween(out);
      case At::kKey:
        return StepKey(out);
      case At::kValue:
        return StepValue(out);
    }
    return Next::kReject;
  }

  Next StepName(std::vector<Event>* out) {
    const size_t end = buffer_.find_first_of("\n<", SkipBlanks(buffer_));
    if (end == std::string::npos) {
      return buffer_.size() > kMaxKeyLength ? Next::kReject : Next::kMore;
    }
    // The name must be followed by an argument or the end of the call.
    const std::string_view after = std::string_view(buffer_).substr(SkipBlanks(buffer_, end));
    const Match key = StartsWith(after, kKeyOpen);
    const Match close = StartsWith(after, kClose);
    if (key == Match::kNo && close == Match::kNo) return Next::kReject;
    if (key != Match::kYes && close != Match::kYes) return Next::kMore;
    const std::optional<std::string> tool =
        context_.ToolName(TrimBlanks(std::string_view(buffer_).substr(0, end)));
    if (!tool.has_value()) return Next::kReject;
    writer_ = std::make_unique<ParameterWriter>(context_.tools, *tool);
    Emit(Event::Kind::kCallStart, *tool, out);
    buffer_.erase(0, end);
    at_ = At::kBetween;
    return Next::kAgain;
  }

  Next StepBetween(std::vector<Event>* out) {
    buffer_.erase(0, SkipBlanks(buffer_));
    for (const std::string_view tag : {kKeyOpen, kValueOpen, kClose}) {
      const Match match = StartsWith(buffer_, tag);
      if (match == Match::kPartial) return Next::kMore;
      if (match == Match::kNo) continue;
      buffer_.erase(0, tag.size());
      if (tag == kClose) return End(out);
      at_ = tag == kKeyOpen ? At::kKey : At::kValue;
      return Next::kAgain;
    }
    return End(out);  // prose where a tag belongs
  }

  Next StepKey(std::vector<Event>* out) {
    const size_t end = buffer_.find(kKeyClose);
    if (end == std::string::npos) {
      return buffer_.size() > kMaxKeyLength ? End(out) : Next::kMore;
    }
    writer_->Begin(TrimBlanks(std::string_view(buffer_).substr(0, end)), out);
    buffer_.erase(0, end + kKeyClose.size());
    at_ = At::kBetween;
    return Next::kAgain;
  }

  // The closing tag counts only when an argument or the end of the call follows.
  Next StepValue(std::vector<Event>* out) {
    size_t from = 0;
    while (true) {
      const size_t tag = buffer_.find('<', from);
      if (tag == std::string::npos) return Pass(buffer_.size(), out);
      const std::string_view rest = std::string_view(buffer_).substr(tag);
      const Match closed = StartsWith(rest, kValueClose);
      if (closed == Match::kPartial) return Pass(tag, out);
      if (closed == Match::kYes) {
        const std::string_view after = rest.substr(std::min(
            rest.size(), kValueClose.size() + SkipBlanks(rest.substr(kValueClose.size()))));
        const Match key = StartsWith(after, kKeyOpen);
        const Match close = StartsWith(after, kClose);
        if (key == Match::kYes || close == Match::kYes) {
          writer_->Value(std::string_view(buffer_).substr(0, tag), out);
          writer_->EndValue(out);
          buffer_.erase(0, tag + kValueClose.size());
          at_ = At::kBetween;
          return Next::kAgain;
        }
        if (key == Match::kPartial || close == Match::kPartial) return Pass(tag, out);
      }
      from = tag + 1;
    }
  }

  Next Pass(size_t end, std::vector<Event>* out) {
    writer_->Value(std::string_view(buffer_).substr(0, end), out);
    buffer_.erase(0, end);
    return Next::kMore;
  }

  Next End(std::vector<Event>* out) {
    writer_->End(out);
    Emit(Event::Kind::kCallEnd, "", out);
    return Next::kDone;
  }

  const BodyContext context_;
  At at_ = At::kName;
  std::unique_ptr<ParameterWriter> writer_;
};

}  // namespace

std::unique_ptr<Body> MakeGlmBody(BodyContext context) {
  return std::make_unique<GlmBody>(context);
}

}  // namespace ac::toolcall::internal
