// Answers "why did the cache miss since that message?" exactly.
//
// For each reply a short description of its request is kept under the message id: hashes of model,
// tools, system prompt and every message. The next request says which id it follows; the first part
// that differs is the reason. Bounded; thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "chat/chat.h"
#include "chat/event.h"
#include "engine/cache_report.h"

namespace ac::backend {

struct RequestDigest {
  std::string model;
  uint64_t tools = 0;
  uint64_t system = 0;
  std::vector<uint64_t> messages;
  int64_t prompt_tokens = 0;
};
RequestDigest DigestOf(const chat::ChatRequest& request);

class CacheDiagnosis {
 public:
  // `before`: what the client says it follows; `now` this request, `report` what the cache did.
  std::optional<chat::CacheDiagnosis> Diagnose(const std::string& before, const RequestDigest& now,
                                               const engine::CacheReport& report);
  void Remember(const std::string& message_id, RequestDigest digest);

 private:
  static constexpr size_t kMaxMessages = 1024;

  Mutex mutex_;
  std::unordered_map<std::string, RequestDigest> digests_ AC_GUARDED_BY(mutex_);
  std::list<std::string> order_ AC_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace ac::backend
