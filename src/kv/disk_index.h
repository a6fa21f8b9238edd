// What the disk tier holds, in memory: a tree of entries found by key, matched by tokens.
//
// Entries mirror files; the store adds one when a file appeared and removes it when the file is
// gone or bad. A child whose parent is missing is kept (the parent may be written again) but cannot
// be reached by a match. No locks: the store guards it.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kv/page_file.h"

namespace ac::kv {

struct DiskEntry {
  PageKey key;
  PageKey parent;
  int64_t position = 0;
  std::vector<TokenId> tokens;  // fewer than a page holds only in a leaf
  uint64_t bytes = 0;           // of the file
  int64_t last_use_s = 0;       // since the epoch; of a marked place, until when it is kept
};

class DiskIndex {
 public:
  explicit DiskIndex(int page_tokens) : page_tokens_(page_tokens) {}

  void Clear();
  // Replaces an entry of the same key.
  void Insert(DiskEntry entry);
  void Remove(const PageKey& key);
  const DiskEntry* Find(const PageKey& key) const;
  // Marks as used; ancestors are as recent as their youngest descendant.
  void Touch(const PageKey& key, int64_t now_s);

  struct Step {
    const DiskEntry* entry = nullptr;
    int tokens = 0;  // of the entry, that match; all of them except perhaps in the last step
  };
  // The child of `parent` that shares most leading tokens with `rest`; entry null when none shares.
  Step BestChild(const PageKey& parent, std::span<const TokenId> rest) const;

  // The entry to lose next: without children, worth least, and not `kept`. Null when there is none.
  const DiskEntry* LeastValuable(const PageKey& kept) const;
  // Whole prefixes, most valuable first, as the keys of their pages from the root: at most
  // `max_pages` different pages in all.
  std::vector<std::vector<PageKey>> MostValuable(int64_t max_pages) const;

  uint64_t total_bytes() const { return total_bytes_; }
  size_t size() const { return nodes_.size(); }

 private:
  struct KeyHash {
    size_t operator()(const PageKey& key) const { return static_cast<size_t>(key.low); }
  };
  struct KeyLess {
    bool operator()(const PageKey& a, const PageKey& b) const {
      return a.high != b.high ? a.high < b.high : a.low < b.low;
    }
  };
  struct Node {
    DiskEntry entry;
    int64_t value = 0;
  };
  using Ranked = std::pair<int64_t, PageKey>;  // value first
  struct RankLess {
    bool operator()(const Ranked& a, const Ranked& b) const {
      return a.first != b.first ? a.first < b.first : KeyLess()(a.second, b.second);
    }
  };

  bool IsLeaf(const PageKey& key) const { return !children_.contains(key); }
  int64_t Value(const DiskEntry& entry) const;

  const int page_tokens_;
  std::unordered_map<PageKey, Node, KeyHash> nodes_;
  // Also of parents that are not here (the root, and what was lost).
  std::unordered_map<PageKey, std::vector<PageKey>, KeyHash> children_;
  std::set<Ranked, RankLess> leaves_;
  uint64_t total_bytes_ = 0;
};

}  // namespace ac::kv
