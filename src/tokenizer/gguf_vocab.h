// The tokenizer.ggml.* fields of a GGUF file -> Spec.
//
// GgufVocabFields borrows everything it points to and is only read during the call, so that this
// module needs no knowledge of the file format. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/spec.h"

namespace ac::tokenizer {

struct GgufVocabFields {
  std::string_view model;       // tokenizer.ggml.model: "gpt2", "llama"
  std::string_view pre;         // tokenizer.ggml.pre: "qwen2", "llama-bpe", ...
  std::string_view model_name;  // general.name: some models are known to strip space by name only
  // Regexes to use instead of the ones `pre` stands for.
  std::vector<std::string> pre_regexes;
  std::vector<std::string_view> tokens;  // tokenizer.ggml.tokens
  std::span<const double> scores;        // tokenizer.ggml.scores, may be empty for "gpt2"
  std::span<const int64_t> types;        // tokenizer.ggml.token_type, may be empty
  std::vector<std::string_view> merges;  // tokenizer.ggml.merges
  std::optional<int64_t> bos_id;         // tokenizer.ggml.bos_token_id, ...
  std::optional<int64_t> eos_id;
  std::optional<int64_t> eot_id;
  std::optional<int64_t> eom_id;
  std::optional<int64_t> unk_id;
  std::optional<int64_t> pad_id;
  std::optional<bool> add_bos;           // tokenizer.ggml.add_bos_token
  std::optional<bool> add_eos;           // tokenizer.ggml.add_eos_token
  std::optional<bool> add_space_prefix;  // tokenizer.ggml.add_space_prefix
};

// Fails, naming the token or merge, on an empty vocabulary, duplicate tokens, merges of unknown
// tokens, ids out of range; kUnsupported, listing what there is, for other models and
// pre-tokenisers.
Result<Spec> SpecFromGgufFields(const GgufVocabFields& fields);

// The pre-tokeniser names understood, sorted.
std::vector<std::string> SupportedPreTokenizers();

// The same from the metadata itself: weights::GgufMetadata, or anything with its getters.
template <typename Metadata>
Result<Spec> SpecFromGgufMetadata(const Metadata& metadata) {
  const auto text = [&](std::string_view key) { return metadata.GetString(key).value_or(""); };
  const auto strings = [&](std::string_view key) {
    return metadata.GetStringArray(key).value_or(std::vector<std::string_view>());
  };
  const auto scores = metadata.GetFloatArray("tokenizer.ggml.scores");
  const auto types = metadata.GetIntArray("tokenizer.ggml.token_type");
  GgufVocabFields fields;
  fields.model = text("tokenizer.ggml.model");
  fields.pre = text("tokenizer.ggml.pre");
  fields.model_name = text("general.name");
  fields.tokens = strings("tokenizer.ggml.tokens");
  fields.merges = strings("tokenizer.ggml.merges");
  if (scores) fields.scores = *scores;
  if (types) fields.types = *types;
  fields.bos_id = metadata.GetInt("tokenizer.ggml.bos_token_id");
  fields.eos_id = metadata.GetInt("tokenizer.ggml.eos_token_id");
  fields.eot_id = metadata.GetInt("tokenizer.ggml.eot_token_id");
  fields.eom_id = metadata.GetInt("tokenizer.ggml.eom_token_id");
  fields.unk_id = metadata.GetInt("tokenizer.ggml.unknown_token_id");
  fields.pad_id = metadata.GetInt("tokenizer.ggml.padding_token_id");
  fields.add_bos = metadata.GetBool("tokenizer.ggml.add_bos_token");
  fields.add_eos = metadata.GetBool("tokenizer.ggml.add_eos_token");
  fields.add_space_prefix = metadata.GetBool("tokenizer.ggml.add_space_prefix");
  return SpecFromGgufFields(fields);
}

}  // namespace ac::tokenizer
