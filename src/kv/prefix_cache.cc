#include "kv/prefix_cache.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

namespace ac::kv {
namespace {

// Recomputing one page costs the weights' products, the same everywhere, plus attention over all
// tokens before it. At this depth the two are equal for the models we serve (perf roofline).
constexpr double kAttentionParityTokens = 16384;
// How much more a page is worth at a place that somebody marked: other prompts will go on there.
constexpr double kKeptWeight = 4;

struct LexicographicLess {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  }
};

template <typename A, typename B>
int CommonPrefix(const A& a, const B& b) {
  const auto end = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < end && a[i] == b[i]) ++i;
  return static_cast<int>(i);
}

}  // namespace

struct PrefixCache::Node {
  using Children = std::map<std::vector<TokenId>, std::unique_ptr<Node>, LexicographicLess>;

  Node* parent = nullptr;
  Children::iterator self;  // in parent->children; its key holds this node's tokens
  PageId page = kNoPage;
  int64_t start = 0;  // position of the first token
  int pins = 0;
  double value = 0;
  double base = 0;         // the floor when it was used last
  int64_t kept_until = 0;  // 0: not marked
  uint64_t serial = 0;     // breaks ties of value in favour of the newer
  Children children;

  std::span<const TokenId> tokens() const { return self->first; }
};

bool PrefixCache::ByValue::operator()(const Node* a, const Node* b) const {
  return a->value != b->value ? a->value < b->value : a->serial < b->serial;
}

PrefixCache::PrefixCache(PagePool& pool)
    : pool_(pool), page_tokens_(pool.layout().page_tokens), root_(std::make_unique<Node>()) {}

PrefixCache::~PrefixCache() {
  // Children first, without recursion: a long prompt is a long path.
  while (!evictable_.empty()) RemoveLeaf(*evictable_.begin());
  assert(root_->children.empty() && "a Lease outlives its cache");
}

PrefixCache::Lease& PrefixCache::Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  Release();
  cache_ = std::exchange(other.cache_, nullptr);
  pinned_ = std::exchange(other.pinned_, nullptr);
  pages_ = std::move(other.pages_);
  partial_page_ = std::exchange(other.partial_page_, kNoPage);
  partial_tokens_ = std::exchange(other.partial_tokens_, 0);
  tokens_ = std::exchange(other.tokens_, 0);
  return *this;
}

void PrefixCache::Lease::Release() {
  if (cache_ != nullptr && pinned_ != nullptr) cache_->Unpin(pinned_);
  cache_ = nullptr;
  pinned_ = nullptr;
  pages_.clear();
  partial_page_ = kNoPage;
  partial_tokens_ = 0;
  tokens_ = 0;
}

// The child that shares most leading tokens with `rest`. In lexicographic order it is a neighbour
// of the place where `rest` would stand.
PrefixCache::Node* PrefixCache::Descend(Node* node, std::span<const TokenId> rest,
                                        int* common) const {
  *common = 0;
  const auto page = rest.first(std::min(rest.size(), static_cast<size_t>(page_tokens_)));
  Node* best = nullptr;
  auto it = node->children.lower_bound(page);
  for (int side = 0; side < 2; ++side) {
    if (side == 1) {
      if (it == node->children.begin()) break;
      --it;
    }
    if (it == node->children.end()) continue;
    const int shared = CommonPrefix(it->first, page);
    if (shared > *common) {
      *common = shared;
      best = it->second.get();
    }
  }
  return best;
}

PrefixCache::Lease PrefixCache::Match(std::span<const TokenId> tokens) {
  Lease lease;
  Node* node = root_.get();
  while (lease.tokens_ < static_cast<int64_t>(tokens.size())) {
    int common = 0;
    Node* child = Descend(node, tokens.subspan(static_cast<size_t>(lease.tokens_)), &common);
    if (child == nullptr) break;
    node = child;
    Touch(node);
    lease.tokens_ += common;
    if (common < page_tokens_) {
      lease.partial_page_ = node->page;
      lease.partial_tokens_ = common;
      break;
    }
    lease.pages_.push_back(node->page);
  }
  if (node != root_.get()) {
    evictable_.erase(node);
    ++node->pins;
    lease.cache_ = this;
    lease.pinned_ = node;
  }
  return lease;
}

