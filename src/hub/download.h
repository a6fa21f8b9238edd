// Downloads one file so that nothing half-written is ever taken for whole.
//
// Bytes go to PATH.part, which survives a stop: the next download continues where it ended if the
// server still has the same content. The file gets its name only when its size and digest are
// right. Blocks the caller; one download per path at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status.h"
#include "http/client.h"

namespace ac::hub {

struct DownloadJob {
  std::string url;
  http::Headers headers;  // sent to the url's own host only
  std::string path;
  uint64_t size = 0;   // 0: what the server says
  std::string sha256;  // expected digests; empty: unknown
  std::string git_sha1;
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct DownloadOptions {
  int attempts = 6;  // without a byte of progress; any progress starts the count again
  Nanos first_pause = std::chrono::seconds(1);  // doubles with every attempt
};

Status DownloadFile(http::Client& client, FileSystem& fs, const DownloadJob& job,
                    const DownloadOptions& options = {}, Clock& clock = Clock::Real());

}  // namespace ac::hub
