// Gives the stored reply to a request that was answered before, for requests whose answer is
// determined by their text.
//
// A Backend around another. By default only side requests qualify: temperature 0, no tools. The key
// is everything the answer depends on, what answers, and who asks: a caller never gets the reply to
// another one's key. Stored replies live in state.db, with limits of size and age. Looking up and
// storing happen on a thread of its own. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/task_queue.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "obs/metrics.h"
#include "store/database.h"
#include "store/reply_table.h"

namespace ac::gateway {

enum class ReplyCachePolicy {
  kOff,
  kSide,  // temperature 0 and no tools
  kAll,   // temperature 0, tools too, as long as the reply calls none
};
Result<ReplyCachePolicy> ParseReplyCachePolicy(std::string_view text);  // off, side, all

// Whether the policy allows to keep a reply to this request.
bool IsCacheable(ReplyCachePolicy policy, const chat::ChatRequest& request);
// `scope` names what answers: mode, model, version.
std::string ReplyKey(std::string_view scope, const chat::ChatRequest& request);

struct ReplyCacheOptions {
  ReplyCachePolicy policy = ReplyCachePolicy::kSide;
  store::ReplyLimits limits;
  std::string scope;
};

class ReplyCache : public backend::Backend {
 public:
  // `inner`, `metrics` and `clock` must outlive this object.
  static Result<std::unique_ptr<ReplyCache>> Create(FileSystem& fs, const std::string& home,
                                                    backend::Backend& inner,
                                                    ReplyCacheOptions options,
                                                    obs::Metrics& metrics,
                                                    Clock& clock = Clock::Real());
  ~ReplyCache() override;

  std::unique_ptr<backend::Call> Start(chat::ChatRequest request,
                                       std::shared_ptr<chat::ChatSink> sink) override;
  void CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) override;
  std::vector<api::ModelInfo> Models() const override;

 private:
  class CachedCall;
  class StoringSink;
  ReplyCache(std::unique_ptr<store::Database> database, backend::Backend& inner,
             ReplyCacheOptions options, obs::Metrics& metrics, Clock& clock);

  // On the cache's own thread.
  std::optional<std::string> Find(const std::string& key);
  void Store(const std::string& key, const std::string& body);
  int64_t NowMs() const;

  backend::Backend& inner_;
  const ReplyCacheOptions options_;
  Clock& clock_;
  const obs::Counter hits_;
  const obs::Counter misses_;
  const std::unique_ptr<store::Database> database_;  // of the thread
  store::ReplyTable table_;
  backend::TaskQueue thread_;  // last: what it runs uses the rest
};

}  // namespace ac::gateway
