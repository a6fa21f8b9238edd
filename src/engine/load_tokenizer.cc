#include "engine/load_tokenizer.h"

#include <algorithm>
#include <utility>

#include "tokenizer/gguf_vocab.h"
#include "tokenizer/tokenizer_json.h"
#include "weights/gguf.h"

namespace ac::engine {
namespace {

Result<tokenizer::Spec> ReadSpec(const weights::TokenizerSource& source) {
  if (source.gguf != nullptr) return tokenizer::SpecFromGgufMetadata(*source.gguf);
  if (source.tokenizer_json.empty()) {
    return NotFound("[engine] no tokenizer: tokenizer.json is missing beside the weights");
  }
  return tokenizer::SpecFromTokenizerJson(source.tokenizer_json, source.tokenizer_config_json);
}

}  // namespace

Result<std::unique_ptr<tokenizer::Tokenizer>> LoadTokenizer(const weights::ModelFile& file) {
  const weights::TokenizerSource& source = file.tokenizer_source();
  Result<tokenizer::Spec> spec = ReadSpec(source);
  if (!spec.ok()) return spec.status().WithPrefix(file.path());
  // The weights' own files may name more tokens that end a turn.
  for (const int32_t id : source.eos_token_ids) {
    if (std::find(spec->end_ids.begin(), spec->end_ids.end(), id) == spec->end_ids.end()) {
      spec->end_ids.push_back(id);
    }
  }
  Result<std::unique_ptr<tokenizer::Tokenizer>> made =
      tokenizer::Tokenizer::Create(std::move(spec).value());
  if (!made.ok()) return made.status().WithPrefix(file.path());
  return made;
}

}  // namespace ac::engine
