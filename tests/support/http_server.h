// Helpers of tests that run an http::Server in their own process.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "http/server.h"
#include "support/raw_socket.h"

namespace ac::testing {

using ExchangePtr = std::shared_ptr<http::Exchange>;

inline std::unique_ptr<http::Server> Serve(http::Handler handler,
                                           http::ServerOptions options = {}) {
  Result<std::unique_ptr<http::Server>> server =
      http::Server::Create(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? std::move(*server) : nullptr;
}

// A handler that answers with what it understood: "METHOD target body".
inline void Echo(const http::Request& request, const ExchangePtr& exchange) {
  exchange->Respond(http::Response::Make(
      200, "text/plain", request.method + " " + request.target + " " + request.body));
}

inline const std::string kClose = "Connection: close\r\n";

inline std::string Get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

inline std::string Post(const std::string& path, const std::string& body,
                        const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + fields + "\r\n" + body;
}

// Sends bytes on a connection of its own and returns everything up to the end of the connection.
inline std::string Talk(const http::Server& server, const std::string& bytes) {
  const RawSocket client = RawSocket::Tcp(server.port());
  client.Send(bytes);
  return client.ReadAll();
}

// A handler that hands the exchange of the next request to the test.
class Holder {
 public:
  void operator()(const http::Request&, const ExchangePtr& exchange) {
    promise_.set_value(exchange);
  }
  ExchangePtr Take() {
    std::future<ExchangePtr> future = promise_.get_future();
    if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) return nullptr;
    ExchangePtr out = future.get();
    promise_ = {};
    return out;
  }

 private:
  std::promise<ExchangePtr> promise_;
};

// A flag that a callback sets and a test waits for. Copies share it, so a callback may outlive the
// test that gave up on it.
class Event {
 public:
  void Set() const { state_->promise.set_value(); }
  bool Within(std::chrono::milliseconds time = std::chrono::seconds(10)) const {
    return state_->future.wait_for(time) == std::future_status::ready;
  }

 private:
  struct State {
    std::promise<void> promise;
    std::shared_future<void> future = promise.get_future().share();
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Waits up to ten seconds for a condition that nobody signals.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace ac::testing
