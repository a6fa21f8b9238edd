// Reads a reply as prose with calls and thinking in it, for every family but gpt-oss.
//
// An opener in a certain place (the family's own tag, at the start of a line, outside code and
// thinking) begins a call that is given out as it arrives. In a doubtful place the call is held: it
// counts only when the reply ends with it, because prose that goes on was talking about a call.
#include <algorithm>
#include <array>
#include <utility>

#include "toolcall/internal/body.h"
#include "toolcall/internal/deepseek_marks.h"
#include "toolcall/internal/parsers.h"
#include "toolcall/place.h"

namespace ac::toolcall::internal {
namespace {

constexpr size_t kMaxHeldBytes = size_t{1} << 20;
constexpr int kMaxHeldCalls = 64;

enum class Syntax {
  kTag,
  kFunctionCallTag,
  kFunctionCallsTag,
  kToolsTag,
  kPipedTag,
  kFunction,
  kInvoke,
  kMistral,
  kDeepSeekList,
  kDeepSeekCall,
  kPythonTag,
  kBareJson,
};

enum class Where { kLineStart, kAnywhere, kNowhere };  // a certain place for the opener

constexpr unsigned Bit(Family family) { return 1U << static_cast<unsigned>(family); }
constexpr unsigned kTagFamilies =
    Bit(Family::kGeneric) | Bit(Family::kHermes) | Bit(Family::kQwenXml) | Bit(Family::kGlm);
constexpr unsigned kFunctionFamilies = kTagFamilies | Bit(Family::kLlama3);

struct Opener {
  std::string_view text;
  size_t consumed;  // the rest belongs to the body
  Syntax syntax;
  unsigned homes;  // families that write it themselves; for others it is doubtful
  Where certain;
};

constexpr std::array<Opener, 13> kOpeners = {{
    {"<tool_call>", 11, Syntax::kTag, kTagFamilies, Where::kLineStart},
    {"<function_call>", 15, Syntax::kFunctionCallTag, kTagFamilies, Where::kLineStart},
    {"<function_calls>", 16, Syntax::kFunctionCallsTag, kTagFamilies, Where::kLineStart},
    {"<tools>", 7, Syntax::kToolsTag, 0, Where::kNowhere},
    {"<|tool_call|>", 13, Syntax::kPipedTag, Bit(Family::kGeneric), Where::kAnywhere},
    {"<function=", 9, Syntax::kFunction, kFunctionFamilies, Where::kLineStart},
    {"<function name=", 9, Syntax::kFunction, kFunctionFamilies, Where::kLineStart},
    {"<invoke name=", 7, Syntax::kInvoke, kTagFamilies, Where::kLineStart},
    {"[TOOL_CALLS]", 12, Syntax::kMistral, Bit(Family::kGeneric) | Bit(Family::kMistral),
     Where::kAnywhere},
    {kDeepSeekCallsBegin, kDeepSeekCallsBegin.size(), Syntax::kDeepSeekList,
     Bit(Family::kGeneric) | Bit(Family::kDeepSeek), Where::kAnywhere},
    {kDeepSeekCallBegin, kDeepSeekCallBegin.size(), Syntax::kDeepSeekCall,
     Bit(Family::kGeneric) | Bit(Family::kDeepSeek), Where::kAnywhere},
    {"<|python_tag|>", 14, Syntax::kPythonTag, Bit(Family::kGeneric) | Bit(Family::kLlama3),
     Where::kAnywhere},
    {"{", 0, Syntax::kBareJson, 0, Where::kNowhere},
}};

constexpr std::array<std::string_view, 2> kThinkOpeners = {"<think>", "[THINK]"};
constexpr std::array<std::string_view, 2> kThinkClosers = {"</think>", "[/THINK]"};
// Ends of turns that a server failed to cut off.
constexpr std::array<std::string_view, 6> kEndMarks = {
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "</s>", kDeepSeekEndOfSentence};
// Left over after a call whose opener was missing or doubled.
constexpr std::array<std::string_view, 4> kCallClosers = {"</tool_call>", "</function>",
                                                          "</function_call>", "</tools>"};

bool IsOpener(std::string_view text) {
  const std::string_view trimmed = TrimBlanks(text);
  return std::any_of(kOpeners.begin(), kOpeners.end(),
                     [&](const Opener& opener) { return opener.text == trimmed; });
}

std::unique_ptr<Body> MakeBody(Syntax syntax, BodyContext context) {
  switch (syntax) {
    case Syntax::kTag:
      return MakeTagBody(context, {"</tool_call>"});
    case Syntax::kFunctionCallTag:
      return MakeTagBody(context, {"</function_call>", "</tool_call>"});
    case Syntax::kFunctionCallsTag:
      return MakeTagBody(context, {"</function_calls>"});
    case Syntax::kToolsTag:
      return MakeTagBody(context, {"</tools>"});
    case Syntax::kPipedTag:
      return MakeTagBody(context, {"<|/tool_call|>", "</tool_call>"});
    case Syntax::kFunction:
      return MakeFunctionBody(context, "</tool_call>", false);
    case Syntax::kInvoke:
      return MakeInvokeBody(context);
    case Syntax::kMistral:
      return MakeMistralBody(context);
    case Syntax::kDeepSeekList:
      return MakeDeepSeekBody(context, false);
    case Syntax::kDeepSeekCall:
      return MakeDeepSeekBody(context, true);
    case Syntax::kPythonTag:
      return MakePythonTagBody(context);
    case Syntax::kBareJson:
      break;
  }
  return MakeJsonBody(context, {}, true);
}

// Does the text begin with one of these, and with how many bytes?
template <size_t N>
Match StartsWithAny(std::string_view text, const std::array<std::string_view, N>& tokens,
                    size_t* length) {
  Match best = Match::kNo;
  for (const std::string_view token : tokens) {
    const Match match = StartsWith(text, token);
    if (match == Match::kYes) {
      *length = token.size();
      return match;
    }
    if (match == Match::kPartial) best = match;
  }
  return best;
}

class Scanner : public ToolCallParser {
 public:
  Scanner(Family family, const ParserOptions& options)
      : family_(family), tools_(options.tools), thinking_(options.thinking_open) {}

