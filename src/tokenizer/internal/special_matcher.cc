#include "tokenizer/internal/special_matcher.h"

#include "base/utf8.h"
#include "tokenizer/internal/scanners.h"

namespace ac::tokenizer::internal {
namespace {

// The character that ends just before `at`.
uint32_t CharBefore(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  return DecodeUtf8(text.substr(0, at), begin).code_point;
}

size_t SkipSpacesBack(std::string_view text, size_t at, size_t limit) {
  while (at > limit) {
    const uint32_t c = CharBefore(text, at);
    if (!IsSpaceChar(c)) break;
    do --at;
    while ((static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  }
  return at;
}

size_t SkipSpaces(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (!c.valid || !IsSpaceChar(c.code_point)) break;
    at += c.length;
  }
  return at;
}

}  // namespace

void SpecialMatcher::Add(int32_t id, const Token& token) {
  if (token.bytes.empty()) return;
  const bool plain = token.type == TokenType::kUserDefined;
  uint32_t node = 0;
  for (const char byte : token.bytes) {
    const auto [edge, added] = edges_.try_emplace(Edge(node, byte), nodes_.size());
    node = edge->second;
    if (added) nodes_.emplace_back();
  }
  if (nodes_[node].id == kNoToken) nodes_[node].id = id;
  if (plain && nodes_[node].plain_id == kNoToken) nodes_[node].plain_id = id;
  const auto first = static_cast<uint8_t>(token.bytes[0]);
  first_all_[first] = true;
  if (plain) first_plain_[first] = true;
  if (token.lstrip || token.rstrip || token.single_word) {
    flags_[id] = {token.lstrip, token.rstrip, token.single_word};
  }
}

std::optional<SpecialMatcher::Match> SpecialMatcher::MatchAt(std::string_view text, size_t at,
                                                             size_t from, bool all) const {
  Match match;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto edge = edges_.find(Edge(node, text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    const int32_t id = all ? nodes_[node].id : nodes_[node].plain_id;
    if (id != kNoToken) match = {at, i + 1, id};
  }
  if (match.id == kNoToken) return std::nullopt;
  const auto found = flags_.find(match.id);
  if (found == flags_.end()) return match;
  const Flags& flags = found->second;
  if (flags.single_word) {
    const bool word_before = at > 0 && IsWordChar(CharBefore(text, at));
    const bool word_after =
        match.end < text.size() && IsWordChar(DecodeUtf8(text, match.end).code_point);
    if (word_before || word_after) return std::nullopt;
  }
  if (flags.lstrip) match.begin = SkipSpacesBack(text, match.begin, from);
  if (flags.rstrip) match.end = SkipSpaces(text, match.end);
  return match;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::Find(std::string_view text, size_t from,
                                                          bool all) const {
  const std::array<bool, 256>& first = all ? first_all_ : first_plain_;
  for (size_t at = from; at < text.size(); ++at) {
    if (!first[static_cast<uint8_t>(text[at])]) continue;
    if (const auto match = MatchAt(text, at, from, all)) return match;
  }
  return std::nullopt;
}

int32_t SpecialMatcher::FindExact(std::string_view text) const {
  uint32_t node = 0;
  for (const char byte : text) {
    const auto edge = edges_.find(Edge(node, byte));
    if (edge == edges_.end()) return kNoToken;
    node = edge->second;
  }
  return nodes_[node].id;
}

}  // namespace ac::tokenizer::internal
