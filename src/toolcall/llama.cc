// Llama 3, after <|python_tag|>: JSON calls separated by semicolons, or NAME.call(key="value").
// Anything else after the tag is code for an interpreter we do not have: text.
#include <array>
#include <cctype>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::string_view kDotCall = ".call";
constexpr size_t kMaxCallLength = size_t{1} << 20;

bool IsIdentifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

// One Python call with keyword arguments and literal values.
class PythonCall {
 public:
  explicit PythonCall(std::string_view text) : text_(text) {}

  // kPartial: the closing bracket is still to come.
  Match Read() {
    size_t end = 0;
    while (end < text_.size() && IsIdentifier(text_[end])) ++end;
    name_ = text_.substr(0, end);
    if (end == text_.size()) return Match::kPartial;
    if (name_.empty() || text_[end] != '(') return Match::kNo;
    if (name_.ends_with(kDotCall)) name_.resize(name_.size() - kDotCall.size());
    used_ = end + 1;
    arguments_ = "{";
    while (true) {
      used_ = SkipBlanks(text_, used_);
      if (used_ == text_.size()) return Match::kPartial;
      if (text_[used_] == ')') {
        ++used_;
        arguments_ += '}';
        return Match::kYes;
      }
      if (text_[used_] == ',') {
        ++used_;
        continue;
      }
      const Match argument = ReadArgument();
      if (argument != Match::kYes) return argument;
    }
  }

  const std::string& name() const { return name_; }
  const std::string& arguments() const { return arguments_; }
  size_t used() const { return used_; }

 private:
  Match ReadArgument() {
    size_t end = used_;
    while (end < text_.size() && IsIdentifier(text_[end])) ++end;
    const size_t equals = SkipBlanks(text_, end);
    if (equals == text_.size()) return Match::kPartial;
    if (end == used_ || text_[equals] != '=') return Match::kNo;
    const std::string key = json::Quote(text_.substr(used_, end - used_));
    JsonCopier copier;
    std::string value;
    const size_t begin = SkipBlanks(text_, equals + 1);
    const size_t length = copier.Feed(text_.substr(begin), &value);
    if (copier.stuck()) return Match::kNo;
    if (!copier.done()) return Match::kPartial;
    used_ = begin + length;
    arguments_ += (arguments_.size() > 1 ? "," : "") + key + ":" + value;
    return Match::kYes;
  }

  const std::string_view text_;
  std::string name_;
  std::string arguments_;
  size_t used_ = 0;
};

class PythonTagBody : public Body {
 public:
  explicit PythonTagBody(BodyContext context) : context_(context) {}

  BodyState Feed(std::string_view text, std::vector<Event>* out) override {
    if (json_ != nullptr) return Pass(json_->Feed(text, out));
    buffer_ += text;
    buffer_.erase(0, SkipBlanks(buffer_));
    if (buffer_.empty()) return BodyState::kMore;
    if (buffer_.front() == '{' || buffer_.front() == '[') {
      json_ = MakeJsonBody(context_, {"<|eom_id|>", "<|eot_id|>"}, false);
      return Pass(json_->Feed(std::exchange(buffer_, {}), out));
    }
    PythonCall call(buffer_);
    const Match match = call.Read();
    if (match == Match::kPartial && buffer_.size() < kMaxCallLength) return BodyState::kMore;
    const std::optional<std::string> tool =
        match == Match::kYes ? context_.tools->Find(call.name()) : std::nullopt;
    if (!tool.has_value()) return BodyState::kReject;
    Emit(Event::Kind::kCallStart, *tool, out);
    Emit(Event::Kind::kArgsDelta, call.arguments(), out);
    Emit(Event::Kind::kCallEnd, "", out);
    buffer_.erase(0, call.used());
    return BodyState::kDone;
  }

  BodyState Finish(bool cut, std::vector<Event>* out) override {
    return json_ == nullptr ? BodyState::kReject : Pass(json_->Finish(cut, out));
  }

 private:
  BodyState Pass(BodyState state) {
    if (state == BodyState::kDone) buffer_ = json_->TakeRest();
    return state;
  }

  const BodyContext context_;
  std::unique_ptr<Body> json_;
};

}  // namespace

std::unique_ptr<Body> MakePythonTagBody(BodyContext context) {
  return std::make_unique<PythonTagBody>(context);
}

}  // namespace ac::toolcall::internal
