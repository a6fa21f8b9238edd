// Forwards requests to Anthropic's API as they are: what the client sent is what the server gets,
// what the server sent is what the client gets, byte for byte and as it arrives.
//
// Headers that belong to one connection are dropped and Accept-Encoding asks for plain bytes, so
// that the reply can be read on its way; the keys pass and are never logged. Beside the stream a
// decoder reads what it says and the tokens that the API counted, for whoever listens. Thread-safe;
// the client must outlive this object.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "chat/event.h"
#include "http/client.h"
#include "http/server.h"
#include "obs/metrics.h"

namespace ac::remote {

// Hears one reply to POST /v1/messages that passes through; called by one thread at a time, after
// the client has the bytes. The last call is OnEvent with MessageStop or Error, or OnClientGone.
class ReplyListener {
 public:
  virtual ~ReplyListener() = default;
  virtual void OnEvent(const chat::ChatEvent& event) = 0;
  virtual void OnClientGone() = 0;
};

struct PassThroughOptions {
  std::string base_url = "https://api.anthropic.com";
  // The key that clients of this gateway must send, and the one that goes on in its place. Empty:
  // the client's own headers pass.
  std::string gateway_key;
  std::string upstream_key;
  http::ClientTimeouts timeouts = {};
  obs::Metrics* metrics = nullptr;
};

class PassThrough {
 public:
  PassThrough(PassThroughOptions options, http::Client& client);
  ~PassThrough();

  // Asked once the reply's headers, or its failure, are with the client; `started` is when the
  // request came. Null: nobody listens. Before the first request.
  using Listen =
      std::function<std::unique_ptr<ReplyListener>(const http::Request& request, Nanos started)>;
  void SetListen(Listen listen);

  void Handle(const http::Request& request, const std::shared_ptr<http::Exchange>& exchange);

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
};

// Everything but the paths of OpenAI's protocol, which have to be translated.
bool PassesThrough(std::string_view path);

// The fields of a message that may go on to the next hop.
http::Headers EndToEndHeaders(const http::Headers& headers);

}  // namespace ac::remote
