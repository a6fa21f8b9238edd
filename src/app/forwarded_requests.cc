#include "app/forwarded_requests.h"

#include <utility>

#include "api/api.h"

namespace ac::app {
namespace {

class ForwardedReply : public remote::ReplyListener {
 public:
  explicit ForwardedReply(gateway::WatchList watches) : watches_(std::move(watches)) {}
  void OnEvent(const chat::ChatEvent& event) override {
    watches_.Event(event, Clock::Real().Now());
  }
  void OnClientGone() override { watches_.End(gateway::Ending::kCancelled, Clock::Real().Now()); }

 private:
  gateway::WatchList watches_;
};

}  // namespace

std::unique_ptr<remote::ReplyListener> ObserveForwarded(
    const std::vector<gateway::RequestObserver*>& observers, const http::Request& request,
    Nanos started) {
  const auto header = [&](std::string_view name) { return std::string(request.headers.Get(name)); };
  const api::RequestHeaders headers{.session_id = header("x-claude-code-session-id"),
                                    .agent_id = header("x-claude-code-agent-id"),
                                    .parent_agent_id = header("x-claude-code-parent-agent-id")};
  const Result<chat::ChatRequest> parsed =
      api::ParseRequest(api::Endpoint::kMessages, request.body, headers);
  if (!parsed.ok()) return nullptr;
  Clock& clock = Clock::Real();
  // The wall's time when it came, from how long ago that is.
  const Nanos wall = clock.WallNow() - (clock.Now() - started);
  return std::make_unique<ForwardedReply>(
      gateway::WatchList(observers, {.endpoint = api::Endpoint::kMessages,
                                     .http = request,
                                     .chat = *parsed,
                                     .wall = wall,
                                     .now = started}));
}

}  // namespace ac::app
