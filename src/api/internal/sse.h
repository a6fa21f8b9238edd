// Server-sent events, read as tolerantly as browsers do.
//
// Lines may end in CR, LF or CRLF, bytes may be cut anywhere, comments are skipped, `data:` needs
// no space and may have several lines. Owns its buffers; not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac::api::internal {

struct SseRecord {
  std::string event;  // empty when the record has no name
  std::string data;
};

class SseParser {
 public:
  explicit SseParser(size_t max_record_bytes) : max_record_bytes_(max_record_bytes) {}

  // kTooLarge once a record passes the limit; the parser is then useless.
  Status Feed(std::string_view bytes, std::vector<SseRecord>* out);
  // The body is over: a last record without its empty line counts all the same.
  void Finish(std::vector<SseRecord>* out);

 private:
  void TakeLine(std::vector<SseRecord>* out);
  void Dispatch(std::vector<SseRecord>* out);

  const size_t max_record_bytes_;
  std::string line_;
  SseRecord record_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
};

}  // namespace ac::api::internal
