#include "kv/disk_folder.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

namespace ac::kv {
namespace {

constexpr std::string_view kPageSuffix = ".page";
constexpr std::string_view kStateSuffix = ".state";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::string_view kAboutFile = "about.txt";
// A writer needs seconds for a file; what is older was left behind by a crash.
constexpr Nanos kTemporaryAge = std::chrono::minutes(10);

std::string VersionLine() { return "format: " + std::to_string(kPageFileVersion) + "\n"; }

std::optional<Hash128> ParseHex(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  const auto half = [&](size_t at, uint64_t* value) {
    const char* end = text.data() + at + 16;
    const auto result = std::from_chars(text.data() + at, end, *value, 16);
    return result.ec == std::errc() && result.ptr == end;
  };
  Hash128 hash;
  if (!half(0, &hash.high) || !half(16, &hash.low)) return std::nullopt;
  // Digits in the other case would be a second name for the same hash.
  return hash.ToHex() == text ? std::optional(hash) : std::nullopt;
}

bool IsState(std::string_view name) {
  return name.ends_with(kStateSuffix) &&
         ParseHex(name.substr(0, name.size() - kStateSuffix.size())).has_value();
}

bool IsTemporary(std::string_view name) {
  return name.size() > 32 + kTemporarySuffix.size() && name.ends_with(kTemporarySuffix) &&
         ParseHex(name.substr(0, 32)).has_value() && name[32] == '.';
}

Result<DiskEntry> EntryFromHeader(PageHeader header, const PageKey& key, const Hash128& fingerprint,
                                  const FileInfo& info) {
  if (header.kind != FileKind::kPage || header.fingerprint != fingerprint || header.key != key ||
      ChildKey(header.parent, header.tokens) != key) {
    return DataLoss("[kv] the file holds another page than its name says");
  }
  if (info.size != header.payload_offset + header.payload_bytes) {
    return DataLoss("[kv] the file has another size than its header says");
  }
  return DiskEntry{.key = key,
                   .parent = header.parent,
                   .position = header.position,
                   .tokens = std::move(header.tokens),
                   .bytes = info.size,
                   .last_use_s = info.modified_ns / 1'000'000'000};
}

// Reads every byte.
Status CheckPayload(FileSystem& fs, const std::string& path) {
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  AC_ASSIGN_OR_RETURN(const PageHeader header, ReadPageHeader(*file));
  std::vector<std::byte> payload(static_cast<size_t>(header.payload_bytes));
  return ReadPayload(*file, header, payload);
}

std::string ReadAbout(FileSystem& fs, const std::string& folder, bool* current) {
  const Result<std::string> text = ReadFile(fs, AboutPath(folder));
  *current = text.ok() && text->starts_with(VersionLine());
  return *current ? text->substr(VersionLine().size()) : "";
}

void CheckState(FileSystem& fs, const std::string& folder, const std::string& file,
                const Hash128& fingerprint, FolderCheck check, FolderReport* report,
                std::vector<std::string>* bad) {
  const Result<StateEntry> entry = ReadStateEntry(fs, folder, file, fingerprint);
  Status status = entry.status();
  if (status.ok() && check == FolderCheck::kRepair) {
    status = CheckPayload(fs, JoinPath(folder, file));
  }
  if (status.code() == Code::kNotFound) return;  // evicted meanwhile
  if (!status.ok()) {
    ++report->damaged;
    bad->push_back(file);
    return;
  }
  ++report->states;
  report->bytes += entry->file_bytes;
  report->last_use_s = std::max(report->last_use_s, entry->last_use_s);
}

Result<FolderReport> CheckFolder(FileSystem& fs, const std::string& root, const std::string& name,
                                 const Hash128& fingerprint, FolderCheck check) {
  FolderReport report;
  report.name = name;
  const std::string folder = JoinPath(root, name);
  report.about = ReadAbout(fs, folder, &report.current);
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  std::vector<DiskEntry> good;
  std::vector<std::string> bad;
  std::unordered_set<std::string> present;
  for (const std::string& file : names) {
    if (IsState(file)) {
      CheckState(fs, folder, file, fingerprint, check, &report, &bad);
      continue;
    }
    const std::optional<PageKey> key = ParsePageFileName(file);
    if (!key) continue;
    Result<DiskEntry> entry = ReadEntry(fs, folder, *key, fingerprint);
    Status status = entry.status();
    if (status.ok() && check == FolderCheck::kRepair) {
      status = CheckPayload(fs, JoinPath(folder, file));
    }
    if (status.ok()) {
      present.insert(key->ToHex());
      good.push_back(std::move(entry).value());
    } else if (status.code() != Code::kNotFound) {  // evicted meanwhile by its server
      ++report.damaged;
      bad.push_back(file);
    }
  }
  // Parents stand before children, so one pass finds everything behind a gap.
  std::sort(good.begin(), good.end(),
            [](const DiskEntry& a, const DiskEntry& b) { return a.position < b.position; });
  for (const DiskEntry& entry : good) {
    if (entry.parent != kRootKey && !present.contains(entry.parent.ToHex())) {
      ++report.unreachable;
      present.erase(entry.key.ToHex());
      bad.push_back(PageFileName(entry.key));
      continue;
    }
    ++report.files;
    report.bytes += entry.bytes;
    report.tokens += entry.tokens.size();
    report.last_use_s = std::max(report.last_use_s, entry.last_use_s);
  }
  if (check == FolderCheck::kRepair) {
    for (const std::string& file : bad) AC_RETURN_IF_ERROR(fs.Remove(JoinPath(folder, file)));
  }
  return report;
}

// Our files of one folder, and the folder itself when nothing else is in it.
Result<uint64_t> ClearFolder(FileSystem& fs, const std::string& folder) {
  uint64_t freed = 0;
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  for (const std::string& file : names) {
    const bool ours = ParsePageFileName(file).has_value() || IsState(file) || IsTemporary(file) ||
                      file == kAboutFile;
    if (!ours) continue;
    const std::string path = JoinPath(folder, file);
    const Result<FileInfo> info = fs.Stat(path);
    const Status removed = fs.Remove(path);
    if (!removed.ok() && removed.code() != Code::kNotFound) return removed;
    if (info.ok()) freed += info->size;
  }
  (void)fs.Remove(folder);  // fails when foreign files live there
  return freed;
}

// Calls `visit(name, fingerprint)` for every folder below `root` that is named like a fingerprint.
template <typename Visit>
Status VisitFolders(FileSystem& fs, const std::string& root, Visit visit) {
  if (!fs.Exists(root)) return OkStatus();
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(root));
  for (const std::string& name : names) {
    const std::optional<Hash128> fingerprint = ParseHex(name);
    if (!fingerprint) continue;
    AC_RETURN_IF_ERROR(visit(name, *fingerprint));
  }
  return OkStatus();
}

}  // namespace

std::string PageFileName(const PageKey& key) { return key.ToHex() + std::string(kPageSuffix); }

std::string StateFileName(const PageKey& key) { return key.ToHex() + std::string(kStateSuffix); }

std::optional<PageKey> ParsePageFileName(std::string_view name) {
  if (!name.ends_with(kPageSuffix)) return std::nullopt;
  return ParseHex(name.substr(0, name.size() - kPageSuffix.size()));
}

std::string TemporaryName(const std::string& path, uint64_t number) {
  const std::string stem = path.substr(0, path.rfind('.'));
  return stem + "." + std::to_string(::getpid()) + "." + std::to_string(number) +
         std::string(kTemporarySuffix);
}

uint64_t PageFileBytes(size_t tokens, size_t payload) {
  PageHeader header;
  header.tokens.resize(tokens);
  return EncodePageHeader(&header).size() + payload;
}

std::string FingerprintFolder(const std::string& root, const Hash128& fingerprint) {
  return JoinPath(root, fingerprint.ToHex());
}

std::string AboutPath(const std::string& folder) { return JoinPath(folder, kAboutFile); }

Status WriteAbout(FileSystem& fs, const std::string& folder, const std::string& about) {
  const std::string text = VersionLine() + about;
  const std::string path = AboutPath(folder);
  const Result<std::string> there = ReadFile(fs, path);
  if (there.ok() && *there == text) return OkStatus();
  return WriteFileAtomic(fs, path, text);
}

Result<DiskEntry> ReadEntry(FileSystem& fs, const std::string& folder, const PageKey& key,
                            const Hash128& fingerprint) {
  const std::string path = JoinPath(folder, PageFileName(key));
  AC_ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  AC_ASSIGN_OR_RETURN(PageHeader header, ReadPageHeader(*file));
  return EntryFromHeader(std::move(header), key, fingerprint, info);
}

Result<StateEntry> ReadStateEntry(FileSystem& fs, const std::string& folder,
                                  const std::string& name, const Hash128& fingerprint) {
  if (!IsState(name)) return InvalidArgument("[kv] " + name + " is no state checkpoint");
  const std::string path = JoinPath(folder, name);
  AC_ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  AC_ASSIGN_OR_RETURN(PageHeader header, ReadPageHeader(*file));
  if (header.kind != FileKind::kState || header.fingerprint != fingerprint ||
      StateFileName(ChildKey(kRootKey, header.tokens)) != name ||
      info.size != header.payload_offset + header.payload_bytes) {
    return DataLoss("[kv] the file holds another state than its name says");
  }
  return StateEntry{.tokens = std::move(header.tokens),
                    .state_bytes = header.payload_bytes,
                    .file_bytes = info.size,
                    .last_use_s = info.modified_ns / 1'000'000'000};
}

std::vector<DiskEntry> ReadEntries(FileSystem& fs, const std::string& folder,
                                   const Hash128& fingerprint, Clock& clock) {
  std::vector<DiskEntry> entries;
  const Result<std::vector<std::string>> names = fs.List(folder);
  if (!names.ok()) return entries;
  for (const std::string& name : *names) {
    if (const std::optional<PageKey> key = ParsePageFileName(name)) {
      Result<DiskEntry> entry = ReadEntry(fs, folder, *key, fingerprint);
      if (entry.ok()) entries.push_back(std::move(entry).value());
    } else if (IsTemporary(name)) {
      const std::string path = JoinPath(folder, name);
      const Result<FileInfo> info = fs.Stat(path);
      if (info.ok() && Nanos(info->modified_ns) + kTemporaryAge < clock.WallNow()) {
        (void)fs.Remove(path);
      }
    }
  }
  return entries;
}

void RunInBackground() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, thread, 19);
#if defined(SYS_ioprio_set)
  constexpr int kWhoThread = 1;
  constexpr int kIdleClass = 3 << 13;
  (void)::syscall(SYS_ioprio_set, kWhoThread, static_cast<int>(thread), kIdleClass);
#endif
}

Result<std::vector<FolderReport>> CheckFolders(FileSystem& fs, const std::string& root,
                                               FolderCheck check) {
  std::vector<FolderReport> reports;
  const auto visit = [&](const std::string& name, const Hash128& fingerprint) -> Status {
    AC_ASSIGN_OR_RETURN(FolderReport report, CheckFolder(fs, root, name, fingerprint, check));
    if (!report.current && check == FolderCheck::kRepair) {
      AC_RETURN_IF_ERROR(ClearFolder(fs, JoinPath(root, name)).status());
    }
    reports.push_back(std::move(report));
    return OkStatus();
  };
  AC_RETURN_IF_ERROR(VisitFolders(fs, root, visit));
  return reports;
}

Result<uint64_t> ClearFolders(FileSystem& fs, const std::string& root) {
  uint64_t freed = 0;
  const auto visit = [&](const std::string& name, const Hash128&) -> Status {
    AC_ASSIGN_OR_RETURN(const uint64_t bytes, ClearFolder(fs, JoinPath(root, name)));
    freed += bytes;
    return OkStatus();
  };
  AC_RETURN_IF_ERROR(VisitFolders(fs, root, visit));
  return freed;
}

}  // namespace ac::kv