PrefixCache::Continuation PrefixCache::Behind(const Lease& lease, size_t most) const {
  Continuation behind;
  const auto add = [&](std::span<const TokenId> tokens) {
    behind.tokens += static_cast<int64_t>(tokens.size());
    const size_t room = std::min(most - behind.next.size(), tokens.size());
    behind.next.insert(behind.next.end(), tokens.begin(), tokens.begin() + static_cast<long>(room));
  };
  const Node* node = lease.pinned_ != nullptr ? lease.pinned_ : root_.get();
  if (lease.partial_tokens() > 0) {
    add(node->tokens().subspan(static_cast<size_t>(lease.partial_tokens())));
  }
  while (!node->children.empty()) {
    node = std::max_element(
               node->children.begin(), node->children.end(),
               [](const auto& a, const auto& b) { return a.second->serial < b.second->serial; })
               ->second.get();
    add(node->tokens());
  }
  return behind;
}

void PrefixCache::Publish(std::span<const TokenId> tokens, std::span<const PageId> pages) {
  assert(pages.size() * static_cast<size_t>(page_tokens_) >= tokens.size());
  Node* node = root_.get();
  for (size_t i = 0; i * static_cast<size_t>(page_tokens_) < tokens.size(); ++i) {
    const size_t start = i * static_cast<size_t>(page_tokens_);
    const auto mine =
        tokens.subspan(start, std::min(static_cast<size_t>(page_tokens_), tokens.size() - start));
    int common = 0;
    Node* child = Descend(node, mine, &common);
    if (child != nullptr && common == static_cast<int>(mine.size())) {
      // The tree has these tokens already, perhaps as part of a fuller page.
      Touch(child);
      node = child;
      continue;
    }
    if (child != nullptr && common == static_cast<int>(child->tokens().size()) &&
        child->pins == 0) {
      RemoveLeaf(child);  // ours says the same and more
    }
    evictable_.erase(node);
    auto [it, inserted] = node->children.emplace(std::vector<TokenId>(mine.begin(), mine.end()),
                                                 std::make_unique<Node>());
    assert(inserted);
    Node* fresh = it->second.get();
    fresh->parent = node;
    fresh->self = it;
    fresh->page = pages[i];
    fresh->start = static_cast<int64_t>(start);
    pool_.AddRef(fresh->page);
    ++page_count_;
    Touch(fresh);
    MakeEvictable(fresh);
    node = fresh;
  }
}

void PrefixCache::Keep(std::span<const TokenId> prefix, int64_t until_s) {
  Node* node = root_.get();
  for (size_t at = 0; at < prefix.size();) {
    int common = 0;
    Node* child = Descend(node, prefix.subspan(at), &common);
    const size_t page = std::min(prefix.size() - at, static_cast<size_t>(page_tokens_));
    if (child == nullptr || common < static_cast<int>(page)) return;
    node = child;
    at += page;
  }
  if (node == root_.get() || node->kept_until >= until_s) return;
  kept_.erase({node->kept_until, node});
  node->kept_until = until_s;
  kept_.emplace(until_s, node);
  SetValue(node);
}

// What was to be kept until now is worth no more than other pages from now on.
void PrefixCache::ForgetKept(int64_t now_s) {
  while (!kept_.empty() && kept_.begin()->first <= now_s) {
    Node* node = kept_.begin()->second;
    kept_.erase(kept_.begin());
    node->kept_until = 0;
    SetValue(node);
  }
}

int PrefixCache::Evict(int count, int64_t now_s) {
  ForgetKept(now_s);
  int freed = 0;
  while (freed < count && !evictable_.empty()) {
    Node* leaf = *evictable_.begin();
    floor_ = leaf->value;
    RemoveLeaf(leaf);
    ++freed;
  }
  return freed;
}

