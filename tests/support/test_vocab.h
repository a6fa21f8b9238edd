// Tokenizers of vocabulary files, for tests of every module.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "tokenizer/gguf_vocab.h"
#include "tokenizer/tokenizer.h"
#include "weights/gguf.h"

namespace ac::testing {

inline Result<std::unique_ptr<tokenizer::Tokenizer>> LoadTestVocab(const std::string& path) {
  AC_ASSIGN_OR_RETURN(const weights::GgufFile file, weights::GgufFile::Open(path));
  AC_ASSIGN_OR_RETURN(tokenizer::Spec spec, tokenizer::SpecFromGgufMetadata(file.metadata()));
  return tokenizer::Tokenizer::Create(std::move(spec));
}

// The same tokens and, behind them, pairs of them until there are `count`.
inline Result<std::unique_ptr<tokenizer::Tokenizer>> EnlargeVocab(const tokenizer::Tokenizer& real,
                                                                  int32_t count) {
  tokenizer::Spec spec;
  for (int32_t id = 0; id < real.vocab_size(); ++id) {
    const std::string bytes(real.TokenBytes(id));
    if (bytes.size() == 1) spec.byte_ids[static_cast<uint8_t>(bytes[0])] = id;
    spec.tokens.push_back({.bytes = bytes, .type = real.type(id)});
  }
  for (int32_t i = 0; static_cast<int32_t>(spec.tokens.size()) < count; ++i) {
    spec.tokens.push_back({.bytes = std::string(real.TokenBytes(300 + i % 5000)) +
                                    std::string(real.TokenBytes(300 + i * 7 % 50'000))});
  }
  return tokenizer::Tokenizer::Create(std::move(spec));
}

}  // namespace ac::testing
