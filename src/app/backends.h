// The servers behind every mode that is not the embedded engine alone, as one object.
//
// Owns the HTTP client, the timer and the backends made from settings; destroyed after the gateway
// that uses them. Open may wait a few seconds for a server to say which models it has.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/backend_factory.h"
#include "app/config.h"
#include "backend/backend.h"
#include "remote/pass_through.h"
#include "remote/server_kind.h"

namespace ac::app {

// Where the file is that names backends and rules; it need not exist.
std::string BackendsFile(const Config& config);

// What the user asked for, made one of the modes: old names with a warning on standard error,
// `auto` by asking every local server unless a
// file of rules exists, anything else as it is.
Result<std::string> ResolveMode(const Config& config, const Environment& environment);

// A server that is not a cloud, at the address that the user's variables or the table give.
struct ProbedServer {
  const remote::ServerKind* kind = nullptr;
  std::string url;
  bool answers = false;  // and is of this kind
};
// Asks all of them at once. With the offline lock, those elsewhere are left out.
std::vector<ProbedServer> ProbeServers(const Environment& environment);

// The modes whose server answers now, and the clouds there is a key for.
std::vector<std::string_view> AnsweringModes(const Environment& environment);

struct UpstreamFacts {
  std::string title;           // "LM Studio at http://127.0.0.1:1234/v1"
  std::string model;           // empty: the client names it
  int64_t context_length = 0;  // 0: unknown
  std::string warning;         // the server does not answer yet, ...
};

class Backends {
 public:
  // `mode` as ResolveMode gives it; `open_local` is called when a rule may use the engine.
  static Result<std::unique_ptr<Backends>> Open(const std::string& mode, const Config& config,
                                                const Environment& environment,
                                                const OpenLocal& open_local);
  ~Backends();

  backend::Backend& backend();
  // Of the `claude` mode; null in any other.
  remote::PassThrough* pass_through();
  const UpstreamFacts& facts() const { return facts_; }

 private:
  struct Parts;
  Backends();
  Status OpenServer(const std::string& mode, const Config& config, const Environment& environment);
  Status OpenClaude(const Config& config, const Environment& environment);
  Status OpenRouted(const Config& config, const Environment& environment,
                    const OpenLocal& open_local);
  Status OpenCluster(const Config& config, const Environment& environment);

  const std::unique_ptr<Parts> parts_;
  UpstreamFacts facts_;
};

}  // namespace ac::app