  void Feed(std::string_view text, std::vector<Event>* out) override {
    input_ += text;
    Run(false, false, out);
  }

  void Finish(bool cut, std::vector<Event>* out) override {
    Run(true, cut, out);
    if (!thinking_ && !after_call_) Emit(Event::Kind::kText, std::exchange(blanks_, {}), out);
    blanks_.clear();
  }

 private:
  // What happens at one character of the prose.
  enum class Found { kNothing, kHold, kAction };

  void Run(bool last, bool cut, std::vector<Event>* out) {
    bool again = true;
    while (again) {
      if (body_ != nullptr) {
        again = RunBody(last, cut, out);
      } else if (group_open_) {
        again = RunGroup(last, out);
      } else {
        again = RunProse(last, out);
      }
    }
  }

  // --- prose and thinking -------------------------------------------------------------------

  bool RunProse(bool last, std::vector<Event>* out) {
    size_t begin = 0;
    size_t i = 0;
    while (i < input_.size()) {
      const char c = input_[i];
      if (c == '<' || c == '[' || c == '{') {
        Write(std::string_view(input_).substr(begin, i - begin), out);
        begin = i;
        size_t used = 0;
        const Found found = At(std::string_view(input_).substr(i), last, &used);
        if (found == Found::kHold) {
          input_.erase(0, i);
          return false;
        }
        if (found == Found::kAction) {
          input_.erase(0, i + used);
          return true;
        }
      }
      ++i;
    }
    Write(std::string_view(input_).substr(begin), out);
    input_.clear();
    return false;
  }

