#include "speculation/ngram_index.h"

#include <algorithm>

namespace ac::speculation {
namespace {

// Places looked at in one search: common n-grams (indentation, brackets) occur thousands of times.
constexpr int kMaxPlaces = 48;
constexpr size_t kFirstSlots = 1024;

}  // namespace

size_t NgramIndex::Slot(std::span<const int32_t> tokens, int64_t end) const {
  uint64_t hash = 0;
  for (int i = 1; i <= kMinLength; ++i) {
    const auto token = static_cast<uint32_t>(tokens[static_cast<size_t>(end - i)]);
    hash = (hash + token + 1) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return static_cast<size_t>(hash) & (heads_.size() - 1);
}

void NgramIndex::Insert(std::span<const int32_t> tokens, int64_t end) {
  int32_t& head = heads_[Slot(tokens, end)];
  previous_[static_cast<size_t>(end)] = head;
  head = static_cast<int32_t>(end);
}

void NgramIndex::Extend(std::span<const int32_t> tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  auto end = static_cast<int64_t>(previous_.size());
  if (heads_.size() < tokens.size() || heads_.empty()) {
    size_t slots = std::max(heads_.size(), kFirstSlots);
    while (slots < tokens.size()) slots *= 2;
    heads_.assign(slots, 0);
    end = 0;
  }
  previous_.resize(tokens.size());
  // The last token is left out: nothing is known to follow it.
  for (end = std::max<int64_t>(end, kMinLength); end < count; ++end) Insert(tokens, end);
}

NgramIndex::Match NgramIndex::Find(std::span<const int32_t> tokens) const {
  const auto count = static_cast<int64_t>(tokens.size());
  Match best;
  if (count <= kMinLength || heads_.empty()) return best;
  int32_t place = heads_[Slot(tokens, count)];
  for (int looked = 0; place != 0 && looked < kMaxPlaces; ++looked) {
    const int64_t most = std::min<int64_t>(place, kMaxLength);
    int length = 0;
    while (length < most && tokens[static_cast<size_t>(place - 1 - length)] ==
                                tokens[static_cast<size_t>(count - 1 - length)]) {
      ++length;
    }
    if (length >= kMinLength && length > best.length) {
      best = {place, length};
      if (length == kMaxLength) break;
    }
    place = previous_[static_cast<size_t>(place)];
  }
  return best;
}

}  // namespace ac::speculation
