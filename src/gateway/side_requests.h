// Answers the requests of a client whose answer is mechanical, instead of waking a model for them.
//
// A Backend around another: what it does not answer itself goes on unchanged. Each kind can be
// switched off and is counted (anyclaude_side_requests_total). Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "obs/metrics.h"

namespace ac::gateway {

struct SideRequestRules {
  bool quota = true;       // the one-token request that asks whether the key works
  bool title = true;       // a title for the conversation: the first words of what the user wrote
  bool suggestion = true;  // what the user might type next: nothing
};

enum class SideRequest { kQuota, kTitle, kSuggestion };
std::string_view SideRequestName(SideRequest kind);  // "quota", "title", "suggestion"

// Nothing for an ordinary request.
std::optional<SideRequest> ClassifySideRequest(const chat::ChatRequest& request);
// The first words of the user's text, without markup, as a title.
std::string TitleFor(const chat::ChatRequest& request);

class SideRequests : public backend::Backend {
 public:
  // `inner` and `metrics` must outlive this object.
  SideRequests(backend::Backend& inner, SideRequestRules rules, obs::Metrics& metrics);

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  bool IsOn(SideRequest kind) const;

  backend::Backend& inner_;
  const SideRequestRules rules_;
  obs::Metrics& metrics_;
};

}  // namespace ac::gateway
