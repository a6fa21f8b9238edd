// Everything that serves, as one object: model, engine, backend, gateway, HTTP server.
//
// `serve`, the launcher and `trace replay --mode` start it; the destructor stops it. Start and Stop
// are for one owner thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/status.h"
#include "chat/event.h"
#include "gateway/observer.h"

namespace ac::app {

// What a user, or the client's environment, needs to know about a running server.
struct ServerFacts {
  std::string url;
  std::string mode;
  std::string title;           // who answers: "LM Studio at http://127.0.0.1:1234/v1"
  std::string warning;         // something the user should fix; the server runs all the same
  std::string model;           // as the mode names it; empty: the client's choice
  int64_t context_length = 0;  // tokens; 0: unknown
  bool pass_through = false;   // requests go on unchanged, with the client's own key and model
  bool built_in = false;       // the model made on the spot, with random weights
};

class RunningServer {
 public:
  // Checks the settings, opens what the mode needs, listens. `observers` must outlive the server.
  static Result<std::unique_ptr<RunningServer>> Start(
      const Config& config, std::vector<gateway::RequestObserver*> observers = {});
  ~RunningServer();

  const ServerFacts& facts() const { return facts_; }

  // Computes the prompt of the request in a file, so that it is cached when a client sends it.
  Result<chat::Usage> Warm(const Config& config, const std::string& file);

  // Running replies may go on for `grace`. Then everything is written down.
  void Stop(std::chrono::milliseconds grace);

  // What was measured since the start, in a few lines; empty when nothing was asked.
  std::string Report() const;

 private:
  struct Parts;
  RunningServer();

  ServerFacts facts_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ac::app
