#include "gateway/stabiliser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <tuple>

namespace ac::gateway {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// Without blanks, list marks and emphasis at the start: "  - **Today's date" -> "Today's date".
std::string_view Bare(std::string_view line) {
  const size_t start = line.find_first_not_of(" \t-*#>");
  return start == std::string_view::npos ? std::string_view() : line.substr(start);
}

bool StartsWithAny(const std::string& text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

std::string Join(const std::vector<std::string_view>& lines) {
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += '\n';
    text += lines[i];
  }
  return text;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// --- attribution
void DropAttribution(std::vector<chat::Block>* system, std::vector<Change>* changes) {
  size_t dropped = 0;
  for (chat::Block& block : *system) {
    auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    std::vector<std::string_view> kept;
    const size_t before = dropped;
    for (const std::string_view line : Lines(text->text)) {
      if (IsAttributionLine(line)) {
        ++dropped;
      } else {
        kept.push_back(line);
      }
    }
    if (dropped > before) text->text = Join(kept);
  }
  if (dropped == 0) return;
  std::erase_if(*system, [](const chat::Block& block) {
    const auto* text = block.As<chat::Text>();
    return text != nullptr && IsBlank(text->text);
  });
  changes->push_back({"attribution", "dropped " + std::to_string(dropped) + " billing line(s)"});
}

// --- tool_order
void OrderTools(std::vector<chat::ToolSpec>* tools, std::vector<Change>* changes) {
  const auto rank = [](const chat::ToolSpec& tool) {
    return std::tuple<bool, bool, const std::string&>(tool.defer_loading, !tool.type.empty(),
                                                      tool.name);
  };
  const auto less = [&](const chat::ToolSpec& a, const chat::ToolSpec& b) {
    return rank(a) < rank(b);
  };
  if (std::is_sorted(tools->begin(), tools->end(), less)) return;
  std::stable_sort(tools->begin(), tools->end(), less);
  changes->push_back({"tool_order", "sorted " + std::to_string(tools->size()) + " tools"});
}

// --- volatile_last

// A text in two: what stays, and what differs from day to day and from place to place.
struct Split {
  std::vector<std::string_view> stable;
  std::vector<std::string_view> moving;
};

Split SplitVolatile(std::string_view text) {
  Split split;
  bool in_environment = false;
  bool in_git_status = false;  // runs to the end of its block
  for (const std::string_view line : Lines(text)) {
    const std::string bare = Lower(Bare(line));
    if (bare.starts_with("<env>")) in_environment = true;
    if (StartsWithAny(bare, {"gitstatus:", "git status:"})) in_git_status = true;
    const bool moves = in_environment || in_git_status || IsVolatileLine(line);
    (moves ? split.moving : split.stable).push_back(line);
    if (bare.find("</env>") != std::string::npos) in_environment = false;
  }
  return split;
}

// Nothing to do where the volatile part is at the end already.
bool IsAtTheEnd(const std::vector<chat::Block>& system) {
  bool seen_volatile = false;
  for (const chat::Block& block : system) {
    const auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    const Split split = SplitVolatile(text->text);
    size_t next = 0;
    for (const std::string_view line : Lines(text->text)) {
      const bool moves = next < split.moving.size() && line.data() == split.moving[next].data();
      if (moves) {
        ++next;
        seen_volatile = true;
      } else if (seen_volatile && !IsBlank(line)) {
        return false;
      }
    }
  }
  return true;
}

void MoveVolatileLast(std::vector<chat::Block>* system, std::vector<Change>* changes) {
  if (IsAtTheEnd(*system)) return;
  std::string moved;
  size_t lines = 0;
  for (chat::Block& block : *system) {
    auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    const Split split = SplitVolatile(text->text);
    if (split.moving.empty()) continue;
    if (!moved.empty()) moved += '\n';
    moved += Join(split.moving);
    lines += split.moving.size();
    text->text = Join(split.stable);
  }
  std::erase_if(*system, [](const chat::Block& block) {
    const auto* text = block.As<chat::Text>();
    return text != nullptr && IsBlank(text->text);
  });
  system->push_back({.value = chat::Text{std::move(moved)}});
  changes->push_back({"volatile_last", "moved " + std::to_string(lines) + " line(s) to the end"});
}

// --- system_in_place, when switched off
void HoistSystem(chat::ChatRequest* request, std::vector<Change>* changes) {
  size_t hoisted = 0;
  for (chat::Message& message : request->messages) {
    if (message.role != chat::Role::kSystem) continue;
    ++hoisted;
    std::move(message.blocks.begin(), message.blocks.end(), std::back_inserter(request->system));
  }
  if (hoisted == 0) return;
  std::erase_if(request->messages,
                [](const chat::Message& message) { return message.role == chat::Role::kSystem; });
  changes->push_back({"system_in_place",
                      "joined " + std::to_string(hoisted) + " message(s) to the system prompt"});
}

std::set<std::string, std::less<>> UsedTools(const chat::ChatRequest& request) {
  std::set<std::string, std::less<>> used;
  for (const chat::Message& message : request.messages) {
    for (const chat::Block& block : message.blocks) {
      if (const auto* use = block.As<chat::ToolUse>()) used.insert(use->name);
      if (const auto* reference = block.As<chat::ToolReference>())
        used.insert(reference->tool_name);
    }
  }
  if (request.tool_choice.kind == chat::ToolChoice::Kind::kTool) {
    used.insert(request.tool_choice.name);
  }
  return used;
}

// Sentences, each with the blanks that follow it; line ends end one too.
std::vector<std::string_view> Sentences(std::string_view text) {
  std::vector<std::string_view> sentences;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool at_end = i + 1 == text.size();
    const bool ends = text[i] == '\n' || ((text[i] == '.' || text[i] == '!' || text[i] == '?') &&
                                          (at_end || text[i + 1] == ' ' || text[i + 1] == '\n'));
    if (!ends && !at_end) continue;
    size_t end = i + 1;
    while (end < text.size() && (text[end] == ' ' || text[end] == '\n')) ++end;
    sentences.push_back(text.substr(start, end - start));
    start = end;
    i = end - 1;
  }
  return sentences;
}

bool StatesARule(std::string_view sentence) {
  static constexpr std::array kWords = {"must",     "never", "always",   "only",      "do not",
                                        "don't",    "not ",  "required", "important", "cannot",
                                        "can't",    "avoid", "before ",  "instead",   "should",
                                        "absolute", "exact"};
  const std::string lower = Lower(sentence);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](const char* word) { return lower.find(word) != std::string::npos; });
}

