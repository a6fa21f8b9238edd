#include "store/reply_table.h"

#include <gtest/gtest.h>

#include "store/schema.h"
#include "support/temp_dir.h"

namespace ac::store {
namespace {

class ReplyTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = OpenState(FileSystem::Real(), home_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = std::move(opened).value();
  }
  std::optional<std::string> Get(ReplyTable& table, const char* key, int64_t now) {
    auto found = table.Get(key, now);
    EXPECT_TRUE(found.ok()) << found.status();
    return *found;
  }
  const testing::TempDir home_;
  std::unique_ptr<Database> database_;
};

TEST_F(ReplyTableTest, GivesBackWhatWasPut) {
  ReplyTable table(*database_, {});
  EXPECT_FALSE(Get(table, "k", 0).has_value());
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(table.Put("k", bytes, 0).ok());
  EXPECT_EQ(Get(table, "k", 1), bytes);
  ASSERT_TRUE(table.Put("k", "new", 2).ok());
  EXPECT_EQ(Get(table, "k", 3), "new");
}

TEST_F(ReplyTableTest, AnOldReplyIsNotGivenOut) {
  ReplyTable table(*database_, {.max_age_ms = 100});
  ASSERT_TRUE(table.Put("k", "v", 1000).ok());
  EXPECT_TRUE(Get(table, "k", 1100).has_value());
  EXPECT_FALSE(Get(table, "k", 1101).has_value());
}

TEST_F(ReplyTableTest, TheLeastRecentlyUsedGoesFirst) {
  ReplyTable table(*database_, {.max_bytes = 30});
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(table.Put(key, "0123456789", key[0]).ok());
  }
  EXPECT_TRUE(Get(table, "a", 200).has_value());
  ASSERT_TRUE(table.Put("d", "0123456789", 201).ok());
  EXPECT_FALSE(Get(table, "b", 202).has_value());
  for (const char* key : {"a", "c", "d"}) EXPECT_TRUE(Get(table, key, 203).has_value()) << key;
}

TEST_F(ReplyTableTest, AReplyLargerThanTheTableIsNotKept) {
  ReplyTable table(*database_, {.max_bytes = 5});
  ASSERT_TRUE(table.Put("small", "x", 1).ok());
  ASSERT_TRUE(table.Put("large", "0123456789", 2).ok());
  EXPECT_TRUE(Get(table, "small", 3).has_value());
  EXPECT_FALSE(Get(table, "large", 3).has_value());
}

}  // namespace
}  // namespace ac::store
