// The tokenizer of an opened model, whichever file format it came from.
#pragma once

#include <memory>

#include "base/status.h"
#include "tokenizer/tokenizer.h"
#include "weights/model_file.h"

namespace ac::engine {

// Failures name the file. The tokenizer keeps nothing of the file.
Result<std::unique_ptr<tokenizer::Tokenizer>> LoadTokenizer(const weights::ModelFile& file);

}  // namespace ac::engine
