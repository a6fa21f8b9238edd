// The 256 bytes and the control tokens of ChatML.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "tokenizer/tokenizer.h"

namespace ac::testing {

inline constexpr int32_t kStartOfTurn = 256;
inline constexpr int32_t kEndOfTurn = 257;

inline std::unique_ptr<tokenizer::Tokenizer> MakeChatMlTokenizer() {
  tokenizer::Spec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
    spec.byte_ids[static_cast<size_t>(byte)] = byte;
  }
  spec.tokens.push_back({.bytes = "<|im_start|>", .type = tokenizer::TokenType::kControl});
  spec.tokens.push_back({.bytes = "<|im_end|>", .type = tokenizer::TokenType::kControl});
  spec.eos = kEndOfTurn;
  spec.end_ids = {kEndOfTurn};
  auto tokenizer = tokenizer::Tokenizer::Create(std::move(spec));
  if (!tokenizer.ok()) throw std::runtime_error(tokenizer.status().ToString());
  return std::move(tokenizer).value();
}

}  // namespace ac::testing
