#include "grammar/vocabulary.h"

#include <algorithm>

#include "base/utf8.h"

namespace ac::grammar {
namespace {

using tokenizer::TokenType;

void Set(std::vector<uint64_t>* mask, int32_t id) {
  (*mask)[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
}

}  // namespace

int Vocabulary::KindOf(uint8_t byte) {
  constexpr int kDigit = 0, kLower = 1, kUpper = 2, kControl = 3, kTab = 4, kNewline = 5;
  constexpr int kReturn = 6, kPunctuation = 7;
  if (byte >= '0' && byte <= '9') return kDigit;
  if (byte >= 'a' && byte <= 'z') return kLower;
  if (byte >= 'A' && byte <= 'Z') return kUpper;
  if (byte == '\t') return kTab;
  if (byte == '\n') return kNewline;
  if (byte == '\r') return kReturn;
  if (byte < ' ' || byte == 0x7F) return kControl;
  // The blank and the punctuation, one kind each.
  if (byte < '0') return kPunctuation + (byte - ' ');
  if (byte < 'A') return kPunctuation + 16 + (byte - ':');
  if (byte < 'a') return kPunctuation + 23 + (byte - '[');
  return kPunctuation + 29 + (byte - '{');
}

Vocabulary::Vocabulary(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  const int32_t size = tokenizer.vocab_size();
  words_ = static_cast<size_t>(size + 63) / 64;
  for (int32_t id = 0; id < size; ++id) {
    if (IsText(id)) {
      ranked_.push_back(id);
    } else if (tokenizer.type(id) != TokenType::kUnused) {
      special_.push_back(id);
    }
    if (EndsReply(id)) ends_.push_back(id);
  }
  BuildTrie();
  short_tokens_.assign(kMaxLength + 1, std::vector<uint64_t>(words_));
  for (const int32_t id : ranked_) {
    longest_ = std::max(longest_, bytes(id).size());
    for (size_t length = bytes(id).size(); length <= kMaxLength; ++length) {
      Set(&short_tokens_[length], id);
    }
  }
}

bool Vocabulary::IsText(int32_t id) const {
  if (id < 0 || id >= tokenizer_.vocab_size() || bytes(id).empty() || EndsReply(id)) return false;
  const TokenType type = tokenizer_.type(id);
  return type == TokenType::kNormal || type == TokenType::kUserDefined || type == TokenType::kByte;
}

int32_t Vocabulary::FindSpecial(std::string_view text) const {
  const int32_t id = tokenizer_.FindToken(text);
  return id != tokenizer::kNoToken && !IsText(id) ? id : tokenizer::kNoToken;
}

const std::vector<uint64_t>& Vocabulary::ShorterThanOrEqual(size_t length) const {
  return short_tokens_[std::min(length, kMaxLength)];
}

void Vocabulary::BuildTrie() {
  std::sort(ranked_.begin(), ranked_.end(),
            [this](int32_t a, int32_t b) { return bytes(a) < bytes(b); });
  nodes_.push_back({});
  std::vector<uint32_t> path{0};  // nodes from the root to the last token's end
  std::string_view last;
  const auto close_to = [&](size_t depth, uint32_t rank) {
    while (path.size() > depth + 1) {
      nodes_[path.back()].next = static_cast<uint32_t>(nodes_.size());
      nodes_[path.back()].end = rank;
      path.pop_back();
    }
  };
  for (uint32_t rank = 0; rank < ranked_.size(); ++rank) {
    const std::string_view text = bytes(ranked_[rank]);
    size_t shared = 0;
    while (shared < last.size() && shared < text.size() && last[shared] == text[shared]) ++shared;
    close_to(shared, rank);
    for (size_t i = shared; i < text.size(); ++i) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({.byte = static_cast<uint8_t>(text[i]), .begin = rank});
    }
    ++nodes_[path.back()].own;
    AddKinds(text, path);
    last = text;
  }
  close_to(0, static_cast<uint32_t>(ranked_.size()));
  nodes_[0].next = static_cast<uint32_t>(nodes_.size());
  nodes_[0].end = static_cast<uint32_t>(ranked_.size());
}

// Adds to every node on the token's path what the rest of the token consists of. Seen from the
// middle of a character the rest is a cut one.
void Vocabulary::AddKinds(std::string_view text, const std::vector<uint32_t>& path) {
  std::vector<uint64_t> from(text.size() + 1);
  std::vector<size_t> starts;
  constexpr uint64_t kCut = uint64_t{1} << kCutCharacters;
  for (size_t i = 0; i < text.size();) {
    starts.push_back(i);
    i += DecodeUtf8(text, i).length;
  }
  uint64_t kinds = 0;
  for (size_t i = starts.size(); i > 0; --i) {
    const size_t at = starts[i - 1];
    const size_t end = i < starts.size() ? starts[i] : text.size();
    const auto byte = static_cast<uint8_t>(text[at]);
    if (byte < 0x80) {
      kinds |= uint64_t{1} << KindOf(byte);
    } else {
      kinds |= DecodeUtf8(text, at).valid ? uint64_t{1} << kWholeCharacters : kCut;
    }
    for (size_t k = at + 1; k < end; ++k) from[k] = kCut;
    from[at] = kinds;
  }
  for (size_t depth = 0; depth < text.size(); ++depth) nodes_[path[depth]].kinds |= from[depth];
}

}  // namespace ac::grammar
