#include "prompt/token_cache.h"

#include <algorithm>
#include <cstring>

namespace ac::prompt {
namespace {

// A token that ends at a boundary was the longest match there; what decides that lies at most this
// far behind it.
constexpr size_t kMargin = 256;

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  constexpr size_t kBlock = 4096;
  size_t at = 0;
  while (at + kBlock <= size && std::memcmp(a.data() + at, b.data() + at, kBlock) == 0) {
    at += kBlock;
  }
  while (at < size && a[at] == b[at]) ++at;
  return at;
}

}  // namespace

TokenCache::Start TokenCache::Longest(std::string_view text) {
  MutexLock lock(mutex_);
  auto best = prompts_.end();
  size_t longest = 0;
  for (auto it = prompts_.begin(); it != prompts_.end(); ++it) {
    const size_t common = CommonPrefix((*it)->text, text);
    if (common > longest) {
      longest = common;
      best = it;
    }
  }
  if (best == prompts_.end()) return {};
  prompts_.splice(prompts_.begin(), prompts_, best);
  const std::vector<tokenizer::TokenBoundary>& boundaries = prompts_.front()->boundaries;
  const auto end = std::partition_point(
      boundaries.begin(), boundaries.end(),
      [&](const tokenizer::TokenBoundary& b) { return b.byte + kMargin <= longest; });
  return {prompts_.front(), static_cast<size_t>(end - boundaries.begin())};
}

void TokenCache::Insert(std::shared_ptr<const TokenizedPrompt> prompt) {
  MutexLock lock(mutex_);
  bytes_ += prompt->text.size();
  prompts_.push_front(std::move(prompt));
  while (prompts_.size() > kMaxPrompts || (bytes_ > kMaxBytes && prompts_.size() > 1)) {
    bytes_ -= prompts_.back()->text.size();
    prompts_.pop_back();
  }
}

}  // namespace ac::prompt
