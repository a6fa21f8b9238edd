// Shows how far a long prompt is read, as a thinking block in front of the reply.
//
// A Backend around another, used when the setting visible_prefill is on. For requests that say a
// thinking block of ours is welcome, the inner backend's progress becomes lines such as "Reading
// the prompt: 4096 of 18490 tokens, about 9 s left", at most one a second and none for a prompt
// that is read within a second. The block carries a signature that begins with kPrefillSignature,
// and DropPrefillNotes takes it out of every later request, so that the model never sees it and the
// cached prefix survives. Thread-safe.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"

namespace ac::gateway {

inline constexpr std::string_view kPrefillSignature = "prefill_";

// Removes our notes from a conversation that comes back.
void DropPrefillNotes(chat::ChatRequest* request);

class VisiblePrefill : public backend::Backend {
 public:
  // `inner` and `clock` must outlive this object.
  explicit VisiblePrefill(backend::Backend& inner, Clock& clock = Clock::Real())
      : inner_(inner), clock_(clock) {}

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  backend::Backend& inner_;
  Clock& clock_;
};

}  // namespace ac::gateway
