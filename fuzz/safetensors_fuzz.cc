// Safetensors bytes: header limits, shapes, offsets and tiling.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::weights::SafetensorsFile;
  const auto file = SafetensorsFile::Parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file.ok()) return 0;
  size_t total = 0;
  for (const auto& tensor : file->tensors()) total += tensor.data.size();
  if (total > size) std::abort();  // tensors may never claim more than there is
  return 0;
}
