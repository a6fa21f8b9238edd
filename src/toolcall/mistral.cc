// Mistral, after [TOOL_CALLS]: a JSON list of calls (Nemo, Small 3), or NAME[ARGS]{...} with an
// optional [CALL_ID] part (Devstral, Magistral), or NAME{...}.
#include <array>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::string_view kArguments = "[ARGS]";
constexpr std::string_view kCallId = "[CALL_ID]";
constexpr size_t kMaxNameLength = 512;

class MistralBody : public Body {
 public:
  explicit MistralBody(BodyContext context) : context_(context) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    if (list_ != nullptr) return Pass(list_->Feed(text, out));
    buffer_ += text;
    if (!named_) {
      const BodyState state = ReadName(out);
      if (state != BodyState::kDone) return state;
      if (list_ != nullptr) return Pass(list_->Feed(std::exchange(buffer_, {}), out));
      named_ = true;
    }
    if (!copier_.started()) {
      buffer_.erase(0, SkipBlanks(buffer_));
      if (buffer_.empty()) return BodyState::kMore;
      if (buffer_.front() != '{') return BodyState::kReject;
      Emit(Event::Kind::kCallStart, name_, out);
    }
    std::string piece;
    buffer_.erase(0, copier_.Feed(buffer_, &piece));
    Emit(Event::Kind::kArgsDelta, std::move(piece), out);
    if (!copier_.done() && !copier_.stuck()) return BodyState::kMore;
    Close(out);
    return BodyState::kDone;
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    if (list_ != nullptr) return Pass(list_->Finish(cut, out));
    if (!copier_.started()) return BodyState::kReject;
    if (cut) {
      Emit(Event::Kind::kCallEnd, "", out);
    } else {
      Close(out);
    }
    return BodyState::kDone;
  }

 private:
  BodyState ReadName(std::vector<Event>*) {
    const size_t begin = SkipBlanks(buffer_);
    if (begin == buffer_.size()) return BodyState::kMore;
    if (buffer_[begin] == '[' || buffer_[begin] == '{') {
      list_ = MakeJsonBody(context_, {}, false);
      return BodyState::kDone;
    }
    const size_t end = buffer_.find_first_of("[{", begin);
    if (end == std::string::npos) {
      return buffer_.size() > kMaxNameLength ? BodyState::kReject : BodyState::kMore;
    }
    const std::optional<std::string> tool =
        context_.ToolName(TrimBlanks(std::string_view(buffer_).substr(begin, end - begin)));
    if (!tool.has_value()) return BodyState::kReject;
    size_t arguments = end;
    if (buffer_[end] == '[') {
      const std::string_view rest = std::string_view(buffer_).substr(end);
      const size_t mark = rest.find(kArguments);
      if (mark == std::string_view::npos) {
        const bool possible =
            StartsWith(rest, kArguments) != Match::kNo || StartsWith(rest, kCallId) != Match::kNo;
        return possible && rest.size() < kMaxNameLength ? BodyState::kMore : BodyState::kReject;
      }
      arguments = end + mark + kArguments.size();
    }
    name_ = *tool;
    buffer_.erase(0, arguments);
    return BodyState::kDone;
  }

  BodyState Pass(BodyState state) {
    if (state == BodyState::kDone) buffer_ = list_->TakeRest();
    return state;
  }

  void Close(std::vector<Event>* out) {
    std::string piece;
    copier_.Close(&piece);
    Emit(Event::Kind::kArgsDelta, std::move(piece), out);
    Emit(Event::Kind::kCallEnd, "", out);
  }

  const BodyContext context_;
  bool named_ = false;
  std::string name_;
  JsonCopier copier_;
  std::unique_ptr<Body> list_;
};

}  // namespace

std::unique_ptr<Body> MakeMistralBody(BodyContext context) {
  return std::make_unique<MistralBody>(context);
}

}  // namespace ac::toolcall::internal
