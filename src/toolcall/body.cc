#include "toolcall/internal/body.h"

#include <algorithm>

#include "toolcall/internal/json_copier.h"

namespace ac::toolcall::internal {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string Escaped(std::string_view text) {
  const std::string quoted = json::Quote(text);
  return quoted.substr(1, quoted.size() - 2);
}

// The value as JSON when it is JSON (or Python's spelling of it), else nothing.
std::optional<std::string> AsJson(std::string_view text) {
  const std::string_view trimmed = TrimBlanks(text);
  JsonCopier copier;
  std::string out;
  const size_t used = copier.Feed(trimmed, &out);
  if (used != trimmed.size() || copier.in_string()) return std::nullopt;
  if (!copier.done()) {
    if (!trimmed.empty() && (trimmed.front() == '{' || trimmed.front() == '[')) return std::nullopt;
    copier.Close(&out);
  }
  if (copier.stuck() || !json::Parse(out).ok()) return std::nullopt;
  return out;
}

// Without a schema: only what can hardly be meant as a string.
bool LooksLikeJson(std::string_view text) {
  const std::string_view trimmed = TrimBlanks(text);
  if (trimmed.empty()) return false;
  const bool quoted = trimmed.size() >= 2 && trimmed.front() == '"' && trimmed.back() == '"';
  return quoted || trimmed.front() == '{' || trimmed.front() == '[' || trimmed == "true" ||
         trimmed == "false" || trimmed == "null" ||
         trimmed.find_first_not_of("-0123456789.") == std::string_view::npos;
}

}  // namespace

Match StartsWith(std::string_view text, std::string_view token) {
  if (text.size() >= token.size()) return text.starts_with(token) ? Match::kYes : Match::kNo;
  return token.starts_with(text) ? Match::kPartial : Match::kNo;
}

size_t SkipBlanks(std::string_view text, size_t from) {
  return std::min(text.find_first_not_of(kBlanks, from), text.size());
}

std::string_view TrimBlanks(std::string_view text) {
  text.remove_prefix(SkipBlanks(text));
  while (!text.empty() && kBlanks.find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return text;
}

void Emit(Event::Kind kind, std::string text, std::vector<Event>* out) {
  const bool needs_text = kind != Event::Kind::kCallEnd;
  if (needs_text && text.empty()) return;
  out->push_back({kind, std::move(text)});
}

void ParameterWriter::Begin(std::string_view key, std::vector<Event>* out) {
  EndValue(out);
  kind_ = tools_->KindOf(tool_, key);
  std::string text = (first_ ? "{" : ",") + json::Quote(key) + ":";
  first_ = false;
  open_ = true;
  if (kind_ == ToolTable::ValueKind::kString) text += '"';
  Emit(Event::Kind::kArgsDelta, std::move(text), out);
}

void ParameterWriter::Value(std::string_view text, std::vector<Event>* out) {
  if (!open_) return;
  if (kind_ == ToolTable::ValueKind::kString) {
    Emit(Event::Kind::kArgsDelta, Escaped(text), out);
  } else {
    held_ += text;
  }
}

void ParameterWriter::EndValue(std::vector<Event>* out) {
  if (!std::exchange(open_, false)) return;
  if (kind_ == ToolTable::ValueKind::kString) return Emit(Event::Kind::kArgsDelta, "\"", out);
  const std::string value = std::exchange(held_, {});
  std::optional<std::string> json_text;
  if (kind_ == ToolTable::ValueKind::kJson || LooksLikeJson(value)) json_text = AsJson(value);
  Emit(Event::Kind::kArgsDelta, json_text.has_value() ? *json_text : json::Quote(value), out);
}

void ParameterWriter::End(std::vector<Event>* out) {
  EndValue(out);
  Emit(Event::Kind::kArgsDelta, first_ ? "{}" : "}", out);
}

}  // namespace ac::toolcall::internal
