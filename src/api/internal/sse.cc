#include "api/internal/sse.h"

#include <utility>

namespace ac::api::internal {
namespace {
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
}

Status SseParser::Feed(std::string_view bytes, std::vector<SseRecord>* out) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const size_t end = bytes.find_first_of("\r\n");
    if (line_.size() + record_.data.size() + bytes.substr(0, end).size() > max_record_bytes_) {
      return Status(Code::kTooLarge, "[api] a stream record is larger than " +
                                         std::to_string(max_record_bytes_) + " bytes");
    }
    line_ += bytes.substr(0, end);
    if (end == std::string_view::npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    TakeLine(out);
  }
  return OkStatus();
}

void SseParser::Finish(std::vector<SseRecord>* out) {
  if (!line_.empty()) TakeLine(out);
  Dispatch(out);
}

void SseParser::TakeLine(std::vector<SseRecord>* out) {
  std::string line = std::exchange(line_, {});
  std::string_view text = line;
  if (first_line_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (text.empty()) return Dispatch(out);
  const size_t colon = text.find(':');
  if (colon == 0) return;  // a comment
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    record_.event = value;
  } else if (field == "data") {
    if (has_data_) record_.data += '\n';
    record_.data += value;
    has_data_ = true;
  }
}

void SseParser::Dispatch(std::vector<SseRecord>* out) {
  SseRecord record = std::exchange(record_, {});
  if (std::exchange(has_data_, false)) out->push_back(std::move(record));
}

}  // namespace ac::api::internal
