#include "kv/page_pool.h"

#include <gtest/gtest.h>

#include <cstring>

namespace ac::kv {
namespace {

PageLayout Layout() {
  return {.n_layers = 2, .n_kv_heads = 3, .head_dim = 8, .page_tokens = 4, .type = KvType::kF32};
}

TEST(PageLayout, BlocksTileThePageWithoutGapsOrOverlap) {
  const PageLayout layout = Layout();
  size_t expected = 0;
  for (int layer = 0; layer < 2; ++layer) {
    for (int head = 0; head < 3; ++head, expected += layout.head_bytes()) {
      EXPECT_EQ(layout.key_offset(layer, head), expected);
    }
    for (int head = 0; head < 3; ++head, expected += layout.head_bytes()) {
      EXPECT_EQ(layout.value_offset(layer, head), expected);
    }
  }
  EXPECT_EQ(layout.page_bytes(), expected);
  EXPECT_EQ(layout.token_bytes() * 4, expected);
}

TEST(PagePool, HandsOutEachPageOnceAndTakesItBackAtTheLastReference) {
  Result<PagePool> pool = PagePool::Create(Layout(), 2);
  ASSERT_TRUE(pool.ok()) << pool.status();
  const PageId a = *pool->Allocate();
  const PageId b = *pool->Allocate();
  EXPECT_NE(a, b);
  EXPECT_EQ(pool->Allocate().status().code(), Code::kResourceExhausted);
  pool->AddRef(a);
  pool->Release(a);
  EXPECT_EQ(pool->free_pages(), 0);
  pool->Release(a);
  EXPECT_EQ(pool->free_pages(), 1);
  EXPECT_EQ(*pool->Allocate(), a);
}

TEST(PagePool, CopiesOnlyTheAskedPositionsOfEveryHead) {
  Result<PagePool> pool = PagePool::Create(Layout(), 2);
  ASSERT_TRUE(pool.ok());
  const PageLayout& layout = pool->layout();
  const PageId from = *pool->Allocate();
  const PageId to = *pool->Allocate();
  std::memset(pool->data(from), 1, layout.page_bytes());
  std::memset(pool->data(to), 2, layout.page_bytes());
  pool->CopyTokens(from, to, 3);
  for (size_t i = 0; i < layout.page_bytes(); ++i) {
    const size_t in_head = i % layout.head_bytes();
    const int expected = in_head < 3 * 8 * sizeof(float) ? 1 : 2;
    ASSERT_EQ(static_cast<int>(pool->data(to)[i]), expected) << i;
  }
}

TEST(PagePool, CopiesTheScalesOfTheAskedPositionsToo) {
  PageLayout layout = Layout();
  layout.type = KvType::kQ8;
  EXPECT_EQ(layout.head_bytes(), 4u * 8 + 4 * sizeof(float));
  Result<PagePool> pool = PagePool::Create(layout, 2);
  ASSERT_TRUE(pool.ok());
  const PageId from = *pool->Allocate();
  const PageId to = *pool->Allocate();
  std::memset(pool->data(from), 1, layout.page_bytes());
  std::memset(pool->data(to), 2, layout.page_bytes());
  pool->CopyTokens(from, to, 3);
  for (size_t i = 0; i < layout.page_bytes(); ++i) {
    const size_t in_head = i % layout.head_bytes();
    const bool is_code = in_head < 4 * 8;
    const bool copied = is_code ? in_head < 3 * 8 : in_head < 4 * 8 + 3 * sizeof(float);
    ASSERT_EQ(static_cast<int>(pool->data(to)[i]), copied ? 1 : 2) << i;
  }
}

TEST(PagePool, RefusesImpossibleSizes) {
  EXPECT_EQ(PagePool::Create(Layout(), 0).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ac::kv
