// How a disk store is set up, and what it has done: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/hash.h"

namespace ac::kv {

struct DiskStoreOptions {
  std::string folder;   // of this fingerprint alone; made when missing
  Hash128 fingerprint;  // everything that decides the bytes of a page
  std::string about;    // lines for people, kept in about.txt beside the pages
  uint64_t max_bytes = uint64_t{20} << 30;
  size_t max_queued = 64;                        // pages waiting for the writer
  std::function<void(const std::string&)> warn;  // at most once for writing, once per restore
};

struct DiskStats {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t written_pages = 0;
  uint64_t written_bytes = 0;
  uint64_t restored_pages = 0;
  uint64_t restored_bytes = 0;
  uint64_t evicted_pages = 0;
  uint64_t bad_pages = 0;      // damaged, missing or not what they should have been
  uint64_t skipped_pages = 0;  // not queued: the queue was full
  bool writing = true;
};

}  // namespace ac::kv
