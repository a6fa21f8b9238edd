// A trace file: one JSON object, zstd-compressed with a checksum (docs/formats/trace.md).
//
// Pure functions. Reading refuses, with a sentence that says why, what is damaged, cut off, too
// large, no trace, or of a version we do not know.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::store {

inline constexpr std::string_view kTraceFormat = "anyclaude-trace";
inline constexpr int64_t kTraceVersion = 1;
// A request body may be 64 MiB; a reply adds little. Beyond this a file is not one of ours.
inline constexpr size_t kMaxTraceBytes = size_t{256} << 20;

Result<std::string> CompressTrace(std::string_view json);
Result<std::string> DecompressTrace(std::string_view file);
// Decompresses, parses, checks format and version.
Result<json::Value> ParseTrace(std::string_view file);

}  // namespace ac::store
