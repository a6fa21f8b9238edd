// GGUF bytes: the reader, every metadata accessor, and the checks that make a model of them.
#include <cstddef>
#include <cstdint>

#include "weights/gguf.h"
#include "weights/internal/loaders.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::weights::GgufFile;
  ac::Result<GgufFile> file = GgufFile::Parse(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!file.ok()) return 0;
  for (const auto& entry : file->metadata().entries()) {
    (void)entry.value.AsUint();
    (void)entry.value.AsDouble();
    (void)entry.value.AsArray();
    (void)file->metadata().GetStringArray(entry.key);
    (void)file->metadata().GetFloatArray(entry.key);
    (void)file->metadata().GetIntArray(entry.key);
  }
  const auto model =
      ac::weights::MakeGgufModel(std::move(*file), "fuzz.gguf", ac::weights::OpenScope::kModel);
  if (!model.ok()) return 0;
  (void)ac::weights::Summarize(**model);
  for (const auto& tensor : (*model)->tensors()) (void)ac::weights::CheckFinite(tensor);
  return 0;
}