// Gives a node its full value again.
void PrefixCache::Touch(Node* node) {
  const bool listed = evictable_.erase(node) > 0;
  node->base = floor_;
  node->serial = next_serial_++;
  SetValue(node);
  if (listed) evictable_.insert(node);
}

void PrefixCache::SetValue(Node* node) {
  const bool listed = evictable_.erase(node) > 0;
  const double cost = 1.0 + static_cast<double>(node->start) / kAttentionParityTokens;
  const double weight = node->kept_until > 0 ? kKeptWeight : 1;
  node->value =
      node->base + weight * cost * static_cast<double>(node->tokens().size()) / page_tokens_;
  if (listed) evictable_.insert(node);
}

void PrefixCache::MakeEvictable(Node* node) {
  if (node != root_.get() && node->pins == 0 && node->children.empty()) evictable_.insert(node);
}

void PrefixCache::RemoveLeaf(Node* node) {
  assert(node->children.empty() && node->pins == 0);
  evictable_.erase(node);
  kept_.erase({node->kept_until, node});
  pool_.Release(node->page);
  --page_count_;
  Node* parent = node->parent;
  parent->children.erase(node->self);
  MakeEvictable(parent);
}

void PrefixCache::Unpin(Node* node) {
  assert(node->pins > 0);
  --node->pins;
  MakeEvictable(node);
  if (node->pins > 0 || !node->children.empty()) return;
  // A fuller page with the same beginning, published while this one was pinned, stands right behind
  // it in the order of the tokens; then this one is of no more use.
  const auto next = std::next(node->self);
  if (next != node->parent->children.end() &&
      CommonPrefix(next->first, node->tokens()) == static_cast<int>(node->tokens().size())) {
    RemoveLeaf(node);
  }
}

Status PrefixCache::CheckNode(const Node& node, int64_t* count, int64_t* evictable) const {
  const auto broken = [&node](const char* what) {
    return Internal("[kv] node at token " + std::to_string(node.start) + ": " + what);
  };
  for (const auto& [tokens, child] : node.children) {
    if (child->parent != &node) return broken("child points to another parent");
    if (tokens.empty()) return broken("child without tokens");
    if (static_cast<int>(tokens.size()) > page_tokens_) return broken("child larger than a page");
    const int64_t expected = &node == root_.get() ? 0 : node.start + page_tokens_;
    if (child->start != expected) return broken("child starts at the wrong token");
    if (static_cast<int>(tokens.size()) < page_tokens_ && !child->children.empty()) {
      return broken("a part-filled page has children");
    }
    if (child->page == kNoPage || pool_.RefCount(child->page) < 1) return broken("page not owned");
    if (child->pins < 0) return broken("negative pins");
    const bool listed = evictable_.count(const_cast<Node*>(child.get())) > 0;
    if (listed != (child->pins == 0 && child->children.empty())) {
      return broken("eviction list disagrees with pins and children");
    }
    ++*count;
    *evictable += listed ? 1 : 0;
  }
  return OkStatus();
}

Status PrefixCache::CheckIntegrity() const {
  int64_t count = 0;
  int64_t evictable = 0;
  std::vector<const Node*> open = {root_.get()};
  std::vector<PageId> pages;
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    AC_RETURN_IF_ERROR(CheckNode(*node, &count, &evictable));
    for (const auto& [tokens, child] : node->children) {
      open.push_back(child.get());
      pages.push_back(child->page);
    }
  }
  if (count != page_count_) return Internal("[kv] page count is wrong");
  for (const auto& [until, node] : kept_) {
    if (node->kept_until != until) return Internal("[kv] the list of kept pages is wrong");
  }
  if (evictable != static_cast<int64_t>(evictable_.size())) {
    return Internal("[kv] the eviction list holds nodes that are gone");
  }
  std::sort(pages.begin(), pages.end());
  if (std::adjacent_find(pages.begin(), pages.end()) != pages.end()) {
    return Internal("[kv] one page is in the tree twice");
  }
  return OkStatus();
}

}  // namespace ac::kv
