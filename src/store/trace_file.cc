#include "store/trace_file.h"

#include <zstd.h>

#include <memory>

#include "json/json.h"

namespace ac::store {
namespace {

// Traces are mostly the same prompt again: level 3 makes them a fifth of their size at 300 MB/s.
constexpr int kLevel = 3;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Status Damaged(const std::string& why) {
  return DataLoss("[trace] the file is damaged or no trace (" + why + "); it cannot be read");
}

}  // namespace

Result<std::string> CompressTrace(std::string_view json) {
  const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  if (context == nullptr) return Status(Code::kResourceExhausted, "[trace] no memory for zstd");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(json.size()), '\0');
  const size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), json.data(), json.size());
  if (ZSTD_isError(size) != 0) return Internal(std::string("[trace] ") + ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

Result<std::string> DecompressTrace(std::string_view file) {
  const unsigned long long size = ZSTD_getFrameContentSize(file.data(), file.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Damaged("it does not begin as one");
  }
  if (size > kMaxTraceBytes) return Damaged("it claims to hold " + std::to_string(size) + " bytes");
  const size_t frame = ZSTD_findFrameCompressedSize(file.data(), file.size());
  if (ZSTD_isError(frame) != 0 || frame != file.size()) return Damaged("it is cut off or too long");
  const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  if (context == nullptr) return Status(Code::kResourceExhausted, "[trace] no memory for zstd");
  std::string out(static_cast<size_t>(size), '\0');
  const size_t read =
      ZSTD_decompressDCtx(context.get(), out.data(), out.size(), file.data(), file.size());
  if (ZSTD_isError(read) != 0) return Damaged(ZSTD_getErrorName(read));
  out.resize(read);
  return out;
}

Result<json::Value> ParseTrace(std::string_view file) {
  AC_ASSIGN_OR_RETURN(const std::string text, DecompressTrace(file));
  Result<json::Value> trace = json::Parse(text);
  if (!trace.ok()) return Damaged(trace.status().message());
  if (json::GetString(*trace, "format") != kTraceFormat) {
    return InvalidArgument("[trace] the file is no trace of anyclaude");
  }
  const auto version = json::GetInt(*trace, "version");
  if (version != kTraceVersion) {
    return Unsupported("[trace] the file has version " +
                       (version ? std::to_string(*version) : "?") + ", this program reads " +
                       std::to_string(kTraceVersion));
  }
  return trace;
}

}  // namespace ac::store