// Removes `"description": "..."` members inside a schema, text level: keys and order stay.
std::string WithoutDescriptions(const std::string& schema) {
  static constexpr std::string_view kKey = "\"description\"";
  std::string out;
  size_t at = 0;
  while (at < schema.size()) {
    if (schema[at] != '"') {
      out += schema[at++];
      continue;
    }
    size_t end = at + 1;
    while (end < schema.size() && schema[end] != '"') end += schema[end] == '\\' ? 2 : 1;
    end = std::min(end + 1, schema.size());
    const std::string_view word = std::string_view(schema).substr(at, end - at);
    size_t value = schema.find_first_not_of(" \t\r\n", end);
    if (word != kKey || value == std::string::npos || schema[value] != ':') {
      out += word;
      at = end;
      continue;
    }
    value = schema.find_first_not_of(" \t\r\n", value + 1);
    // A property may be called "description": its value is a schema, and it stays.
    if (value == std::string::npos || schema[value] != '"') {
      out += word;
      at = end;
      continue;
    }
    size_t close = value + 1;
    while (close < schema.size() && schema[close] != '"') close += schema[close] == '\\' ? 2 : 1;
    at = std::min(close + 1, schema.size());
    // One comma goes with the member: the one after it, or else the one before.
    const size_t next = schema.find_first_not_of(" \t\r\n", at);
    if (next != std::string::npos && schema[next] == ',') {
      at = schema.find_first_not_of(" \t\r\n", next + 1);
      if (at == std::string::npos) at = schema.size();
    } else {
      while (!out.empty() && (std::isspace(static_cast<unsigned char>(out.back())) != 0)) {
        out.pop_back();
      }
      if (!out.empty() && out.back() == ',') out.pop_back();
    }
  }
  return out;
}

}  // namespace

bool IsAttributionLine(std::string_view line) {
  const std::string bare = Lower(Bare(line));
  const size_t colon = bare.find(':');
  if (colon != std::string::npos && bare.starts_with("x-")) {
    const std::string_view name = std::string_view(bare).substr(0, colon);
    const bool is_header = name.find(' ') == std::string_view::npos;
    return is_header && (name.find("billing") != std::string_view::npos ||
                         name.find("attribution") != std::string_view::npos);
  }
  // Formats without the header's name: "cc_version=2.1.220.abc; cc_entrypoint=cli;", "cch=1f3;".
  return StartsWithAny(bare, {"cc_version=", "cc_entrypoint=", "cch="});
}

bool IsVolatileLine(std::string_view line) {
  const std::string bare = Lower(Bare(line));
  return StartsWithAny(
      bare, {"today's date", "today is ", "current date", "the current date", "current time",
             "the current time", "currentdate", "date: 2",
             "working directory:", "primary working directory:", "current working directory:",
             "your current working directory", "cwd:", "is directory a git repo:",
             "is a git repository:", "current branch:", "git branch:"});
}

std::vector<Change> Stabilise(const StabiliserRules& rules, chat::ChatRequest* request) {
  std::vector<Change> changes;
  if (rules.attribution) DropAttribution(&request->system, &changes);
  if (rules.tool_order) OrderTools(&request->tools, &changes);
  if (!rules.system_in_place) HoistSystem(request, &changes);
  if (rules.volatile_last) MoveVolatileLast(&request->system, &changes);
  return changes;
}

std::string ShortDescription(std::string_view description, size_t limit) {
  if (description.size() <= limit) return std::string(description);
  std::string text;
  bool within = true;
  for (const std::string_view sentence : Sentences(description)) {
    within = within && text.size() + sentence.size() <= limit;
    if (within || StatesARule(sentence)) text += sentence;
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.pop_back();
  }
  return text;
}

std::vector<Change> Slim(const SlimRules& rules, chat::ChatRequest* request) {
  std::vector<Change> changes;
  if (!rules.tools.empty()) {
    const auto used = UsedTools(*request);
    const size_t removed = std::erase_if(request->tools, [&](const chat::ToolSpec& tool) {
      return std::find(rules.tools.begin(), rules.tools.end(), tool.name) == rules.tools.end() &&
             !used.contains(tool.name);
    });
    if (removed > 0) {
      changes.push_back({"slim_tools", "left out " + std::to_string(removed) + " tool(s)"});
    }
  }
  size_t saved = 0;
  for (chat::ToolSpec& tool : request->tools) {
    const size_t before = tool.description.size() + tool.input_schema.size();
    if (rules.description_bytes > 0) {
      tool.description =
          ShortDescription(tool.description, static_cast<size_t>(rules.description_bytes));
    }
    if (rules.drop_parameter_descriptions)
      tool.input_schema = WithoutDescriptions(tool.input_schema);
    saved += before - tool.description.size() - tool.input_schema.size();
  }
  if (saved > 0) {
    changes.push_back({"slim_descriptions", "left out " + std::to_string(saved) + " bytes"});
  }
  return changes;
}

}  // namespace ac::gateway
