// Fetches one page for a model and gives its text.
//
// The address comes from a text that somebody else may have written, so it is distrusted: http and
// https only, no user and password, only public addresses however a name resolves and wherever a
// redirect leads, limits of time, size and redirects. What is checked and how replies are read are
// pure functions; PageFetcher adds the HTTP client. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "http/client.h"

namespace ac::web {

struct FetchOptions {
  bool enabled = false;
  bool allow_private = false;        // this machine and its network too
  size_t max_text_bytes = 64 << 10;  // of a page, for the model
  size_t max_body_bytes = size_t{5} << 20;
  std::chrono::milliseconds time_limit = std::chrono::seconds(20);
  std::string ca_file;  // of https servers; empty: the system's
};

// What the client's definition of the tool says.
struct FetchRules {
  std::vector<std::string> allowed_domains;  // "example.com", "example.com/docs"; empty: all
  std::vector<std::string> blocked_domains;
  size_t max_text_bytes = SIZE_MAX;
};

struct FetchedPage {
  std::string url;  // where the last redirect led
  std::string title;
  std::string text;
  std::string retrieved_at;  // 2026-01-31T12:00:00Z
};

// `code` is one of the API's web_fetch error codes; `why` is for the model.
struct FetchError {
  std::string code;
  std::string why;
};

struct FetchOutcome {
  std::optional<FetchedPage> page;
  FetchError error;  // when there is no page
};

// No value: it may be fetched, as far as its text tells.
std::optional<FetchError> CheckFetchUrl(std::string_view url, const FetchRules& rules);
// A whole reply as text for a model.
FetchOutcome ReadPage(const std::string& url, const http::Response& head, std::string_view body,
                      size_t max_text_bytes);
// A connection that failed.
FetchError ExplainFailure(const Status& status);

// One fetch under way. Destroying it cancels; after that nothing is called back (so do not destroy
// it under a lock that the callback takes).
class Fetch {
 public:
  struct State;
  explicit Fetch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Fetch();
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

 private:
  const std::shared_ptr<State> state_;
};

class PageFetcher {
 public:
  using Done = std::function<void(FetchOutcome)>;

  explicit PageFetcher(FetchOptions options, Clock& clock = Clock::Real());

  // `done` is called once, unless the Fetch is destroyed before: here, or on the client's thread.
  [[nodiscard]] std::unique_ptr<Fetch> Start(const std::string& url, const FetchRules& rules,
                                             Done done);

 private:
  void Follow(const std::shared_ptr<Fetch::State>& state, const std::string& url);
  void Arrived(const std::shared_ptr<Fetch::State>& state, const Status& status);

  const FetchOptions options_;
  Clock& clock_;
  http::Client client_;
};

}  // namespace ac::web
