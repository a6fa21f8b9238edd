#include "backend/cache_diagnosis.h"

#include <algorithm>
#include <string_view>

#include "base/hash.h"

namespace ac::backend {
namespace {

// Of the cache, at most: a partly filled page may be computed again.
constexpr int64_t kPageTokens = 64;

// Chains the texts of blocks; marks of caching are no content.
uint64_t HashBlocks(const std::vector<chat::Block>& blocks, uint64_t hash) {
  for (const chat::Block& block : blocks) {
    hash = Hash64(std::string_view("block"), hash + block.value.index());
    if (const auto* text = block.As<chat::Text>()) hash = Hash64(text->text, hash);
    if (const auto* thinking = block.As<chat::Thinking>()) hash = Hash64(thinking->text, hash);
    if (const auto* image = block.As<chat::Image>()) hash = Hash64(image->data + image->url, hash);
    if (const auto* file = block.As<chat::Document>()) hash = Hash64(file->data + file->url, hash);
    // The id names the call; clients spell its input in their own way.
    if (const auto* use = block.As<chat::ToolUse>()) hash = Hash64(use->id, hash);
    if (const auto* reference = block.As<chat::ToolReference>()) {
      hash = Hash64(reference->tool_name, hash);
    }
    if (const auto* result = block.As<chat::ToolResult>()) {
      hash = HashBlocks(result->content, Hash64(result->tool_use_id, hash));
    }
  }
  return hash;
}

}  // namespace

RequestDigest DigestOf(const chat::ChatRequest& request) {
  RequestDigest digest{.model = request.model};
  for (const chat::ToolSpec& tool : request.tools) {
    // A deferred tool is not in the head of the prompt: loading one changes nothing there.
    if (tool.defer_loading) continue;
    digest.tools = Hash64(tool.name, digest.tools);
    digest.tools = Hash64(tool.description, digest.tools);
    digest.tools = Hash64(tool.input_schema, digest.tools);
  }
  digest.system = HashBlocks(request.system, 0);
  for (const chat::Message& message : request.messages) {
    digest.messages.push_back(HashBlocks(message.blocks, static_cast<uint64_t>(message.role)));
  }
  return digest;
}

std::optional<chat::CacheDiagnosis> CacheDiagnosis::Diagnose(const std::string& before,
                                                             const RequestDigest& now,
                                                             const engine::CacheReport& report) {
  if (before.empty()) return std::nullopt;
  MutexLock lock(mutex_);
  const auto found = digests_.find(before);
  if (found == digests_.end()) return chat::CacheDiagnosis{.reason = "previous_message_not_found"};
  const RequestDigest& then = found->second;
  const int64_t cached = report.prompt_tokens - report.computed();
  chat::CacheDiagnosis diagnosis{.missed_tokens =
                                     report.divergence.has_value()
                                         ? report.divergence->lost
                                         : std::max<int64_t>(0, then.prompt_tokens - cached)};
  const bool goes_on = then.messages.size() <= now.messages.size() &&
                       std::equal(then.messages.begin(), then.messages.end(), now.messages.begin());
  // The head of a prompt comes first: what differs there explains all that is behind it.
  if (then.model != now.model) {
    diagnosis.reason = "model_changed";
  } else if (then.tools != now.tools) {
    diagnosis.reason = "tools_changed";
  } else if (then.system != now.system) {
    diagnosis.reason = "system_changed";
  } else if (!goes_on) {
    diagnosis.reason = "messages_changed";
  } else if (cached + kPageTokens < then.prompt_tokens) {
    diagnosis.reason = "unavailable";  // nothing changed: its pages were needed for others
  }
  return diagnosis;
}

void CacheDiagnosis::Remember(const std::string& message_id, RequestDigest digest) {
  MutexLock lock(mutex_);
  digests_[message_id] = std::move(digest);
  order_.push_back(message_id);
  if (order_.size() <= kMaxMessages) return;
  digests_.erase(order_.front());
  order_.pop_front();
}

}  // namespace ac::backend
