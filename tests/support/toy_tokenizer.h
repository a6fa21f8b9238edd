// A vocabulary of the 256 bytes, then an end token: enough to turn text into ids and back.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "tokenizer/tokenizer.h"

namespace ac::testing {

inline constexpr int32_t kToyEndToken = 256;

inline std::unique_ptr<tokenizer::Tokenizer> MakeToyTokenizer() {
  tokenizer::Spec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
    spec.byte_ids[static_cast<size_t>(byte)] = byte;
  }
  spec.tokens.push_back({.bytes = "<end>", .type = tokenizer::TokenType::kControl});
  spec.eos = kToyEndToken;
  spec.end_ids = {kToyEndToken};
  auto tokenizer = tokenizer::Tokenizer::Create(std::move(spec));
  if (!tokenizer.ok()) throw std::runtime_error(tokenizer.status().ToString());
  return std::move(tokenizer).value();
}

}  // namespace ac::testing
