// A file system whose every read takes a while, as of a disk that is busy or far away.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"

namespace ac::testing {

class SlowFileSystem : public FileSystem {
 public:
  explicit SlowFileSystem(Nanos delay) : delay_(delay) {}

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    AC_ASSIGN_OR_RETURN(std::unique_ptr<File> file, Real().Open(path, mode));
    return std::unique_ptr<File>(std::make_unique<SlowFile>(std::move(file), delay_));
  }
  Result<FileInfo> Stat(const std::string& path) override { return Real().Stat(path); }
  Result<std::vector<std::string>> List(const std::string& d) override { return Real().List(d); }
  Status CreateDirectories(const std::string& path) override {
    return Real().CreateDirectories(path);
  }
  Status Rename(const std::string& a, const std::string& b) override { return Real().Rename(a, b); }
  Status Remove(const std::string& path) override { return Real().Remove(path); }
  Status Touch(const std::string& path, int64_t ahead_s) override {
    return Real().Touch(path, ahead_s);
  }
  Status SyncDirectory(const std::string& d) override { return Real().SyncDirectory(d); }

 private:
  class SlowFile : public File {
   public:
    SlowFile(std::unique_ptr<File> file, Nanos delay) : file_(std::move(file)), delay_(delay) {}
    Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
      std::this_thread::sleep_for(delay_);
      return file_->ReadAt(offset, out);
    }
    Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
      return file_->WriteAt(offset, data);
    }
    Status Sync() override { return file_->Sync(); }
    Result<uint64_t> Size() override { return file_->Size(); }

   private:
    const std::unique_ptr<File> file_;
    const Nanos delay_;
  };
  const Nanos delay_;
};

}  // namespace ac::testing
