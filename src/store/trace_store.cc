#include "store/trace_store.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <tuple>
#include <vector>

#include "json/json.h"
#include "store/trace_file.h"

namespace ac::store {
namespace {

constexpr std::string_view kFolder = "traces";
constexpr std::string_view kSuffix = ".json.zst";

struct Found {
  std::string path;
  uint64_t size = 0;
  int64_t modified_ms = 0;
};

// A mode's name becomes a folder: nothing in it may leave the traces.
std::string SafeName(std::string_view name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    safe += plain ? c : '_';
  }
  return safe.empty() ? "unknown" : safe;
}

Result<std::vector<Found>> FindTraces(FileSystem& fs, const std::string& root) {
  std::vector<Found> found;
  if (!fs.Exists(root)) return found;
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> modes, fs.List(root));
  for (const std::string& mode : modes) {
    const std::string folder = JoinPath(root, mode);
    const Result<std::vector<std::string>> names = fs.List(folder);
    if (!names.ok()) continue;  // a file of somebody else's
    for (const std::string& name : *names) {
      if (!name.ends_with(kSuffix)) continue;
      const std::string path = JoinPath(folder, name);
      const Result<FileInfo> info = fs.Stat(path);
      // Another process may have pruned it in between.
      if (info.ok()) found.push_back({path, info->size, info->modified_ns / 1'000'000});
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.modified_ms, a.path) < std::tie(b.modified_ms, b.path);
  });
  return found;
}

}  // namespace

Result<StoredTrace> TraceStore::Write(std::string_view mode, std::string_view id,
                                      std::string_view json, int64_t now_ms) {
  AC_ASSIGN_OR_RETURN(const std::string bytes, CompressTrace(json));
  // A twentieth of the budget between two prunings: the folder is never far over its size.
  if (!pruned_once_ || written_since_prune_ > limits_.max_bytes / 20) {
    AC_RETURN_IF_ERROR(Prune(now_ms));
  }
  const std::string folder = JoinPath(std::string(kFolder), SafeName(mode));
  AC_RETURN_IF_ERROR(fs_.CreateDirectories(JoinPath(home_, folder)));
  StoredTrace stored{JoinPath(folder, SafeName(id) + std::string(kSuffix)),
                     static_cast<int64_t>(bytes.size())};
  // Two syncs a request would cost more than everything else that the gateway does for it.
  AC_RETURN_IF_ERROR(WriteFileUnsynced(fs_, JoinPath(home_, stored.path), bytes));
  written_since_prune_ += bytes.size();
  return stored;
}

Result<std::string> TraceStore::ReadRaw(const std::string& path) const {
  const Result<std::string> bytes = ReadFile(fs_, JoinPath(home_, path));
  if (bytes.ok()) return bytes;
  if (bytes.status().code() != Code::kNotFound) return bytes;
  return NotFound("[trace] " + path + " is gone: traces are deleted by age and size");
}

Result<json::Value> TraceStore::Read(const std::string& path) const {
  AC_ASSIGN_OR_RETURN(const std::string bytes, ReadRaw(path));
  Result<json::Value> trace = ParseTrace(bytes);
  if (!trace.ok()) return trace.status().WithPrefix("[trace] " + path);
  return trace;
}

Status TraceStore::Prune(int64_t now_ms) {
  pruned_once_ = true;
  written_since_prune_ = 0;
  AC_ASSIGN_OR_RETURN(const std::vector<Found> found,
                      FindTraces(fs_, JoinPath(home_, std::string(kFolder))));
  uint64_t total = 0;
  for (const Found& file : found) total += file.size;
  const int64_t oldest_ms = now_ms - limits_.max_age_days * 24 * 3600 * 1000;
  for (const Found& file : found) {
    if (file.modified_ms >= oldest_ms && total <= limits_.max_bytes) break;
    const Status removed = fs_.Remove(file.path);
    if (!removed.ok() && removed.code() != Code::kNotFound) return removed;
    total -= file.size;
  }
  return OkStatus();
}

std::string MakeTraceId(int64_t wall_ms, uint64_t random) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc);
  std::snprintf(text + size, sizeof text - size, "-%08x",
                static_cast<unsigned>(random & 0xffffffffU));
  return text;
}

}  // namespace ac::store
