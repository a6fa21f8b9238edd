// anyclaude models pull: fetches a model from a hub into the home folder.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "app/commands/all.h"
#include "app/model_path.h"
#include "app/progress.h"
#include "base/file_system.h"
#include "http/client.h"
#include "hub/hub.h"

namespace ac::app {
namespace {

// One bar per file.
class PullBar {
 public:
  void Update(const std::string& file, uint64_t done, uint64_t total) {
    if (file != file_) {
      bar_.reset();  // ends the line of the file before
      bar_ = std::make_unique<ProgressBar>(BaseName(file), "B");
      file_ = file;
    }
    bar_->Update(done, total);
  }

 private:
  std::string file_;
  std::unique_ptr<ProgressBar> bar_;
};

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

std::string ModelCatalogText() {
  std::string text = "Names that are known:\n";
  for (const hub::CatalogEntry& entry : hub::Catalog()) {
    text += fmt::format("  {:<20} {}\n", entry.name, entry.note);
  }
  return text;
}

Status PullModel(CommandContext& context, const std::string& model) {
  const Config& config = context.config;
  hub::HubOptions options{.endpoint = WithoutSlash(config.Text("hub.url")),
                          .token = config.Text("hub.token")};
  AC_ASSIGN_OR_RETURN(const hub::ModelRef ref, hub::ParseModelRef(model, options.endpoint));
  http::Client client;
  hub::Hub hub(std::move(options), client, FileSystem::Real());
  PullBar bar;
  AC_ASSIGN_OR_RETURN(const hub::PulledModel pulled,
                      hub.Pull(ref, config.HomePath("models"),
                               [&bar](const std::string& file, uint64_t done, uint64_t total) {
                                 bar.Update(file, done, total);
                               }));
  fmt::print("{}\n", pulled.path);
  fmt::print(stderr, "{:.2f} GB in place. Serve it with: anyclaude serve --model {}\n",
             static_cast<double>(pulled.bytes) / 1e9, pulled.name);
  return OkStatus();
}

}  // namespace ac::app
