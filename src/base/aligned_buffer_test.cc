#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

namespace ac {
namespace {

TEST(AlignedBuffer, IsAlignedAndZeroAtEverySize) {
  for (const size_t size : {1u, 2u, 15u, 16u, 17u, 63u, 64u, 65u, 1000u}) {
    AlignedBuffer<float> buffer(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kBufferAlignment, 0u);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(std::accumulate(buffer.span().begin(), buffer.span().end(), 0.0f), 0.0f);
  }
}

TEST(AlignedBuffer, EmptyHoldsNothing) {
  const AlignedBuffer<int> buffer(0);
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.span().empty());
}

TEST(AlignedBuffer, ResizeZeroesAndEnsureSizeNeverShrinks) {
  AlignedBuffer<int> buffer(4);
  buffer[3] = 7;
  buffer.EnsureSize(2);
  EXPECT_EQ(buffer.size(), 4u);
  EXPECT_EQ(buffer[3], 7);
  buffer.Resize(4);
  EXPECT_EQ(buffer[3], 0);
  buffer.EnsureSize(100);
  EXPECT_EQ(buffer.size(), 100u);
}

TEST(AlignedBuffer, AMovedFromBufferIsEmpty) {
  AlignedBuffer<int> from(8);
  from[0] = 5;
  AlignedBuffer<int> to = std::move(from);
  EXPECT_EQ(to[0], 5);
  EXPECT_EQ(from.size(), 0u);  // NOLINT(bugprone-use-after-move): the promise under test
  from = std::move(to);
  EXPECT_EQ(from.size(), 8u);
  EXPECT_TRUE(to.span().empty());  // NOLINT(bugprone-use-after-move)
}

TEST(AlignedBuffer, ASizeThatOverflowsIsOutOfMemoryNotASmallBuffer) {
  AlignedBuffer<double> buffer;
  EXPECT_THROW(buffer.Resize(SIZE_MAX / 4), std::bad_alloc);
}

}  // namespace
}  // namespace ac
