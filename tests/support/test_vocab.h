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

}  // namespace ac::testing
