// backends.json, and the file of another router it may be made from.
#include <cstdlib>

#include "routing/route_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ac;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = routing::ReadRouteFile(text);
  if (file.ok() && (file->backends.empty() || file->rules.by_default.empty())) std::abort();
  std::vector<std::string> notes;
  const auto imported = routing::ImportClaudeCodeRouter(text, &notes);
  // What we write is what we read.
  if (imported.ok() && !routing::ReadRouteFile(*imported).ok()) std::abort();
  return 0;
}
