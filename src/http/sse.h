// Server-sent events: the writer (FormatSse) and a parser that takes bytes split anywhere.
//
// The parser follows the WHATWG event-stream rules: lines end in CR, LF or CRLF; one leading byte
// order mark is skipped; lines starting with ':' are comments; several data lines join with LF; one
// space after the colon is dropped; an event without data is not delivered. One deliberate
// difference: Finish() delivers an event whose closing blank line is missing, because several model
// servers end their stream that way. Values; not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ac::http {

// "event: NAME\ndata: LINE\n...\n\n"; the event line is left out when `event` is empty. Line breaks
// in `data` become several data lines; line breaks in `event` are dropped.
std::string FormatSse(std::string_view event, std::string_view data);

struct SseEvent {
  std::string event;  // empty when the stream gave no name (browsers call that "message")
  std::string data;
  std::string id;  // last id seen on the stream
};

class SseParser {
 public:
  using Callback = std::function<void(const SseEvent&)>;

  // `max_event_bytes` bounds what one event may hold in memory before it is complete.
  explicit SseParser(Callback on_event, size_t max_event_bytes = size_t{16} << 20)
      : on_event_(std::move(on_event)), max_event_bytes_(max_event_bytes) {}

  // kTooLarge when an event outgrows the limit; the parser then refuses everything that follows.
  Status Feed(std::string_view bytes);
  // End of stream: delivers what is complete up to a missing last line break or blank line.
  Status Finish();

 private:
  Status Append(std::string_view part);
  void EndLine();
  void Dispatch();

  Callback on_event_;
  size_t max_event_bytes_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
  bool failed_ = false;
};

}  // namespace ac::http
