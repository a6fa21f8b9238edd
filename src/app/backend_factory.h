// Makes backends from descriptions and owns them, with the client and timer they share.
//
// One thread opens; what was made is thread-safe and lives as long as the factory.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "backend/backend.h"
#include "http/client.h"
#include "remote/remote_backend.h"
#include "remote/timer.h"
#include "routing/cluster_backend.h"
#include "routing/route_file.h"

namespace ac::app {

// Opens the embedded engine when something needs it; the same one every time.
using OpenLocal = std::function<Result<backend::Backend*>()>;

class BackendFactory {
 public:
  http::Client& client() { return client_; }

  // The kind with another dialect than the table's; "" leaves it.
  const remote::ServerKind& WithDialect(const remote::ServerKind& kind, const std::string& dialect);

  remote::RemoteBackend& Remote(remote::RemoteOptions options);
  Result<backend::Backend*> Cluster(const routing::BackendSpec& spec,
                                    const Environment& environment);
  // Everything that a routing file names, behind its rules.
  Result<backend::Backend*> Routed(const routing::RouteFile& file, const Environment& environment,
                                   const OpenLocal& open_local);

 private:
  Result<remote::RemoteOptions> OptionsFor(const routing::BackendSpec& spec,
                                           const Environment& environment);
  Result<backend::Backend*> FromSpec(const routing::BackendSpec& spec,
                                     const Environment& environment, const OpenLocal& open_local);
  std::function<void(std::function<void(routing::Health)>)> ProbeOf(
      const remote::RemoteOptions& options);

  http::Client client_;
  remote::Timer timer_;
  std::list<remote::ServerKind> kinds_;
  std::vector<std::unique_ptr<backend::Backend>> made_;
};

}  // namespace ac::app
