// A small byte-level vocabulary made in memory: for tests that need a tokenizer but no model file.
//
// Ids 0-255 are the bytes; then come the merges below, then the special tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace ac::testing {

inline tokenizer::Spec TinySpec() {
  using namespace tokenizer;  // NOLINT: tests
  Spec spec;
  spec.splits.push_back({R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                         R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"});
  const auto add = [&spec](std::string bytes, TokenType type) {
    spec.tokens.push_back({.bytes = std::move(bytes), .type = type});
    return static_cast<int32_t>(spec.tokens.size() - 1);
  };
  for (int b = 0; b < 256; ++b) {
    spec.byte_ids[b] = add(std::string(1, static_cast<char>(b)), TokenType::kNormal);
  }
  const auto merge = [&](std::string_view left, std::string_view right) {
    const auto find = [&](std::string_view bytes) {
      for (size_t i = 0; i < spec.tokens.size(); ++i) {
        if (spec.tokens[i].bytes == bytes) return static_cast<int32_t>(i);
      }
      return kNoToken;
    };
    const int32_t result = add(std::string(left) + std::string(right), TokenType::kNormal);
    spec.merges.push_back({find(left), find(right), result});
  };
  merge("h", "e");
  merge("l", "l");
  merge("he", "ll");
  merge("hell", "o");
  merge(" ", "w");
  merge("o", "r");
  merge(" w", "or");
  merge("l", "d");
  merge(" wor", "ld");
  merge("a", "a");
  merge("aa", "aa");
  merge("\xC3", "\xA9");  // U+00E9
  spec.bos = add("<|bos|>", TokenType::kControl);
  spec.eos = add("<|im_end|>", TokenType::kControl);
  add("<|im_start|>", TokenType::kControl);
  add("<think>", TokenType::kUserDefined);
  spec.unk = add("<unk>", TokenType::kUnknown);
  spec.prefix_ids = {spec.bos};
  spec.end_ids = {spec.eos};
  return spec;
}

inline std::unique_ptr<tokenizer::Tokenizer> TinyTokenizer() {
  auto created = tokenizer::Tokenizer::Create(TinySpec());
  return created.ok() ? std::move(created).value() : nullptr;
}

}  // namespace ac::testing
