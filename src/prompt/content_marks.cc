#include "prompt/content_marks.h"

#include <algorithm>

#include "base/utf8.h"
#include "json/json.h"

namespace ac::prompt {
namespace {

// U+FDD0 begins every mark; the character behind it says which. Both are noncharacters: no text
// has a reason to hold them.
constexpr std::string_view kLead = "\uFDD0";
constexpr std::string_view kItself = "\uFDD0\uFDD1";  // U+FDD0 of the text
constexpr std::string_view kBreak = "\uFDD0\uFDD2";   // nothing; breaks a spelling
constexpr std::string_view kSystem = "\uFDD0\uFDD3";
constexpr std::string_view kTurn = "\uFDD0\uFDD4";
constexpr std::string_view kTurnEnd = "\uFDD5";

constexpr std::string_view kBlanks = " \t\r\n";

bool IsControlType(tokenizer::TokenType type) {
  return type == tokenizer::TokenType::kControl || type == tokenizer::TokenType::kUnknown ||
         type == tokenizer::TokenType::kUnused;
}

std::string EscapeLeads(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t lead = text.find(kLead, at);
    out += text.substr(at, lead == std::string_view::npos ? lead : lead - at);
    if (lead == std::string_view::npos) break;
    out += kItself;
    at = lead + kLead.size();
  }
  return out;
}

}  // namespace

ContentMarks::ContentMarks(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.TokenBytes(id);
    if (IsControlType(tokenizer.type(id)) && bytes.size() > 1) controls_.emplace_back(bytes);
  }
  std::sort(controls_.begin(), controls_.end());
}

// Some end of the text is the beginning of a control token that later text could complete.
bool ContentMarks::CouldGoOn(std::string_view end_of_text) const {
  for (size_t at = 0; at < end_of_text.size(); ++at) {
    const std::string_view tail = end_of_text.substr(at);
    const auto it = std::lower_bound(controls_.begin(), controls_.end(), tail);
    if (it != controls_.end() && it->starts_with(tail)) return true;
  }
  return false;
}

std::string ContentMarks::Guard(std::string text) const {
  if (text.find(kLead) != std::string::npos) text = EscapeLeads(text);
  std::string out;
  size_t done = 0;
  while (true) {
    const std::string_view rest(text);
    const std::string_view found = tokenizer_.FindControlText(rest, done);
    if (found.empty()) break;
    // The spelling itself begins behind the blanks a token may swallow.
    const auto begin = static_cast<size_t>(found.data() - text.data()) +
                       std::min(found.find_first_not_of(kBlanks), found.size() - 1);
    const size_t after_first = begin + DecodeUtf8(rest, begin).length;
    out.append(text, done, after_first - done);
    out += kBreak;
    done = after_first;
  }
  if (done > 0) text = out + text.substr(done);
  // Templates trim: look at the end that stays.
  const size_t last = text.find_last_not_of(kBlanks);
  if (last == std::string::npos) return text;
  const std::string_view kept = std::string_view(text).substr(0, last + 1);
  constexpr size_t kLongestControl = 64;
  if (CouldGoOn(kept.substr(kept.size() - std::min(kept.size(), kLongestControl)))) {
    text.insert(last + 1, kBreak);
  }
  return text;
}

void ContentMarks::GuardStrings(json::Value* value) const {
  if (auto* text = value->if_string()) {
    std::string guarded = Guard(std::string(text->data(), text->size()));
    if (guarded.size() != text->size()) *text = guarded;
  } else if (auto* array = value->if_array()) {
    for (json::Value& item : *array) GuardStrings(&item);
  } else if (auto* object = value->if_object()) {
    // Keys are content too; the few that need a mark make a new object, in the same order.
    json::Object guarded;
    bool changed = false;
    for (auto& [key, item] : *object) {
      GuardStrings(&item);
      changed = changed || Guard(std::string(key)).size() != key.size();
    }
    if (!changed) return;
    for (auto& [key, item] : *object) guarded[Guard(std::string(key))] = std::move(item);
    *object = std::move(guarded);
  }
}

std::string_view ContentMarks::Clean(std::string_view text, std::string* buffer) {
  size_t lead = text.find(kLead);
  if (lead == std::string_view::npos) return text;
  buffer->clear();
  size_t done = 0;
  for (; lead != std::string_view::npos; lead = text.find(kLead, done)) {
    buffer->append(text.substr(done, lead - done));
    const std::string_view here = text.substr(lead);
    if (here.starts_with(kItself)) buffer->append(kLead);
    // A template may have cut a mark in two: what is left of it is nothing.
    const std::string_view second = here.substr(kLead.size(), kTurnEnd.size());
    const bool whole = second >= kItself.substr(kLead.size()) && second <= kTurnEnd;
    done = lead + kLead.size() + (whole ? second.size() : 0);
  }
  buffer->append(text.substr(done));
  return *buffer;
}

std::string ContentMarks::TurnMark(size_t number) {
  return std::string(kTurn) + std::to_string(number) + std::string(kTurnEnd);
}

ContentMarks::FoundTurn ContentMarks::FindTurn(std::string_view text, size_t from) {
  FoundTurn found;
  found.begin = text.find(kTurn, from);
  if (found.begin == std::string_view::npos) return found;
  size_t at = found.begin + kTurn.size();
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    found.number = found.number * 10 + static_cast<size_t>(text[at] - '0');
  }
  found.end = at + (text.substr(at).starts_with(kTurnEnd) ? kTurnEnd.size() : 0);
  return found;
}

std::string_view ContentMarks::SystemMark() { return kSystem; }

}  // namespace ac::prompt
