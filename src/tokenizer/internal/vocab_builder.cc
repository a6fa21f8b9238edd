#include "tokenizer/internal/vocab_builder.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/utf8.h"

namespace ac::tokenizer::internal {
namespace {

// The character GPT-2 writes for a byte: itself when it is visible Latin-1, else one from U+0100
// on.
constexpr std::array<uint16_t, 256> kAlphabet = [] {
  std::array<uint16_t, 256> table = {};
  uint16_t next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool visible = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    table[b] = visible ? static_cast<uint16_t>(b) : next++;
  }
  return table;
}();

constexpr size_t kAlphabetEnd = 256 + 68;  // 68 bytes are not visible

constexpr std::array<int16_t, kAlphabetEnd> kByteOfChar = [] {
  std::array<int16_t, kAlphabetEnd> table = {};
  for (auto& entry : table) entry = -1;
  for (int b = 0; b < 256; ++b) table[kAlphabet[b]] = static_cast<int16_t>(b);
  return table;
}();

// Names under which models end a turn or a text. Only tokens that are no plain text count.
constexpr std::string_view kEndNames[] = {
    "<|eot_id|>",    "<|eom_id|>",
    "<|im_end|>",    "<|end|>",
    "<end_of_turn>", "<|endoftext|>",
    "<|EOT|>",       "<|end_of_text|>",
    "<|eot|>",       "<EOT>",
    "<|return|>",    "<|call|>",
    "</s>",          "<\uFF5Cend\u2581of\u2581sentence\uFF5C>"};

// Quotes a token name for a message: control bytes and quotes escaped, long names cut.
std::string Quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name.substr(0, 80)) {
    if (static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\') {
      char hex[8];
      std::snprintf(hex, sizeof(hex), "\\x%02X", static_cast<uint8_t>(c));
      out += hex;
    } else {
      out += c;
    }
  }
  return RepairUtf8(out) + (name.size() > 80 ? "...\"" : "\"");
}

}  // namespace

std::optional<std::string> BytesFromAlphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (!c.valid || c.code_point >= kAlphabetEnd || kByteOfChar[c.code_point] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(kByteOfChar[c.code_point]);
    i += c.length;
  }
  return bytes;
}

std::string AlphabetFromBytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) AppendUtf8(kAlphabet[static_cast<uint8_t>(byte)], &text);
  return text;
}

std::string SpacesFromMarkers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const bool marker = text.substr(i).starts_with(kSpaceMarker);
    out += marker ? ' ' : text[i];
    i += marker ? kSpaceMarker.size() : 1;
  }
  return out;
}

std::optional<uint8_t> ByteFromName(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'A' && c <= 'F') && !(c >= 'a' && c <= 'f')) return std::nullopt;
    value = value * 16 + (digit ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return static_cast<uint8_t>(value);
}

void VocabBuilder::Reserve(size_t count) {
  Token unused;
  unused.type = TokenType::kUnused;
  spec_->tokens.assign(count, unused);
  ids_.reserve(count);
}

Status VocabBuilder::Add(int64_t id, std::string_view name, TokenType type, float score) {
  if (id < 0 || id >= static_cast<int64_t>(spec_->tokens.size())) {
    return InvalidArgument("[tokenizer] token " + Quoted(name) + " has id " + std::to_string(id) +
                           ", outside the vocabulary of " + std::to_string(spec_->tokens.size()) +
                           " tokens");
  }
  Token& token = spec_->tokens[static_cast<size_t>(id)];
  token.type = type;
  token.score = score;
  if (name.empty())
    return OkStatus();  // a hole in the vocabulary: never produced, decodes to nothing
  const auto [entry, added] = ids_.try_emplace(name, static_cast<int32_t>(id));
  if (!added && entry->second != id) {
    return InvalidArgument("[tokenizer] tokens " + std::to_string(entry->second) + " and " +
                           std::to_string(id) + " have the same text " + Quoted(name) +
                           "; the vocabulary is damaged, convert the model again");
  }
  const bool plain = type == TokenType::kNormal || type == TokenType::kUnused;
  if (type == TokenType::kByte) {
    const std::optional<uint8_t> byte = ByteFromName(name);
    if (!byte) {
      return InvalidArgument("[tokenizer] byte token " + std::to_string(id) + " is named " +
                             Quoted(name) + "; expected <0x00> to <0xFF>");
    }
    token.bytes.assign(1, static_cast<char>(*byte));
  } else if (plain && spec_->algorithm == Algorithm::kByteBpe) {
    token.bytes = BytesFromAlphabet(name).value_or(std::string(name));
  } else if (plain && spec_->space_marker) {
    token.bytes = SpacesFromMarkers(name);
  } else {
    token.bytes = name;
  }
  return OkStatus();
}

int32_t VocabBuilder::Find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNoToken : found->second;
}

Status VocabBuilder::AddMerge(std::string_view left, std::string_view right) {
  const std::string joined = std::string(left) + std::string(right);
  const Merge merge = {Find(left), Find(right), Find(joined)};
  for (const auto& [id, name] : {std::pair(merge.left, left), std::pair(merge.right, right),
                                 std::pair(merge.result, std::string_view(joined))}) {
    if (id == kNoToken) {
      return InvalidArgument("[tokenizer] merge " + std::to_string(spec_->merges.size()) + " (" +
                             Quoted(left) + " + " + Quoted(right) + ") needs the token " +
                             Quoted(name) +
                             ", which the vocabulary lacks; convert the model again");
    }
  }
  spec_->merges.push_back(merge);
  return OkStatus();
}

void VocabBuilder::Finish() {
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    if (spec_->algorithm == Algorithm::kByteBpe) {
      // By name: a byte that cannot occur in UTF-8 may only exist as a user-defined token.
      spec_->byte_ids[b] = Find(AlphabetFromBytes({&byte, 1}));
    } else {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", b);
      spec_->byte_ids[b] = Find(name);
    }
  }
  const auto add_end = [this](int32_t id) {
    std::vector<int32_t>& ends = spec_->end_ids;
    if (id != kNoToken && std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  };
  add_end(spec_->eos);
  add_end(spec_->eot);
  for (const std::string_view name : kEndNames) {
    // In the harmony format <|end|> closes a message, not the turn.
    if (name == "<|end|>" && Find("<|return|>") != kNoToken) continue;
    const int32_t id = Find(name);
    if (id == kNoToken) continue;
    const TokenType type = spec_->tokens[static_cast<size_t>(id)].type;
    if (type == TokenType::kControl || type == TokenType::kUserDefined) add_end(id);
  }
}

}  // namespace ac::tokenizer::internal
