// Models from a hub that speaks the Hugging Face layout: listing, choosing, downloading.
//
// The address and the token come from the caller (HF_ENDPOINT, HF_TOKEN); the token goes to that
// address only, never to the hosts it redirects to, and into no message. Blocks the caller.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "http/client.h"
#include "hub/download.h"
#include "hub/model_ref.h"
#include "hub/selection.h"

namespace ac::hub {

struct HubOptions {
  std::string endpoint;  // "https://hub.example", without a slash at the end
  std::string token;     // may be empty
  DownloadOptions download = {};
};

struct PulledModel {
  std::string path;  // what --model takes
  std::string name;  // under models/
  uint64_t bytes = 0;
};

// Called before each file and while its bytes come.
using PullProgress = std::function<void(const std::string& file, uint64_t done, uint64_t total)>;

class Hub {
 public:
  // `client` and `fs` must outlive the hub.
  Hub(HubOptions options, http::Client& client, FileSystem& fs)
      : options_(std::move(options)), client_(client), fs_(fs) {}

  Result<std::vector<RemoteFile>> List(const ModelRef& ref);
  // Puts the model under `directory` and says where. Files that are there already, whole and
  // right, are not fetched again; interrupted ones are continued.
  Result<PulledModel> Pull(const ModelRef& ref, const std::string& directory,
                           const PullProgress& progress);

 private:
  Result<PulledModel> PullFile(const ModelRef& ref, const std::string& directory,
                               const PullProgress& progress);
  Status Fetch(const std::string& url, bool own, const RemoteFile& file, const std::string& path,
               const PullProgress& progress);
  http::Headers OwnHeaders() const;

  const HubOptions options_;
  http::Client& client_;
  FileSystem& fs_;
};

}  // namespace ac::hub
