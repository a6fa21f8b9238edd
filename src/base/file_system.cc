#include "base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace ac {
namespace {

std::string Describe(std::string_view action, const std::string& path) {
  return "[base] cannot " + std::string(action) + " " + path;
}

class RealFile : public File {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~RealFile() override { ::close(fd_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
    while (!out.empty()) {
      const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FromErrno(errno, Describe("read", path_));
      if (n == 0) return DataLoss(Describe("read", path_) + ": the file ends early");
      offset += static_cast<uint64_t>(n);
      out = out.subspan(static_cast<size_t>(n));
    }
    return OkStatus();
  }

  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t n = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FromErrno(errno, Describe("write", path_));
      offset += static_cast<uint64_t>(n);
      data = data.subspan(static_cast<size_t>(n));
    }
    return OkStatus();
  }

  Status Sync() override {
    if (::fsync(fd_) != 0) return FromErrno(errno, Describe("sync", path_));
    return OkStatus();
  }

  Result<uint64_t> Size() override {
    struct stat st = {};
    if (::fstat(fd_, &st) != 0) return FromErrno(errno, Describe("stat", path_));
    return static_cast<uint64_t>(st.st_size);
  }

  bool TryLock() override { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }

 private:
  const int fd_;
  const std::string path_;
};

class RealFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case OpenMode::kRead:
        flags |= O_RDONLY;
        break;
      case OpenMode::kCreate:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        break;
      case OpenMode::kReadWrite:
        flags |= O_RDWR | O_CREAT;
        break;
    }
    const int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0) return FromErrno(errno, Describe("open", path));
    return std::unique_ptr<File>(std::make_unique<RealFile>(fd, path));
  }

  Result<FileInfo> Stat(const std::string& path) override {
    struct stat st = {};
    if (::stat(path.c_str(), &st) != 0) return FromErrno(errno, Describe("stat", path));
    FileInfo info;
    info.size = static_cast<uint64_t>(st.st_size);
#if defined(__APPLE__)
    const struct timespec& modified = st.st_mtimespec;
#else
    const struct timespec& modified = st.st_mtim;
#endif
    info.modified_ns = int64_t{modified.tv_sec} * 1'000'000'000 + modified.tv_nsec;
    info.is_directory = S_ISDIR(st.st_mode);
    info.is_special = !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode);
    return info;
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    DIR* dir = ::opendir(directory.c_str());
    if (dir == nullptr) return FromErrno(errno, Describe("list", directory));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status CreateDirectories(const std::string& path) override {
    if (path.empty() || path == "/" || path == ".") return OkStatus();
    if (::mkdir(path.c_str(), 0700) == 0) return OkStatus();
    if (errno == ENOENT) {
      AC_RETURN_IF_ERROR(CreateDirectories(DirName(path)));
      if (::mkdir(path.c_str(), 0700) == 0) return OkStatus();
    }
    if (errno == EEXIST) {
      AC_ASSIGN_OR_RETURN(const FileInfo info, Stat(path));
      if (info.is_directory) return OkStatus();
      return Status(Code::kAlreadyExists, Describe("create directory", path) + ": a file is there");
    }
    return FromErrno(errno, Describe("create directory", path));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return FromErrno(errno, Describe("rename " + from + " to", to));
    }
    return OkStatus();
  }

  Status Remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return FromErrno(errno, Describe("remove", path));
    return OkStatus();
  }

  Status Touch(const std::string& path, int64_t ahead_s) override {
    timespec now = {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += ahead_s;
    const timespec times[2] = {now, now};
    if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
      return FromErrno(errno, Describe("touch", path));
    }
    return OkStatus();
  }

  Status SyncDirectory(const std::string& directory) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return FromErrno(errno, Describe("open", directory));
    const int rc = ::fsync(fd);
    const int error_number = errno;
    ::close(fd);
    if (rc != 0) return FromErrno(error_number, Describe("sync", directory));
    return OkStatus();
  }
};

}  // namespace

FileSystem& FileSystem::Real() {
  static RealFileSystem fs;
  return fs;
}

Result<std::string> ReadFile(FileSystem& fs, const std::string& path) {
  AC_ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  if (info.is_directory) return InvalidArgument("[base] " + path + " is a directory, not a file");
  if (info.is_special)
    return InvalidArgument("[base] " + path + " is a pipe or device, not a file");
  AC_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  std::string content(info.size, '\0');
  AC_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(content))));
  return content;
}

namespace {

Status WriteAndRename(FileSystem& fs, const std::string& path, std::string_view content,
                      bool sync) {
  // The name is unique per process and call, so that two writers never share a temporary file.
  static std::atomic<uint64_t> counter{0};
  const std::string temporary =
      path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  Status status = [&]() -> Status {
    AC_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(temporary, OpenMode::kCreate));
    AC_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(content))));
    if (sync) AC_RETURN_IF_ERROR(file->Sync());
    AC_RETURN_IF_ERROR(fs.Rename(temporary, path));
    return sync ? fs.SyncDirectory(DirName(path)) : OkStatus();
  }();
  if (!status.ok()) (void)fs.Remove(temporary);
  return status;
}

}  // namespace

Status WriteFileAtomic(FileSystem& fs, const std::string& path, std::string_view content) {
  return WriteAndRename(fs, path, content, /*sync=*/true);
}

Status WriteFileUnsynced(FileSystem& fs, const std::string& path, std::string_view content) {
  return WriteAndRename(fs, path, content, /*sync=*/false);
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  std::string path(directory);
  if (path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string DirName(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

}  // namespace ac
