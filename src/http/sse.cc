#include "http/sse.h"

#include <algorithm>
#include <utility>

namespace ac::http {

std::string FormatSse(std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(event.size() + data.size() + 18);
  if (!event.empty()) {
    out += "event: ";
    std::copy_if(event.begin(), event.end(), std::back_inserter(out),
                 [](char c) { return c != '\r' && c != '\n'; });
    out += '\n';
  }
  for (;;) {
    const size_t end = std::min(data.find_first_of("\r\n"), data.size());
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == data.size()) break;
    const bool crlf = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
    data.remove_prefix(end + (crlf ? 2 : 1));
  }
  out += '\n';
  return out;
}

Status SseParser::Append(std::string_view part) {
  if (line_.size() + event_.data.size() + part.size() > max_event_bytes_) {
    failed_ = true;
    return Status(Code::kTooLarge, "[http] an event of the stream is larger than " +
                                       std::to_string(max_event_bytes_) + " bytes");
  }
  line_ += part;
  return OkStatus();
}

Status SseParser::Feed(std::string_view bytes) {
  if (failed_) return Status(Code::kTooLarge, "[http] event stream given up after a huge event");
  while (!bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const size_t end = bytes.find_first_of("\r\n");
    AC_RETURN_IF_ERROR(Append(bytes.substr(0, end)));
    if (end == std::string_view::npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    EndLine();
  }
  return OkStatus();
}

Status SseParser::Finish() {
  if (failed_) return Status(Code::kTooLarge, "[http] event stream given up after a huge event");
  if (!line_.empty()) EndLine();
  Dispatch();
  return OkStatus();
}

void SseParser::EndLine() {
  std::string_view line = line_;
  if (std::exchange(first_line_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) {
    Dispatch();
  } else {
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "data") {
      if (has_data_) event_.data += '\n';
      event_.data += value;
      has_data_ = true;
    } else if (field == "event") {
      event_.event = value;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
      event_.id = value;
    }
  }
  line_.clear();
}

void SseParser::Dispatch() {
  if (std::exchange(has_data_, false)) on_event_(event_);
  event_.event.clear();
  event_.data.clear();
}

}  // namespace ac::http
