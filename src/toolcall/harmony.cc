// gpt-oss: messages with a header, <|start|>ROLE to=TARGET<|channel|>NAME
// <|constrain|>json<|message|> BODY, ended by <|end|>, <|call|> or <|return|>. The channel decides:
// analysis is thinking, a target in `functions` is a call, everything else is text.
#include <algorithm>
#include <array>
#include <utility>

#include "toolcall/internal/json_copier.h"
#include "toolcall/internal/parsers.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::string_view kStart = "<|start|>";
constexpr std::string_view kChannel = "<|channel|>";
constexpr std::string_view kMessage = "<|message|>";
constexpr std::string_view kConstrain = "<|constrain|>";
constexpr std::array<std::string_view, 3> kEnds = {"<|end|>", "<|call|>", "<|return|>"};
constexpr std::string_view kTarget = "to=";
constexpr size_t kMaxHeaderLength = 1024;

class HarmonyParser : public ToolCallParser {
 public:
  explicit HarmonyParser(const ParserOptions& options) : tools_(options.tools) {}

  void Feed(std::string_view text, std::vector<Event>* out) override {
    buffer_ += text;
    while (Step(out)) {
    }
  }

  void Finish(bool cut, std::vector<Event>* out) override {
    if (at_ == At::kHeader) {
      // A header that never ended was prose after all.
      Emit(Event::Kind::kText, std::exchange(buffer_, {}), out);
    } else {
      Pass(std::exchange(buffer_, {}), out);
      EndMessage(cut, out);
    }
  }

 private:
  enum class At { kBody, kHeader };
  enum class Kind { kText, kThinking, kCall };

  bool Step(std::vector<Event>* out) {
    return at_ == At::kHeader ? StepHeader(out) : StepBody(out);
  }

  // Everything up to <|message|> describes what follows.
  bool StepHeader(std::vector<Event>* out) {
    if (first_ && !MayBeHeader()) {
      at_ = At::kBody;
      first_ = false;
      return !buffer_.empty();
    }
    const size_t end = buffer_.find(kMessage);
    if (end == std::string::npos) {
      if (buffer_.size() < kMaxHeaderLength) return false;
      Emit(Event::Kind::kText, std::exchange(buffer_, {}), out);
      at_ = At::kBody;
      kind_ = Kind::kText;
      return false;
    }
    first_ = false;
    const std::string header = buffer_.substr(0, end);
    buffer_.erase(0, end + kMessage.size());
    at_ = At::kBody;
    BeginMessage(header, out);
    return true;
  }

  // The prompt ends after "<|start|>assistant", so a reply begins inside a header, or, from a model
  // that ignores the format, with its text.
  bool MayBeHeader() const {
    const std::string_view seen = std::string_view(buffer_).substr(SkipBlanks(buffer_));
    return StartsWith(seen, "<|") != Match::kNo || StartsWith(seen, kTarget) != Match::kNo;
  }

  void BeginMessage(const std::string& header, std::vector<Event>* out) {
    const size_t channel_at = header.find(kChannel);
    std::string_view channel =
        channel_at == std::string::npos
            ? std::string_view()
            : TrimBlanks(std::string_view(header).substr(channel_at + kChannel.size()));
    channel = channel.substr(0, channel.find_first_of(" <"));
    kind_ = channel == "analysis" ? Kind::kThinking : Kind::kText;
    const size_t target_at = header.find(kTarget);
    if (target_at == std::string::npos) return;
    std::string_view target = std::string_view(header).substr(target_at + kTarget.size());
    target = target.substr(0, target.find_first_of(" <\n"));
    const std::optional<std::string> tool = tools_.FindOrInvented(Bare(target));
    if (tools_.empty() || !tool.has_value()) return;
    kind_ = Kind::kCall;
    copier_ = JsonCopier();
    Emit(Event::Kind::kCallStart, *tool, out);
  }

  static std::string_view Bare(std::string_view target) {
    constexpr std::string_view kNamespace = "functions.";
    if (target.starts_with(kNamespace)) target.remove_prefix(kNamespace.size());
    return target;
  }

  bool StepBody(std::vector<Event>* out) {
    const size_t mark = buffer_.find("<|");
    // A lone '<' at the end may become a mark.
    const size_t hold = buffer_.ends_with('<') ? buffer_.size() - 1 : buffer_.size();
    if (mark == std::string::npos) {
      Pass(buffer_.substr(0, hold), out);
      buffer_.erase(0, hold);
      return false;
    }
    Pass(buffer_.substr(0, mark), out);
    buffer_.erase(0, mark);
    bool partial = false;
    for (const std::string_view end : kEnds) {
      const Match match = StartsWith(buffer_, end);
      partial = partial || match == Match::kPartial;
      if (match != Match::kYes) continue;
      buffer_.erase(0, end.size());
      EndMessage(false, out);
      return true;
    }
    for (const std::string_view begin : {kStart, kChannel}) {
      const Match match = StartsWith(buffer_, begin);
      partial = partial || match == Match::kPartial;
      if (match != Match::kYes) continue;
      EndMessage(false, out);
      at_ = At::kHeader;
      return true;
    }
    // Marks of a header without its beginning: the prompt's end or the model left it out.
    for (const std::string_view stray : {kMessage, kConstrain}) {
      const Match match = StartsWith(buffer_, stray);
      partial = partial || match == Match::kPartial;
      if (match != Match::kYes) continue;
      buffer_.erase(0, stray.size());
      return true;
    }
    if (partial) return false;
    Pass(buffer_.substr(0, 2), out);
    buffer_.erase(0, 2);
    return true;
  }

  void Pass(const std::string& text, std::vector<Event>* out) {
    if (text.empty()) return;
    if (kind_ == Kind::kCall) {
      std::string piece;
      if (!copier_.stuck()) copier_.Feed(text, &piece);
      return Emit(Event::Kind::kArgsDelta, std::move(piece), out);
    }
    Emit(kind_ == Kind::kThinking ? Event::Kind::kThinking : Event::Kind::kText, text, out);
  }

  void EndMessage(bool cut, std::vector<Event>* out) {
    if (kind_ == Kind::kCall) {
      std::string piece;
      if (!cut && !copier_.started()) piece = "{}";
      if (!cut && copier_.started()) copier_.Close(&piece);
      Emit(Event::Kind::kArgsDelta, std::move(piece), out);
      Emit(Event::Kind::kCallEnd, "", out);
    }
    kind_ = Kind::kText;
  }

  ToolTable tools_;
  std::string buffer_;
  At at_ = At::kHeader;
  bool first_ = true;
  Kind kind_ = Kind::kText;
  JsonCopier copier_;
};

}  // namespace

std::unique_ptr<ToolCallParser> MakeHarmonyParser(const ParserOptions& options) {
  return std::make_unique<HarmonyParser>(options);
}

}  // namespace ac::toolcall::internal
