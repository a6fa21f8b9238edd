// Names and listing of a disk tier's folder, and what `cache ls | verify | clear` do with it.
//
// <home>/kv/<32 hex digits of the fingerprint>/ holds about.txt, <key>.page, <key>.state (a model's
// state checkpoint) and, while a file is being written, <key>.<process>.<n>.tmp. Every other name
// is foreign: never read, never counted, never deleted. Thread-safe; several processes may use the
// folder at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "kv/disk_index.h"
#include "kv/page_file.h"

namespace ac::kv {

std::string PageFileName(const PageKey& key);
// The key in a page's file name; none for every other name.
std::optional<PageKey> ParsePageFileName(std::string_view name);
std::string StateFileName(const PageKey& key);
// Beside `path`, unique among all processes.
std::string TemporaryName(const std::string& path, uint64_t number);
// Of a whole file.
uint64_t PageFileBytes(size_t tokens, size_t payload);

std::string FingerprintFolder(const std::string& root, const Hash128& fingerprint);

std::string AboutPath(const std::string& folder);
// about.txt begins with the format's version; the rest are the given lines.
Status WriteAbout(FileSystem& fs, const std::string& folder, const std::string& about);

// One page's entry, from its header alone. Fails when it is not what its name says.
Result<DiskEntry> ReadEntry(FileSystem& fs, const std::string& folder, const PageKey& key,
                            const Hash128& fingerprint);
// Every readable page of this fingerprint. Deletes temporary files that nobody writes any more.
std::vector<DiskEntry> ReadEntries(FileSystem& fs, const std::string& folder,
                                   const Hash128& fingerprint, Clock& clock);

// A state checkpoint's file, from its header alone.
struct StateEntry {
  std::vector<TokenId> tokens;
  uint64_t state_bytes = 0;
  uint64_t file_bytes = 0;
  int64_t last_use_s = 0;
};
// Fails when `name` is no state's or the file is not what its name says.
Result<StateEntry> ReadStateEntry(FileSystem& fs, const std::string& folder,
                                  const std::string& name, const Hash128& fingerprint);

// Lowest scheduling and I/O priority for the calling thread.
void RunInBackground();

// What one fingerprint's folder holds.
struct FolderReport {
  std::string name;      // the fingerprint's digits
  std::string about;     // without the version line
  bool current = false;  // written by this version of the format
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t tokens = 0;
  uint64_t states = 0;       // state checkpoints; in `bytes` too
  uint64_t damaged = 0;      // whose checksums, names or fingerprints are wrong; removed by kRepair
  uint64_t unreachable = 0;  // whose beginning is missing; removed by kRepair
  int64_t last_use_s = 0;
};
enum class FolderCheck {
  kHeaders,  // quick: reads headers only, changes nothing
  kRepair,   // reads every byte; removes what is damaged, unreachable or of another version
};
// Every folder below `root` that is named like a fingerprint.
Result<std::vector<FolderReport>> CheckFolders(FileSystem& fs, const std::string& root,
                                               FolderCheck check);
// Removes every file of the disk tier below `root`; returns the bytes freed.
Result<uint64_t> ClearFolders(FileSystem& fs, const std::string& root);

}  // namespace ac::kv
