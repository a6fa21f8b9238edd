// One conversation with a server over the Anthropic API, tool calls included.
//
// Ask() sends the request, runs the tools the model calls, and sends their results back until the
// model answers in words. Times are taken where a user would: from the request to the first piece
// of the reply. For one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "demo/workshop.h"
#include "http/client.h"
#include "json/json.h"

namespace ac::demo {

// One request to the server and its reply, read from the stream.
struct Reply {
  json::Array content;
  double first_s = 0;  // to the first piece of it
  double total_s = 0;
  int64_t computed = 0;  // prompt tokens
  int64_t reused = 0;
};

struct AskedTurn {
  std::string request;
  std::vector<std::string> calls;  // "Read(README.md)", in order
  std::string answer;
  Reply first;         // of the replies: the one that the user waits for
  double total_s = 0;  // all replies and tools
};

class Conversation {
 public:
  Conversation(std::string model, json::Array tools, std::string system)
      : model_(std::move(model)), tools_(std::move(tools)), system_(std::move(system)) {}

  // Where the next requests go: the conversation outlives a server.
  void UseServer(std::string url) { url_ = std::move(url); }

  // Prompt tokens of a request of these words, counted by the server; adds nothing.
  Result<int64_t> CountTokens(const std::string& request);
  Result<AskedTurn> Ask(const std::string& request, const Workshop& workshop);

 private:
  json::Object Body() const;
  http::ClientRequest Post(const std::string& path, const json::Object& body) const;
  Result<Reply> Send();

  std::string model_;
  json::Array tools_;
  std::string system_;
  json::Array messages_;
  std::string url_;
  http::Client client_;
};

}  // namespace ac::demo
