// config.json of a model directory.
#include <cstddef>
#include <cstdint>

#include "weights/internal/loaders.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)ac::weights::ParseHfConfig(text, "fuzz/config.json");
  return 0;
}