  Found At(std::string_view text, bool last, size_t* used) {
    if (place_.in_inline_code() && !thinking_) return Found::kNothing;
    Match best = Match::kNo;
    const auto check = [&](Match match) {
      if (match == Match::kPartial) best = match;
      return match == Match::kYes;
    };
    if (check(StartsWithAny(text, kThinkClosers, used)) && (thinking_ || !place_.in_fence())) {
      thinking_ = false;
      EndThought();
      return Found::kAction;
    }
    if (!thinking_ && !place_.in_fence()) {
      if (place_.at_line_start() && check(StartsWithAny(text, kThinkOpeners, used))) {
        thinking_ = true;
        EndThought();
        return Found::kAction;
      }
      if (check(StartsWithAny(text, kEndMarks, used))) return Found::kAction;
      if (after_call_ && check(StartsWithAny(text, kCallClosers, used))) return Found::kAction;
    }
    for (const Opener& opener : kOpeners) {
      if (tools_.empty()) break;
      if (opener.syntax == Syntax::kBareJson && (!place_.at_line_start() || place_.in_fence()))
        continue;
      if (!check(StartsWith(text, opener.text))) continue;
      Begin(opener);
      *used = opener.consumed;
      return Found::kAction;
    }
    return best == Match::kPartial && !last ? Found::kHold : Found::kNothing;
  }

  // Between thinking and text: the blank lines there belong to neither, and code fences do not
  // reach across.
  void EndThought() {
    blanks_.clear();
    place_ = Place();
    skip_line_breaks_ = true;
  }

  // Blanks are kept until something follows them: before a call they are not text.
  void Write(std::string_view text, std::vector<Event>* out) {
    place_.Advance(text);
    if (skip_line_breaks_) {
      const size_t first = text.find_first_not_of("\r\n");
      text.remove_prefix(std::min(first, text.size()));
      if (text.empty()) return;
      skip_line_breaks_ = false;
    }
    const size_t end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) {
      blanks_ += text;
      return;
    }
    std::string ready = std::exchange(blanks_, std::string(text.substr(end + 1)));
    ready += text.substr(0, end + 1);
    after_call_ = false;
    const Event::Kind kind = thinking_ ? Event::Kind::kThinking : Event::Kind::kText;
    if (!out->empty() && out->back().kind == kind) {
      out->back().text += ready;
    } else {
      Emit(kind, std::move(ready), out);
    }
  }

  // --- calls --------------------------------------------------------------------------------

  void Begin(const Opener& opener) {
    const bool home = (opener.homes & Bit(family_)) != 0;
    const bool placed = opener.certain == Where::kAnywhere ||
                        (opener.certain == Where::kLineStart && place_.at_line_start());
    doubtful_ = group_open_ || !home || !placed || thinking_ || place_.in_fence();
    body_ = MakeBody(opener.syntax, {&tools_, doubtful_});
    raw_ = opener.text.substr(0, opener.consumed);
    if (opener.consumed == 0) raw_.clear();
    committed_ = false;
  }

  bool RunBody(bool last, bool cut, std::vector<Event>* out) {
    std::vector<Event> events;
    BodyState state = BodyState::kMore;
    if (!input_.empty()) {
      raw_ += input_;
      state = body_->Feed(std::exchange(input_, {}), &events);
    }
    const bool unfinished = state == BodyState::kMore && last;
    if (unfinished) state = body_->Finish(cut, &events);
    if (state == BodyState::kMore && doubtful_ && raw_.size() > kMaxHeldBytes) {
      state = BodyState::kReject;
    }
    if (state == BodyState::kReject) {
      Reject(out);
      return true;
    }
    if (doubtful_) {
      std::move(events.begin(), events.end(), std::back_inserter(group_events_));
    } else {
      Commit(&events, out);
    }
    if (state == BodyState::kMore) return false;
    // What a body still held when the reply ended were pieces of tags.
    if (!unfinished) input_ = body_->TakeRest();
    body_.reset();
    if (!doubtful_) return true;
    group_raw_ += raw_.substr(0, raw_.size() - std::min(raw_.size(), input_.size()));
    raw_.clear();
    group_open_ = true;
    ++group_calls_;
    return true;
  }

  void Commit(std::vector<Event>* events, std::vector<Event>* out) {
    if (events->empty()) return;
    committed_ = true;
    after_call_ = true;
    skip_line_breaks_ = true;
    blanks_.clear();
    place_ = Place();
    std::move(events->begin(), events->end(), std::back_inserter(*out));
    raw_.clear();
  }

