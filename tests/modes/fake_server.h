// A server that behaves like one of the kinds anyclaude knows, quirks included.
//
// What it answers is decided by the last words of the conversation ("say hello", "use a tool",
// ...), so that one script fits every dialect; how it says so by the profile. It remembers what it
// was sent. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "http/server.h"
#include "json/json.h"

namespace ac::testing {

// Deviations from OpenAI's stream, as documented or reported for the server of that mode.
struct FakeProfile {
  std::string mode;
  bool anthropic = false;         // answers /v1/messages
  bool needs_key = false;         // "key-123", else 401
  bool no_call_index = false;     // tool_calls without "index"
  bool no_call_id = false;        // ... and without "id"
  bool same_index = false;        // every call has index 0
  bool whole_calls = false;       // name and arguments in one piece
  bool object_arguments = false;  // arguments as an object instead of a string
  bool calls_as_text = false;     // the model's own syntax stays in the content
  bool stop_after_calls = false;  // finish_reason "stop" although tools were called
  bool no_usage = false;
  bool no_done = false;             // no "data: [DONE]"
  bool comments = false;            // ": PROCESSING" lines between events
  bool plain_with_tools = false;    // ignores "stream" when there are tools
  bool refuses_max_tokens = false;  // insists on max_completion_tokens
  bool refuses_patterns = false;    // its grammar compiler fails on "pattern"
  bool array_errors = false;        // error bodies in a list
  std::string reasoning_field = "reasoning_content";
};

FakeProfile ProfileOf(std::string_view mode);

class FakeServer {
 public:
  explicit FakeServer(FakeProfile profile);
  ~FakeServer();

  std::string base_url() const;  // with /v1
  uint16_t port() const { return server_->port(); }
  std::vector<json::Value> requests() const;  // bodies of generation requests
  int client_left() const { return client_left_; }
  // Answers the next generation requests with this status, then as usual.
  void FailNext(int count, int status, std::string body, http::Headers headers = {});

 private:
  using ExchangePtr = std::shared_ptr<http::Exchange>;
  void Handle(const http::Request& request, const ExchangePtr& exchange);
  void HandleInfo(const http::Request& request, const ExchangePtr& exchange) const;
  void Generate(const http::Request& request, const ExchangePtr& exchange);
  void Answer(const json::Value& body, const std::string& wish, const ExchangePtr& exchange);
  bool Refuses(const json::Value& body, const ExchangePtr& exchange) const;
  void RespondError(const ExchangePtr& exchange, int status, const std::string& text) const;

  const FakeProfile profile_;
  std::unique_ptr<http::Server> server_;
  std::atomic<int> client_left_{0};
  mutable Mutex mutex_;
  std::vector<json::Value> requests_ AC_GUARDED_BY(mutex_);
  std::vector<ExchangePtr> hanging_ AC_GUARDED_BY(mutex_);
  int fail_next_ AC_GUARDED_BY(mutex_) = 0;
  http::Response failure_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::testing
