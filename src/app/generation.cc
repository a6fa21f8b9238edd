#include "app/generation.h"

#include <future>
#include <utility>

namespace ac::app {
namespace {

class WaitingSink : public engine::TokenSink {
 public:
  WaitingSink(std::function<void(std::string_view)> on_text,
              std::function<void(int64_t, int64_t)> on_progress)
      : on_text_(std::move(on_text)), on_progress_(std::move(on_progress)) {}

  void OnStart(const engine::CacheReport&) override {}
  void OnProgress(int64_t done, int64_t total) override {
    if (on_progress_) on_progress_(done, total);
  }
  void OnToken(const engine::TokenEvent& event) override {
    if (on_text_ && !event.text.empty()) on_text_(event.text);
    result_.tokens.push_back(event);
  }
  void OnFinish(const engine::FinishInfo& info) override {
    if (on_text_ && !info.text.empty()) on_text_(info.text);
    result_.finish = info;
    promise_.set_value(std::move(result_));
  }

  std::future<Generated> future() { return promise_.get_future(); }

 private:
  const std::function<void(std::string_view)> on_text_;
  const std::function<void(int64_t, int64_t)> on_progress_;
  Generated result_;
  std::promise<Generated> promise_;
};

}  // namespace

Result<Generated> GenerateAndWait(engine::Engine& engine, engine::GenerateRequest request,
                                  std::function<void(std::string_view)> on_text,
                                  std::function<void(int64_t, int64_t)> on_progress) {
  auto sink = std::make_shared<WaitingSink>(std::move(on_text), std::move(on_progress));
  std::future<Generated> future = sink->future();
  AC_RETURN_IF_ERROR(engine.Submit(std::move(request), sink).status());
  Generated generated = future.get();
  if (generated.finish.reason == engine::FinishReason::kFailed ||
      generated.finish.reason == engine::FinishReason::kCancelled) {
    return generated.finish.status;
  }
  return generated;
}

}  // namespace ac::app
