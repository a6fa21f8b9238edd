#include "prompt/prompt_parts.h"

#include <string.h>

#include <algorithm>

#include "prompt/content_marks.h"

namespace ac::prompt {
namespace {

// So much of a text is looked for; shorter than kShortest, and it could be anywhere.
constexpr size_t kLongestAnchor = 64;
constexpr size_t kShortestAnchor = 12;
constexpr std::string_view kTrimmed = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kTrimmed);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kTrimmed) - first + 1);
}

std::string_view Anchor(std::string_view text) { return Trimmed(text).substr(0, kLongestAnchor); }

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// As text.find(words, from), but fast on long texts that do not have the words.
size_t Find(std::string_view text, std::string_view words, size_t from) {
  if (from > text.size() || words.empty()) return std::string_view::npos;
  const void* found = ::memmem(text.data() + from, text.size() - from, words.data(), words.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

// The name as a word of its own at or after `from`.
size_t FindWord(std::string_view text, std::string_view word, size_t from) {
  if (word.empty()) return std::string_view::npos;
  for (size_t at = Find(text, word, from); at != std::string_view::npos;
       at = Find(text, word, at + 1)) {
    const bool begins = at == 0 || !IsWordCharacter(text[at - 1]);
    const size_t end = at + word.size();
    if (begins && (end >= text.size() || !IsWordCharacter(text[end]))) return at;
  }
  return std::string_view::npos;
}

class Finder {
 public:
  Finder(const chat::ChatRequest& request, std::string_view text)
      : request_(request), text_(text) {}

  std::vector<PromptPart> Run() {
    // Templates differ in which of the two comes first.
    if (TextAt(FirstSystemText()) <= ToolAt(0)) {
      FindSystem();
      FindTools();
    } else {
      FindTools();
      FindSystem();
    }
    for (size_t i = 0; i < request_.messages.size(); ++i) FindMessage(i);
    std::stable_sort(parts_.begin(), parts_.end(),
                     [](const PromptPart& a, const PromptPart& b) { return a.byte < b.byte; });
    return std::move(parts_);
  }

 private:
  std::string_view FirstSystemText() const {
    for (const chat::Block& block : request_.system) {
      if (const auto* text = block.As<chat::Text>()) return Trimmed(text->text);
    }
    return {};
  }

  void Add(PromptPart::Kind kind, std::string name, const std::string& ttl, size_t byte) {
    parts_.push_back({.kind = kind, .name = std::move(name), .cache_ttl = ttl, .byte = byte});
  }

  // Where a text begins, and the cursor moves behind it; npos when it is not there.
  size_t TextAt(std::string_view words) const {
    if (words.empty()) return std::string_view::npos;
    return Find(text_, words.substr(0, kLongestAnchor), cursor_);
  }
  size_t PassText(std::string_view content) {
    const std::string_view words = Trimmed(content);
    const size_t at = TextAt(words);
    if (at == std::string_view::npos) return at;
    const bool whole = text_.substr(at, words.size()) == words;
    cursor_ = at + (whole ? words.size() : std::min(words.size(), kLongestAnchor));
    return at;
  }

  // A tool is written as JSON or in a notation of its own, but with its name before its
  // description.
  size_t ToolAt(size_t index) const {
    if (index >= request_.tools.size()) return std::string_view::npos;
    const chat::ToolSpec& tool = request_.tools[index];
    const std::string_view words = Trimmed(tool.description);
    const size_t plain = std::min(words.find_first_of("\"\\<>&'\r\n\t"), words.size());
    const std::string_view anchor = words.substr(0, std::min(plain, kLongestAnchor));
    if (anchor.size() < kShortestAnchor) return FindWord(text_, tool.name, cursor_);
    const size_t at = Find(text_, anchor, cursor_);
    if (at == std::string_view::npos) return at;
    size_t name = at;  // the last one before the description
    for (size_t word = FindWord(text_, tool.name, cursor_); word < at;
         word = FindWord(text_, tool.name, word + 1)) {
      name = word;
    }
    return name;
  }

  void FindTools() {
    for (size_t i = 0; i < request_.tools.size(); ++i) {
      const chat::ToolSpec& tool = request_.tools[i];
      if (tool.defer_loading) continue;
      const size_t at = ToolAt(i);
      if (at == std::string_view::npos) continue;
      cursor_ = at + tool.name.size();
      Add(PromptPart::Kind::kTool, "tool " + tool.name, tool.cache_ttl, at);
    }
  }

  void FindSystem() {
    for (size_t i = 0; i < request_.system.size(); ++i) {
      const chat::Block& block = request_.system[i];
      const auto* text = block.As<chat::Text>();
      const size_t at = text == nullptr ? std::string_view::npos : PassText(text->text);
      if (at == std::string_view::npos) continue;
      const std::string number =
          request_.system.size() == 1 ? "" : " block " + std::to_string(i + 1);
      Add(PromptPart::Kind::kSystem, "system prompt" + number, block.cache_ttl, at);
    }
  }

  void FindMessage(size_t index) {
    const chat::Message& message = request_.messages[index];
    const std::string name = "message " + std::to_string(index + 1) + " (" +
                             std::string(chat::RoleName(message.role)) + ")";
    // A turn that went in as the tokens it was is one piece, whatever its blocks.
    if (message.role == chat::Role::kAssistant && PassTurn(message, name)) return;
    // Templates put results before what the user adds.
    for (const chat::Block& block : message.blocks) {
      if (const auto* result = block.As<chat::ToolResult>()) {
        AddBlock(name + ", tool result", block, chat::JoinText(result->content, "\n"));
      }
    }
    for (const chat::Block& block : message.blocks) {
      if (const auto* text = block.As<chat::Text>()) AddBlock(name, block, text->text);
      if (const auto* thinking = block.As<chat::Thinking>()) {
        AddBlock(name + ", thinking", block, thinking->text);
      }
      if (const auto* use = block.As<chat::ToolUse>()) AddCall(name, block, *use);
    }
  }

  bool PassTurn(const chat::Message& message, const std::string& name) {
    const ContentMarks::FoundTurn turn = ContentMarks::FindTurn(text_, cursor_);
    if (turn.begin == std::string_view::npos) return false;
    // Unless the message stands before the next such turn, in words.
    const std::string_view gap = text_.substr(0, turn.begin);
    for (const chat::Block& block : message.blocks) {
      const auto* text = block.As<chat::Text>();
      const auto* use = block.As<chat::ToolUse>();
      const size_t at = text != nullptr  ? Find(gap, Anchor(text->text), cursor_)
                        : use != nullptr ? FindWord(gap, use->name, cursor_)
                                         : std::string_view::npos;
      if (at != std::string_view::npos) return false;
    }
    cursor_ = turn.end;
    std::string ttl;
    for (const chat::Block& block : message.blocks) {
      if (!block.cache_ttl.empty()) ttl = block.cache_ttl;
    }
    Add(PromptPart::Kind::kMessage, name, ttl, turn.begin);
    return true;
  }

  void AddBlock(std::string name, const chat::Block& block, std::string_view content) {
    const size_t at = PassText(content);
    if (at == std::string_view::npos) return;
    Add(PromptPart::Kind::kMessage, std::move(name), block.cache_ttl, at);
  }
  void AddCall(const std::string& name, const chat::Block& block, const chat::ToolUse& use) {
    const size_t at = FindWord(text_, use.name, cursor_);
    if (at == std::string_view::npos) return;
    cursor_ = at + use.name.size();
    Add(PromptPart::Kind::kMessage, name + ", call of " + use.name, block.cache_ttl, at);
  }

  const chat::ChatRequest& request_;
  const std::string_view text_;
  size_t cursor_ = 0;
  std::vector<PromptPart> parts_;
};

}  // namespace

std::vector<PromptPart> FindParts(const chat::ChatRequest& request, std::string_view text) {
  return Finder(request, text).Run();
}

const PromptPart* PartAt(std::span<const PromptPart> parts, int64_t token) {
  const auto after =
      std::upper_bound(parts.begin(), parts.end(), token,
                       [](int64_t at, const PromptPart& part) { return at < part.token; });
  return after == parts.begin() ? nullptr : &*std::prev(after);
}

}  // namespace ac::prompt
