#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ac {

Result<MappedFile> MappedFile::Open(const std::string& path) {
  const std::string what = "[base] cannot map " + path;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FromErrno(errno, what);
  MappedFile file;
  file.path_ = path;
  Status status = [&]() -> Status {
    struct stat st = {};
    if (::fstat(fd, &st) != 0) return FromErrno(errno, what);
    if (!S_ISREG(st.st_mode)) return InvalidArgument(what + ": not a regular file");
    file.size_ = static_cast<size_t>(st.st_size);
    if (file.size_ == 0) return OkStatus();  // mmap refuses length 0; an empty span is right
    void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return FromErrno(errno, what);
    file.data_ = static_cast<const std::byte*>(data);
    return OkStatus();
  }();
  ::close(fd);  // the mapping keeps the file alive
  if (!status.ok()) return status;
  return file;
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::WillNeed(size_t offset, size_t length) const {
  if (offset >= size_) return;
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = offset / page * page;
  const size_t end = offset + std::min(length, size_ - offset);
  (void)::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_WILLNEED);
}

}  // namespace ac
