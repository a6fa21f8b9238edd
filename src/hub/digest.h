// Content digests as the model hub publishes them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/file_system.h"
#include "base/status.h"

namespace ac::hub {

enum class DigestKind {
  kSha256,
  kGitBlob,  // SHA-1 over "blob SIZE\0" and the content
};

// Lower-case hex of a whole file.
Result<std::string> FileDigest(FileSystem& fs, const std::string& path, DigestKind kind,
                               const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace ac::hub
