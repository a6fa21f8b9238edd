// DeepSeek: NAME<sep>{...} between call marks (V3.1), or function<sep>NAME and a fenced JSON block
// (V3, R1). The marks have a full-width bar (U+FF5C) and a low block (U+2581) for blanks.
#include <algorithm>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/deepseek_marks.h"
#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr size_t kMaxHeadLength = 512;
constexpr std::string_view kFence = "```";
constexpr std::string_view kFencedJson = "```json";

class DeepSeekBody : public Body {
 public:
  DeepSeekBody(BodyContext context, bool in_call)
      : context_(context), at_(in_call ? At::kHead : At::kList) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    buffer_ += text;
    Next next = Next::kAgain;
    while (next == Next::kAgain) {
      if (!copier_.started() || copier_.done()) buffer_.erase(0, SkipBlanks(buffer_));
      if (buffer_.empty()) return BodyState::kMore;
      next = Step(out);
    }
    if (next == Next::kMore) return BodyState::kMore;
    return next == Next::kDone ? BodyState::kDone : BodyState::kReject;
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    if (at_ == At::kArguments) {
      if (!copier_.started()) return calls_ > 0 ? BodyState::kDone : BodyState::kReject;
      if (!cut) CloseArguments(out);
      Emit(Event::Kind::kCallEnd, "", out);
      return BodyState::kDone;
    }
    return calls_ > 0 ? BodyState::kDone : BodyState::kReject;
  }

 private:
  enum class At { kList, kHead, kName, kArguments, kTail };
  enum class Next { kAgain, kMore, kDone, kReject };

  Next Step(std::vector<Event>* out) {
    switch (at_) {
      case At::kList:
        return StepList();
      case At::kHead:
        return StepHead();
      case At::kName:
        return StepName();
      case At::kArguments:
        return StepArguments(out);
      case At::kTail:
        return StepTail();
    }
    return Next::kReject;
  }

  // Before a call, or after the last one.
  Next StepList() {
    const Match begin = StartsWith(buffer_, kDeepSeekCallBegin);
    const Match end = StartsWith(buffer_, kDeepSeekCallsEnd);
    if (begin == Match::kYes) {
      buffer_.erase(0, kDeepSeekCallBegin.size());
      at_ = At::kHead;
      return Next::kAgain;
    }
    if (end == Match::kYes) {
      buffer_.erase(0, kDeepSeekCallsEnd.size());
      return calls_ > 0 ? Next::kDone : Next::kReject;
    }
    if (begin == Match::kPartial || end == Match::kPartial) return Next::kMore;
    return calls_ > 0 ? Next::kDone : Next::kReject;
  }

  Next StepHead() {
    const size_t end = buffer_.find(kDeepSeekSeparator);
    if (end == std::string::npos) return buffer_.size() > kMaxHeadLength ? NoCall() : Next::kMore;
    head_ = TrimBlanks(std::string_view(buffer_).substr(0, end));
    buffer_.erase(0, end + kDeepSeekSeparator.size());
    at_ = At::kName;
    return Next::kAgain;
  }

  // Arguments right after the mark mean that the head was the name.
  Next StepName() {
    std::string name = head_;
    if (buffer_.front() != '{') {
      const size_t end = buffer_.find_first_of("\n{");
      if (end == std::string::npos) {
        return buffer_.size() > kMaxHeadLength ? NoCall() : Next::kMore;
      }
      name = TrimBlanks(std::string_view(buffer_).substr(0, end));
      buffer_.erase(0, end);
    }
    const std::optional<std::string> tool = context_.ToolName(name);
    if (!tool.has_value()) return NoCall();
    name_ = *tool;
    copier_ = JsonCopier();
    at_ = At::kArguments;
    return Next::kAgain;
  }

  Next StepArguments(std::vector<Event>* out) {
    if (!copier_.started()) {
      const Match fence = StartsWith(buffer_, kFencedJson);
      if (fence == Match::kPartial) return Next::kMore;
      if (fence == Match::kYes) {
        buffer_.erase(0, kFencedJson.size());
        return Next::kAgain;
      }
      if (buffer_.front() != '{') return NoCall();
      Emit(Event::Kind::kCallStart, name_, out);
    }
    std::string piece;
    buffer_.erase(0, copier_.Feed(buffer_, &piece));
    Emit(Event::Kind::kArgsDelta, std::move(piece), out);
    if (!copier_.done() && !copier_.stuck()) return Next::kMore;
    CloseArguments(out);
    Emit(Event::Kind::kCallEnd, "", out);
    ++calls_;
    at_ = At::kTail;
    return Next::kAgain;
  }

  // The end of the call, with the fence's own before it; anything else means the mark is missing.
  Next StepTail() {
    if (buffer_.starts_with(kFence)) {
      buffer_.erase(0, kFence.size());
      return Next::kAgain;
    }
    const Match end = StartsWith(buffer_, kDeepSeekCallEnd);
    const Match fence = StartsWith(buffer_, kFence);
    if (end == Match::kPartial || fence == Match::kPartial) return Next::kMore;
    if (end == Match::kYes) buffer_.erase(0, kDeepSeekCallEnd.size());
    at_ = At::kList;
    return Next::kAgain;
  }

  Next NoCall() const { return calls_ > 0 ? Next::kDone : Next::kReject; }

  void CloseArguments(std::vector<Event>* out) {
    std::string piece;
    copier_.Close(&piece);
    Emit(Event::Kind::kArgsDelta, std::move(piece), out);
  }

  const BodyContext context_;
  At at_;
  int calls_ = 0;
  std::string head_;
  std::string name_;
  JsonCopier copier_;
};

}  // namespace

std::unique_ptr<Body> MakeDeepSeekBody(BodyContext context, bool in_call) {
  return std::make_unique<DeepSeekBody>(context, in_call);
}

}  // namespace ac::toolcall::internal
