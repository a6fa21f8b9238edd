// A FileSystem whose n-th operation fails, and a sweep over every n.
//
// FaultFileSystem passes every call to the file system below it and counts them (also those of the
// files it opened). From operation `fail_at` on, one call (kOnce) or all of them (kForever: a
// crash, nothing reaches the disk any more) return the given failure. A failing write first writes
// half of its bytes, as a full disk or a power cut does. Owns nothing; the wrapped file system must
// outlive it. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"

namespace ac::testing {

class FaultFileSystem : public FileSystem {
 public:
  enum class Mode { kOnce, kForever };

  explicit FaultFileSystem(FileSystem& below) : below_(below) {}

  // Operations are numbered from 0. Call before the operations start.
  void FailAt(uint64_t operation, Mode mode,
              Status failure = Status(Code::kResourceExhausted, "[fault] no space left")) {
    fail_at_ = operation;
    mode_ = mode;
    failure_ = std::move(failure);
  }
  uint64_t operations() const { return operations_; }

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    AC_RETURN_IF_ERROR(Next());
    AC_ASSIGN_OR_RETURN(std::unique_ptr<File> file, below_.Open(path, mode));
    return std::unique_ptr<File>(std::make_unique<FaultFile>(*this, std::move(file)));
  }
  Result<FileInfo> Stat(const std::string& path) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.Stat(path);
  }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.List(directory);
  }
  Status CreateDirectories(const std::string& path) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.CreateDirectories(path);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.Rename(from, to);
  }
  Status Remove(const std::string& path) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.Remove(path);
  }
  Status Touch(const std::string& path, int64_t ahead_s) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.Touch(path, ahead_s);
  }
  Status SyncDirectory(const std::string& directory) override {
    AC_RETURN_IF_ERROR(Next());
    return below_.SyncDirectory(directory);
  }

 private:
  class FaultFile : public File {
   public:
    FaultFile(FaultFileSystem& fs, std::unique_ptr<File> file) : fs_(fs), file_(std::move(file)) {}
    Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
      AC_RETURN_IF_ERROR(fs_.Next());
      return file_->ReadAt(offset, out);
    }
    Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
      bool first = false;
      const Status fault = fs_.Next(&first);
      if (fault.ok()) return file_->WriteAt(offset, data);
      if (first) (void)file_->WriteAt(offset, data.first(data.size() / 2));
      return fault;
    }
    Status Sync() override {
      AC_RETURN_IF_ERROR(fs_.Next());
      return file_->Sync();
    }
    Result<uint64_t> Size() override {
      AC_RETURN_IF_ERROR(fs_.Next());
      return file_->Size();
    }
    bool TryLock() override { return file_->TryLock(); }

   private:
    FaultFileSystem& fs_;
    std::unique_ptr<File> file_;
  };

  // Counts one operation. `first` tells the operation that fails first from those after a crash.
  Status Next(bool* first = nullptr) {
    const uint64_t number = operations_++;
    if (first != nullptr) *first = number == fail_at_;
    const bool fails = mode_ == Mode::kOnce ? number == fail_at_ : number >= fail_at_;
    return fails ? failure_ : OkStatus();
  }

  FileSystem& below_;
  std::atomic<uint64_t> operations_{0};
  uint64_t fail_at_ = UINT64_MAX;
  Mode mode_ = Mode::kOnce;
  Status failure_;
};

// Runs `work(fs)` with no fault, then once per operation it did with the fault at that operation;
// after each faulty run calls `check(operation)`. Returns how many operations there were.
template <typename Work, typename Check>
uint64_t FailAtEveryOperation(FileSystem& below, FaultFileSystem::Mode mode, Work work,
                              Check check) {
  FaultFileSystem clean(below);
  work(clean);
  for (uint64_t n = 0; n < clean.operations(); ++n) {
    FaultFileSystem faulty(below);
    faulty.FailAt(n, mode);
    work(faulty);
    check(n);
  }
  return clean.operations();
}

}  // namespace ac::testing
