// Remembers which token prefixes have their keys and values in the page pool.
//
// A tree whose every node is one page: its tokens (as many as a page holds; fewer only in a leaf)
// and the page itself. A prompt is matched token by token, so two conversations that differ in the
// middle of a page still share the pages before it, and the common part of that page can be copied.
//
// Ownership: the tree holds one reference to each of its pages; sequences hold their own. Evicting
// a node drops the tree's reference only. A Lease pins the matched path until it is destroyed.
// Thread-safety: none; the engine thread owns the cache.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "kv/page_pool.h"

namespace ac::kv {

using TokenId = int32_t;

class PrefixCache {
 public:
  struct Node;

  // The longest cached prefix of a prompt, pinned while the lease lives.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { Release(); }

    // Tokens covered: all of `pages` full, plus `partial_tokens` of `partial_page`.
    int64_t tokens() const { return tokens_; }
    std::span<const PageId> pages() const { return pages_; }
    // A page whose first tokens match and whose rest belongs to another conversation: copy, then
    // write behind the copy.
    PageId partial_page() const { return partial_page_; }
    int partial_tokens() const { return partial_tokens_; }

    void Release();

   private:
    friend class PrefixCache;
    PrefixCache* cache_ = nullptr;
    Node* pinned_ = nullptr;  // the deepest node used; its ancestors are pinned through it
    std::vector<PageId> pages_;
    PageId partial_page_ = kNoPage;
    int partial_tokens_ = 0;
    int64_t tokens_ = 0;
  };

  // `pool` must outlive the cache.
  explicit PrefixCache(PagePool& pool);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  Lease Match(std::span<const TokenId> tokens);

  // What the tree holds behind a match, on the branch used last: how many tokens, and the first of
  // them. Nothing when the match ends where the cached conversation ends.
  struct Continuation {
    int64_t tokens = 0;
    std::vector<TokenId> next;  // at most `most`
  };
  Continuation Behind(const Lease& lease, size_t most) const;

  // Remembers `tokens` with the pages that hold them (ceil(tokens / page_tokens) of them). Pages
  // the tree already has under the same tokens are kept; the caller's duplicates are simply not
  // taken. A last page that is not full may be published only by a caller that writes no more into
  // it.
  void Publish(std::span<const TokenId> tokens, std::span<const PageId> pages);

  // The page in which `prefix` ends (if the tree holds it) is worth several others, and with it all
  // that it stands on, until the clock of Evict() says `until_s`. O(length of the prefix).
  void Keep(std::span<const TokenId> prefix, int64_t until_s);

  // Drops unpinned leaves, least valuable first, until `count` references were given back or
  // nothing more may go. Returns how many pages the tree let go. O(log n) each. `now_s`: what
  // Keep() asked for until then is over.
  int Evict(int count, int64_t now_s = 0);

  // Every page of the tree, unpinned or not.
  int64_t page_count() const { return page_count_; }

  // Verifies every invariant; the message names the first one broken.
  Status CheckIntegrity() const;

 private:
  struct ByValue {
    bool operator()(const Node* a, const Node* b) const;
  };

  Node* Descend(Node* node, std::span<const TokenId> rest, int* common) const;
  void Touch(Node* node);
  void SetValue(Node* node);
  void ForgetKept(int64_t now_s);
  void MakeEvictable(Node* node);
  void RemoveLeaf(Node* node);
  void Unpin(Node* node);
  Status CheckNode(const Node& node, int64_t* count, int64_t* evictable) const;

  PagePool& pool_;
  const int page_tokens_;
  std::unique_ptr<Node> root_;
  // Unpinned leaves, least valuable first. Value follows GreedyDual: the cost of recomputing the
  // page (which grows with its depth) on top of the value of what was evicted last, so that old
  // pages sink relative to new ones without being touched.
  std::set<Node*, ByValue> evictable_;
  double floor_ = 0;
  std::set<std::pair<int64_t, Node*>> kept_;  // until when, soonest first
  uint64_t next_serial_ = 1;
  int64_t page_count_ = 0;
};

}  // namespace ac::kv
