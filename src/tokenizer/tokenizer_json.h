// Hugging Face's tokenizer.json (and tokenizer_config.json) -> Spec.
//
// Understands BPE models: byte-level ones (GPT-2, Llama 3, Qwen, DeepSeek, ...) and
// SentencePiece-style ones with byte fallback (Llama 2, Phi-3, Mistral, Gemma). Anything that would
// change ids and is not understood is refused by name. Thread-safe.
#pragma once

#include <string_view>

#include "base/status.h"
#include "tokenizer/spec.h"

namespace ac::tokenizer {

// `config_json` may be empty: then there is no bos/eos beyond what the post-processor names.
Result<Spec> SpecFromTokenizerJson(std::string_view tokenizer_json, std::string_view config_json);

}  // namespace ac::tokenizer
