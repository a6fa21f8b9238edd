// The file operations this project needs, behind one seam.
//
// Production uses FileSystem::Real(); fault tests wrap it to inject short writes, ENOSPC, EIO and
// crashes at any call. All methods are thread-safe. Paths are UTF-8 bytes as the OS takes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac {

struct FileInfo {
  uint64_t size = 0;
  int64_t modified_ns = 0;  // since the epoch
  bool is_directory = false;
  bool is_special = false;  // a pipe, socket or device
};

// An open file; closing is the destructor's work. Reads and writes are at explicit offsets.
class File {
 public:
  virtual ~File() = default;
  // Reads exactly `out.size()` bytes, or fails (kDataLoss when the file is shorter).
  virtual Status ReadAt(uint64_t offset, std::span<std::byte> out) = 0;
  virtual Status WriteAt(uint64_t offset, std::span<const std::byte> data) = 0;
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
  // Takes the file for this open file alone, until it is closed; false when another one has it, in
  // this process or in another.
  virtual bool TryLock() { return true; }
};

enum class OpenMode {
  kRead,       // must exist
  kCreate,     // created or truncated, mode 0600, read and write
  kReadWrite,  // created when missing, kept when there, mode 0600
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<FileInfo> Stat(const std::string& path) = 0;
  // Names (not paths) in a directory, sorted.
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  // Creates missing parents too, mode 0700.
  virtual Status CreateDirectories(const std::string& path) = 0;
  // Atomic replacement within one file system.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // A file or an empty directory.
  virtual Status Remove(const std::string& path) = 0;
  // Marks a file as modified `ahead_s` seconds from now.
  virtual Status Touch(const std::string& path, int64_t ahead_s) = 0;
  // Makes a preceding Rename or creation in `directory` survive a power cut.
  virtual Status SyncDirectory(const std::string& directory) = 0;

  bool Exists(const std::string& path) { return Stat(path).ok(); }

  static FileSystem& Real();
};

// Whole-file helpers. WriteFileAtomic writes beside the target, syncs and renames: a reader sees
// the old file or the new one, never a part.
Result<std::string> ReadFile(FileSystem& fs, const std::string& path);
Status WriteFileAtomic(FileSystem& fs, const std::string& path, std::string_view content);
// The same without syncing, for files that nobody misses after a power cut, where they may then be
// empty or cut. A process that is killed leaves none of these.
Status WriteFileUnsynced(FileSystem& fs, const std::string& path, std::string_view content);

std::string JoinPath(std::string_view directory, std::string_view name);
std::string BaseName(std::string_view path);
std::string DirName(std::string_view path);  // "." when there is no slash

}  // namespace ac
