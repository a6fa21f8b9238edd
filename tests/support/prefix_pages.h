// Pages whose content can be told from the tokens they stand for, to write to and read from a disk
// store: every byte of a page depends on all tokens up to its last.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/hash.h"
#include "kv/disk_store.h"
#include "kv/page_pool.h"

namespace ac::testing {

class PrefixPages {
 public:
  static kv::PageLayout Layout(int head_dim = 16) {
    return {.n_layers = 2, .n_kv_heads = 1, .head_dim = head_dim, .page_tokens = 4};
  }
  explicit PrefixPages(int64_t pages, const kv::PageLayout& layout = Layout())
      : pool_(kv::PagePool::Create(layout, pages).value()) {}

  kv::PagePool& pool() { return pool_; }
  int64_t free_pages() const { return pool_.free_pages(); }

  // Offers the prefix and waits until it is written.
  void Write(kv::DiskStore& store, std::span<const kv::TokenId> tokens,
             std::span<const kv::Place> places = {}) {
    std::vector<kv::PageId> pages;
    for (size_t at = 0; at < tokens.size(); at += PageTokens()) {
      pages.push_back(pool_.Allocate().value());
      Fill(pages.back(), tokens.first(std::min(tokens.size(), at + PageTokens())));
    }
    for (const kv::PageId page : store.Offer(tokens, pages, pool_, places)) pool_.AddRef(page);
    for (const kv::PageId page : pages) pool_.Release(page);
    store.Flush();
    for (const kv::PageId page : store.TakeWritten()) pool_.Release(page);
  }

  // How many leading tokens the store gives back. What it gives back must be right.
  int64_t Read(kv::DiskStore& store, std::span<const kv::TokenId> tokens,
               kv::RestoreOrder order = kv::RestoreOrder::kPages) {
    const kv::DiskMatch match = store.Match(tokens, 0);
    std::vector<kv::PageId> pages;
    std::vector<std::byte*> destinations;
    for (size_t i = 0; i < match.pages.size(); ++i) {
      pages.push_back(pool_.Allocate().value());
      std::memset(pool_.data(pages.back()), 0xEE, pool_.layout().page_bytes());
      destinations.push_back(pool_.data(pages.back()));
    }
    const auto restore = store.StartRestore(match, destinations, order);
    const bool came =
        order == kv::RestoreOrder::kPages || restore->WaitForLayers(pool_.layout().n_layers);
    restore->Wait();
    EXPECT_EQ(came || restore->pages() < match.pages.size(), true);
    if (order == kv::RestoreOrder::kLayers) {
      EXPECT_EQ(came, restore->pages() == match.pages.size());
    }
    int64_t total = 0;
    for (size_t i = 0; i < restore->pages(); ++i) {
      const kv::DiskMatch::Page& page = match.pages[i];
      std::vector<kv::TokenId> whole(tokens.begin(), tokens.begin() + page.position);
      whole.insert(whole.end(), page.tokens.begin(), page.tokens.end());
      EXPECT_TRUE(Holds(pages[i], whole)) << "page at token " << page.position;
      total += page.use;
    }
    for (const kv::PageId page : pages) pool_.Release(page);
    return total;
  }

 private:
  size_t PageTokens() const { return static_cast<size_t>(pool_.layout().page_tokens); }

  std::vector<uint64_t> Content(std::span<const kv::TokenId> prefix) const {
    std::vector<uint64_t> words(pool_.layout().page_bytes() / sizeof(uint64_t));
    const uint64_t seed = Hash64(prefix.data(), prefix.size_bytes());
    for (size_t i = 0; i < words.size(); ++i) words[i] = seed + i * 0x9E3779B97F4A7C15u;
    return words;
  }
  void Fill(kv::PageId page, std::span<const kv::TokenId> prefix) {
    const std::vector<uint64_t> words = Content(prefix);
    std::memcpy(pool_.data(page), words.data(), words.size() * sizeof(uint64_t));
  }
  bool Holds(kv::PageId page, std::span<const kv::TokenId> prefix) const {
    const std::vector<uint64_t> words = Content(prefix);
    return std::memcmp(pool_.data(page), words.data(), words.size() * sizeof(uint64_t)) == 0;
  }

  kv::PagePool pool_;
};

}  // namespace ac::testing
