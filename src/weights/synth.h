// Models with random weights in the shapes of public ones, so that speed can be measured and every
// path exercised with no download.
//
// Free functions; deterministic: equal specs give equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "weights/convert.h"

namespace ac::weights {

struct SynthSpec {
  std::string shape;  // one of SynthShapes()
  Recipe recipe = Recipe::kQ4_0;
  uint64_t seed = 1;
  int layers = 0;  // of the shape's, the first ones only; 0: all
};

// qwen3-coder-30b-a3b, qwen2.5-coder-7b, hermes-3-8b, qwen2.5-coder-0.5b and tiny-*.
std::vector<std::string> SynthShapes();

// The size of the file that Synthesize would write, up to metadata.
Result<uint64_t> SynthBytes(const SynthSpec& spec);

// Writes a complete GGUF file: weights of realistic scale directly as quantised blocks, a
// byte-level vocabulary of our own padded to the real size, and a ChatML template with tools.
// Memory use is a few megabytes whatever the size. A failure leaves no file behind.
Status Synthesize(const SynthSpec& spec, const std::string& path, FileSystem& fs,
                  const Progress& progress);

// The vocabulary and chat template alone: `vocab_size` tokens, at least 259 (256 bytes and three
// special tokens).
void AddSynthTokenizer(int vocab_size, GgufMetadataBuilder* out);

}  // namespace ac::weights
