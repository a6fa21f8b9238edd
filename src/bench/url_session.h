// The bench session against any server that speaks the Anthropic or the OpenAI chat API.
//
// Text instead of token ids: words that most vocabularies have as one token, so prompt sizes are
// near the plan's; the server's own counts are what is reported. One thread.
#pragma once

#include <string>
#include <vector>

#include "bench/session.h"
#include "http/client.h"

namespace ac::bench {

struct UrlSessionOptions {
  std::string url;      // of the server, without /v1/...
  std::string api_key;  // empty: none
  std::string model;    // empty: the first the server lists
};

class UrlSession : public SessionTarget {
 public:
  // Finds out which API answers and, when none is named, which model. Errors name the URL.
  static Result<std::unique_ptr<UrlSession>> Open(UrlSessionOptions options);

  Result<Turn> Ask(const SessionPlan& plan) override;

  const std::string& model() const { return options_.model; }

 private:
  enum class Api { kAnthropic, kOpenAi };

  explicit UrlSession(UrlSessionOptions options) : options_(std::move(options)) {}
  http::ClientRequest Post(const std::string& path, const json::Value& body) const;
  Status FindModel();
  Status FindApi();
  json::Value Body(int64_t max_tokens) const;
  std::string Words(int64_t count);

  UrlSessionOptions options_;
  Api api_ = Api::kAnthropic;
  http::Client client_;
  std::string system_;
  std::vector<std::string> messages_;  // the user's and the assistant's in turn
  uint32_t state_ = 1;                 // of the words' sequence
};

}  // namespace ac::bench
