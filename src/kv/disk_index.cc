#include "kv/disk_index.h"

#include <algorithm>

namespace ac::kv {
namespace {

// A page that costs one unit (of the first pages' cost) more to recompute lives an hour longer
// without use. Costs grow with the depth as in the tree in memory.
constexpr double kSecondsPerCost = 3600;
constexpr double kAttentionParityTokens = 16384;

}  // namespace

int64_t DiskIndex::Value(const DiskEntry& entry) const {
  const double cost = (1.0 + static_cast<double>(entry.position) / kAttentionParityTokens) *
                      static_cast<double>(entry.tokens.size()) / page_tokens_;
  return entry.last_use_s + static_cast<int64_t>(kSecondsPerCost * cost);
}

void DiskIndex::Clear() {
  nodes_.clear();
  children_.clear();
  leaves_.clear();
  total_bytes_ = 0;
}

void DiskIndex::Insert(DiskEntry entry) {
  Remove(entry.key);
  const PageKey key = entry.key;
  std::vector<PageKey>& siblings = children_[entry.parent];
  if (siblings.empty()) {
    const auto parent = nodes_.find(entry.parent);
    if (parent != nodes_.end()) leaves_.erase({parent->second.value, entry.parent});
  }
  siblings.push_back(key);
  total_bytes_ += entry.bytes;
  if (const auto own = children_.find(key); own != children_.end()) {
    for (const PageKey& child : own->second) {
      entry.last_use_s = std::max(entry.last_use_s, nodes_.at(child).entry.last_use_s);
    }
  }
  const int64_t value = Value(entry);
  if (IsLeaf(key)) leaves_.emplace(value, key);
  const PageKey parent = entry.parent;
  const int64_t last_use = entry.last_use_s;
  nodes_.emplace(key, Node{std::move(entry), value});
  Touch(parent, last_use);
}

void DiskIndex::Remove(const PageKey& key) {
  const auto it = nodes_.find(key);
  if (it == nodes_.end()) return;
  leaves_.erase({it->second.value, key});
  total_bytes_ -= it->second.entry.bytes;
  const PageKey parent = it->second.entry.parent;
  nodes_.erase(it);
  const auto siblings = children_.find(parent);
  std::erase(siblings->second, key);
  if (!siblings->second.empty()) return;
  children_.erase(siblings);
  const auto up = nodes_.find(parent);
  if (up != nodes_.end()) leaves_.emplace(up->second.value, parent);
}

const DiskEntry* DiskIndex::Find(const PageKey& key) const {
  const auto it = nodes_.find(key);
  return it == nodes_.end() ? nullptr : &it->second.entry;
}

void DiskIndex::Touch(const PageKey& key, int64_t now_s) {
  for (auto it = nodes_.find(key); it != nodes_.end(); it = nodes_.find(it->second.entry.parent)) {
    Node& node = it->second;
    if (node.entry.last_use_s >= now_s) return;  // so are its ancestors
    const bool leaf = leaves_.erase({node.value, it->first}) > 0;
    node.entry.last_use_s = now_s;
    node.value = Value(node.entry);
    if (leaf) leaves_.emplace(node.value, it->first);
  }
}

DiskIndex::Step DiskIndex::BestChild(const PageKey& parent, std::span<const TokenId> rest) const {
  Step best;
  const auto children = children_.find(parent);
  if (children == children_.end() || rest.empty()) return best;
  // The full page with exactly these tokens has a known name; only at a branch is a search needed.
  const size_t page = std::min(rest.size(), static_cast<size_t>(page_tokens_));
  const auto consider = [&](const DiskEntry& entry) {
    const auto end = std::min(page, entry.tokens.size());
    size_t i = 0;
    while (i < end && entry.tokens[i] == rest[i]) ++i;
    if (static_cast<int>(i) > best.tokens) best = {&entry, static_cast<int>(i)};
  };
  if (const DiskEntry* exact = Find(ChildKey(parent, rest.first(page)))) {
    consider(*exact);
    if (best.tokens == static_cast<int>(page)) return best;
  }
  for (const PageKey& key : children->second) consider(nodes_.at(key).entry);
  return best;
}

const DiskEntry* DiskIndex::LeastValuable(const PageKey& kept) const {
  for (const auto& [value, key] : leaves_) {
    if (key != kept) return Find(key);
  }
  return nullptr;
}

std::vector<std::vector<PageKey>> DiskIndex::MostValuable(int64_t max_pages) const {
  std::vector<std::vector<PageKey>> chosen;
  std::set<PageKey, KeyLess> taken;
  for (auto leaf = leaves_.rbegin(); leaf != leaves_.rend(); ++leaf) {
    std::vector<PageKey> path;
    int64_t fresh = 0;
    PageKey key = leaf->second;
    while (const DiskEntry* entry = Find(key)) {
      path.push_back(key);
      if (!taken.contains(key)) ++fresh;
      key = entry->parent;
    }
    if (key != kRootKey) continue;  // a page on the way is missing
    const auto room = max_pages - static_cast<int64_t>(taken.size());
    std::reverse(path.begin(), path.end());
    // The beginning of a prefix is worth having without its end.
    while (fresh > room && !path.empty()) {
      if (!taken.contains(path.back())) --fresh;
      path.pop_back();
    }
    if (fresh == 0) continue;
    taken.insert(path.begin(), path.end());
    chosen.push_back(std::move(path));
    if (static_cast<int64_t>(taken.size()) >= max_pages) break;
  }
  return chosen;
}

}  // namespace ac::kv