  // Not a call: its first character is prose, and what follows is looked at again.
  void Reject(std::vector<Event>* out) {
    body_.reset();
    if (after_call_ && !group_open_ && input_.empty() && IsOpener(raw_)) {
      raw_.clear();  // a model's second opening tag where the closing one belongs
      return;
    }
    std::string all = std::exchange(group_raw_, {}) + std::exchange(raw_, {}) + input_;
    group_events_.clear();
    group_open_ = false;
    group_calls_ = 0;
    group_left_thinking_ = false;
    Write(std::string_view(all).substr(0, 1), out);
    input_ = all.substr(std::min<size_t>(1, all.size()));
  }

  // --- held calls ---------------------------------------------------------------------------

  // What comes after a held call decides about it.
  bool RunGroup(bool last, std::vector<Event>* out) {
    const size_t blanks = std::min(input_.find_first_not_of(" \t\r\n;"), input_.size());
    const std::string_view text = std::string_view(input_).substr(blanks);
    if (text.empty()) {
      if (!last) return false;
      AcceptGroup(out);
      return true;
    }
    size_t used = 0;
    bool partial = false;
    for (const Match match :
         {StartsWithAny(text, kEndMarks, &used), StartsWithAny(text, kCallClosers, &used)}) {
      partial = partial || match == Match::kPartial;
      if (match == Match::kYes) return TakeIntoGroup(blanks + used);
    }
    if (thinking_ && !group_left_thinking_) {
      const Match match = StartsWithAny(text, kThinkClosers, &used);
      partial = partial || match == Match::kPartial;
      if (match == Match::kYes) {
        group_left_thinking_ = true;
        return TakeIntoGroup(blanks + used);
      }
    }
    for (const Opener& opener : kOpeners) {
      const Match match = StartsWith(text, opener.text);
      partial = partial || match == Match::kPartial;
      if (match != Match::kYes) continue;
      // Calls after the thinking are the real ones: what was held is a draft.
      if (group_left_thinking_ || group_calls_ >= kMaxHeldCalls) break;
      TakeIntoGroup(blanks);
      Begin(opener);
      input_.erase(0, opener.consumed);
      return true;
    }
    if (partial && !last) return false;
    Reject(out);
    return true;
  }

  bool TakeIntoGroup(size_t length) {
    group_raw_ += input_.substr(0, length);
    input_.erase(0, length);
    return true;
  }

  void AcceptGroup(std::vector<Event>* out) {
    if (group_left_thinking_) thinking_ = false;
    std::vector<Event> events = std::exchange(group_events_, {});
    group_open_ = false;
    group_left_thinking_ = false;
    group_calls_ = 0;
    group_raw_.clear();
    input_.clear();
    Commit(&events, out);
  }

  const Family family_;
  ToolTable tools_;
  Place place_;
  bool thinking_;
  bool skip_line_breaks_ = true;
  bool after_call_ = false;
  std::string input_;   // not looked at yet
  std::string blanks_;  // blanks that wait for what follows

  std::unique_ptr<Body> body_;  // the open call
  bool doubtful_ = false;
  bool committed_ = false;
  std::string raw_;  // its text, while it may still turn out to be prose

  bool group_open_ = false;  // held calls wait for what follows
  bool group_left_thinking_ = false;
  int group_calls_ = 0;
  std::string group_raw_;
  std::vector<Event> group_events_;
};

}  // namespace

std::unique_ptr<ToolCallParser> MakeScanner(Family family, const ParserOptions& options) {
  return std::make_unique<Scanner>(family, options);
}

}  // namespace ac::toolcall::internal

namespace ac::toolcall {

bool MentionsCall(std::string_view text) {
  return std::any_of(internal::kOpeners.begin(), internal::kOpeners.end(),
                     [&](const internal::Opener& opener) {
                       return opener.syntax != internal::Syntax::kBareJson &&
                              text.find(opener.text) != std::string_view::npos;
                     });
}

}  // namespace ac::toolcall
