// Writes the trained weights as a GGUF file that the engine runs.
#pragma once

#include <span>
#include <string>

#include "base/file_system.h"
#include "base/status.h"
#include "parameters.h"
#include "weights/model_config.h"

namespace ac::starter {

struct ExportInputs {
  std::string vocabulary;     // JSON of tools/starter/train_tokenizer.py
  std::string chat_template;  // Jinja
  std::string card;           // JSON object: its strings and numbers become metadata
};

// F32; `anyclaude models quantize` makes it small. A failure leaves no file behind.
Status Export(const weights::ModelConfig& config, const Parameters& parameters,
              std::span<const float> values, const ExportInputs& inputs, const std::string& path,
              FileSystem& fs);

}  // namespace ac::starter
