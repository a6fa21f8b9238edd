#include "app/backends.h"

#include <future>
#include <iostream>
#include <list>
#include <utility>
#include <vector>

#include "app/upstream.h"
#include "http/client.h"
#include "remote/discovery.h"
#include "remote/remote_backend.h"

namespace ac::app {
namespace {

constexpr std::chrono::milliseconds kProbeTime{800};
constexpr std::chrono::milliseconds kFirstAnswerTime{3000};

// Answers for the dialects that cannot pass through.
class NoBackend : public backend::Backend {
 public:
  std::unique_ptr<backend::Call> Start(chat::ChatRequest,
                                       std::shared_ptr<chat::ChatSink> sink) override {
    sink->OnEvent({chat::Error{Why()}});
    return nullptr;
  }
  void CountTokens(chat::ChatRequest, std::function<void(Result<int64_t>)> done) override {
    done(Why());
  }
  std::vector<api::ModelInfo> Models() const override { return {}; }

 private:
  static Status Why() {
    return Unsupported(
        "[claude] without ANTHROPIC_API_KEY only the Anthropic protocol passes through: use "
        "/v1/messages, or set the key");
  }
};

// Asks every local server at once, so that those that hang cost one wait together.
std::vector<std::string_view> LocalServersThatAnswer(const Environment& environment) {
  struct Asked {
    const remote::ServerKind* kind;
    std::string body;
    int status = 0;
    std::promise<void> over;
    http::Call call;
  };
  std::list<Asked> asked;
  http::Client client;
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    const std::string base = remote::NormalizeBaseUrl(
        kind, remote::FromVariables(kind, {"_URL", "_BASE_URL"}, environment).value_or(""));
    if (kind.cloud || kind.probe_path.empty() || base.empty()) continue;
    Asked& one = asked.emplace_back();
    one.kind = &kind;
    http::ClientTimeouts limits;
    limits.total = kProbeTime;
    one.call = client.Start(
        {.url = remote::RootOf(base) + std::string(kind.probe_path),
         .max_body_bytes = size_t{4} << 20,
         .timeouts = limits},
        {.on_headers = [&one](const http::Response& head) { one.status = head.status; },
         .on_data = [&one](std::string_view bytes) { one.body += bytes; },
         .on_done = [&one](const Status&) { one.over.set_value(); }});
  }
  std::vector<std::string_view> modes;
  for (Asked& one : asked) {
    one.over.get_future().wait();
    if (one.status == 200 && one.body.find(one.kind->probe_mark) != std::string::npos) {
      modes.push_back(one.kind->mode);
    }
  }
  return modes;
}

}  // namespace

struct Backends::Parts {
  http::Client client;
  remote::Timer timer;
  std::list<remote::ServerKind> kinds;  // the table's, changed by settings
  std::vector<std::unique_ptr<backend::Backend>> backends;
  std::unique_ptr<remote::PassThrough> pass_through;

  const remote::ServerKind& KindFor(const remote::ServerKind& kind, const Config& config) {
    const std::string& dialect = config.Text("upstream.dialect");
    if (dialect.empty()) return kind;
    kinds.push_back(kind);
    kinds.back().endpoint =
        dialect == "anthropic" ? api::Endpoint::kMessages : api::Endpoint::kChatCompletions;
    return kinds.back();
  }
};

Backends::Backends() : parts_(std::make_unique<Parts>()) {}
Backends::~Backends() = default;

backend::Backend& Backends::backend() { return *parts_->backends.back(); }
remote::PassThrough* Backends::pass_through() { return parts_->pass_through.get(); }

std::vector<std::string_view> AnsweringModes(const Environment& environment) {
  std::vector<std::string_view> modes = LocalServersThatAnswer(environment);
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    const bool has_key = remote::FromVariables(kind, {"_API_KEY"}, environment).has_value();
    if (kind.cloud && has_key) modes.push_back(kind.mode);
  }
  return modes;
}

Result<std::string> ResolveMode(const Config& config, const Environment& environment) {
  std::string mode = config.Text("mode");
  if (const auto now = remote::ModeForOldName(mode)) {
    std::cerr << "warning: the mode \"" << mode << "\" is called \"" << *now << "\" now\n";
    mode = *now;
  }
  if (mode == "auto") {
    const std::vector<std::string_view> found = LocalServersThatAnswer(environment);
    mode = found.empty() ? "local" : std::string(found.front());
    std::cerr << "auto: using " << mode << "\n";
  }
  return mode;
}

Result<std::unique_ptr<Backends>> Backends::Open(const std::string& mode, const Config& config,
                                                 const Environment& environment) {
  std::unique_ptr<Backends> opened(new Backends());
  Parts& parts = *opened->parts_;
  UpstreamFacts& facts = opened->facts_;
  const remote::ServerKind* found = remote::FindServerKind(mode);
  if (found == nullptr) return NotFound("[upstream] no server is known for --mode " + mode);
  const remote::ServerKind& kind = parts.KindFor(*found, config);
  Result<remote::RemoteOptions> options = UpstreamOptions(kind, config, environment);
  if (mode == "claude") {
    AC_ASSIGN_OR_RETURN(auto pass, PassThroughFor(config, environment));
    facts.title = "the Claude API at " + pass.base_url;
    parts.pass_through = std::make_unique<remote::PassThrough>(std::move(pass), parts.client);
    // Clients of OpenAI's protocol are translated for, when there is a key to do it with.
    if (options.ok()) {
      parts.backends.push_back(
          std::make_unique<remote::RemoteBackend>(*options, parts.client, parts.timer));
    } else {
      parts.backends.push_back(std::make_unique<NoBackend>());
    }
    return opened;
  }
  if (!options.ok()) return options.status();
  facts.title = std::string(kind.title) + " at " + options->base_url;
  auto remote = std::make_unique<remote::RemoteBackend>(*options, parts.client, parts.timer);
  const Status answer = remote->Refresh(kFirstAnswerTime);
  if (!answer.ok()) facts.warning = answer.message();
  const std::vector<api::ModelInfo> models = remote->Models();
  facts.model = remote::PickModel(kind, options->model, "", models);
  facts.context_length = options->context_window;
  for (const api::ModelInfo& model : models) {
    if (model.id == facts.model && facts.context_length == 0) {
      facts.context_length = model.context_window;
    }
  }
  parts.backends.push_back(std::move(remote));
  return opened;
}

}  // namespace ac::app
