// Puts one streamed Anthropic message together and notes when its first piece came.
//
// Begin and future() on the caller's thread before the call starts; the events on the client's.
#pragma once

#include <future>
#include <string>

#include "base/clock.h"
#include "demo/conversation.h"
#include "http/sse.h"

namespace ac::demo {

class StreamReader {
 public:
  StreamReader() : parser_([this](const http::SseEvent& event) { OnEvent(event); }) {}

  void Begin(Nanos now) { start_ = now; }
  http::CallEvents Events();
  std::future<Result<Reply>> future() { return promise_.get_future(); }

 private:
  void OnEvent(const http::SseEvent& event);
  void OnUsage(const json::Value& usage);
  void OnBlockStart(const json::Value& block);
  void OnDelta(const json::Value& delta);
  void OnBlockStop();
  void Done(const Status& status);

  http::SseParser parser_;
  std::promise<Result<Reply>> promise_;
  Reply reply_;
  Status status_;
  json::Object block_;  // the one that streams
  std::string pieces_;  // of its text or of its input
  std::string error_;   // body of a reply that is no stream
  int code_ = 0;
  Nanos start_{0};
};

}  // namespace ac::demo
