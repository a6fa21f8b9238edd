// A trace file of unknown origin is refused or read; what is read can be taken apart and compared.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/json.h"
#include "store/trace_file.h"
#include "store/trace_parts.h"

namespace {

void TakeApart(const ac::json::Value& trace) {
  const auto parts = ac::store::PromptParts(trace);
  if (!ac::store::Compare(parts, parts).identical) std::abort();
  ac::store::PromptTokens(trace);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto trace = ac::store::ParseTrace(bytes); trace.ok()) TakeApart(*trace);
  // The checksum stops nearly every change above, so the JSON below it is tried by itself too.
  if (const auto json = ac::json::Parse(bytes); json.ok()) TakeApart(*json);
  const auto packed = ac::store::CompressTrace(bytes);
  if (!packed.ok() || *ac::store::DecompressTrace(*packed) != bytes) std::abort();
  return 0;
}
