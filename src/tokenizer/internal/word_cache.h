// Words seen earlier in the same call of Encode, with their tokens.
//
// Most words are one token and never come here; the rest repeat a lot inside one text.
// Direct-mapped and bounded: a newer word replaces an older one at its place. Belongs to one call,
// so it needs no lock and can be sized by the length of the text.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace ac::tokenizer::internal {

class WordCache {
 public:
  // 256 KiB at most: stays in the second-level cache, beside the tables it saves from.
  static constexpr size_t kMaxEntries = 4096;

  explicit WordCache(size_t text_size)
      : entries_(std::bit_ceil(std::clamp<size_t>(text_size / 32, 1, kMaxEntries))) {}

  // Appends the word's tokens when it is known.
  bool Find(std::string_view word, uint64_t hash, std::vector<int32_t>* out) const {
    const Entry& entry = entries_[Place(hash)];
    if (entry.length != word.size() || word.empty() ||
        std::memcmp(entry.word, word.data(), word.size()) != 0) {
      return false;
    }
    out->insert(out->end(), entry.ids, entry.ids + entry.count);
    return true;
  }

  void Insert(std::string_view word, uint64_t hash, std::span<const int32_t> ids) {
    if (word.size() > kMaxBytes || ids.size() > kMaxIds) return;
    Entry& entry = entries_[Place(hash)];
    entry.length = static_cast<uint8_t>(word.size());
    entry.count = static_cast<uint8_t>(ids.size());
    std::memcpy(entry.word, word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids);
  }

 private:
  static constexpr size_t kMaxBytes = 30;
  static constexpr size_t kMaxIds = 8;
  struct Entry {  // one cache line
    uint8_t length = 0;
    uint8_t count = 0;
    char word[kMaxBytes] = {};
    int32_t ids[kMaxIds] = {};
  };
  static_assert(sizeof(Entry) == 64);

  size_t Place(uint64_t hash) const { return (hash >> 17) & (entries_.size() - 1); }
  std::vector<Entry> entries_;
};

}  // namespace ac::tokenizer::internal
