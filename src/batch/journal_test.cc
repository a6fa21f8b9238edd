#include "batch/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace ac::batch {
namespace {

using ac::testing::TempDir;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<Journal> Open(bool resume = true) {
    Result<std::unique_ptr<Journal>> journal = Journal::Open(fs_, path_, items_, resume);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? std::move(*journal) : nullptr;
  }
  static Outcome Good(std::string output) {
    return {.ok = true,
            .input_tokens = 5,
            .cached_tokens = 3,
            .output_tokens = 2,
            .output = std::move(output)};
  }

  TempDir directory_;
  FileSystem& fs_ = FileSystem::Real();
  const std::string path_ = directory_ / "out.jsonl.journal";
  const std::string output_ = directory_ / "out.jsonl";
  std::vector<Item> items_ = *ReadItems("one\ntwo\nthree", {});
};

TEST_F(JournalTest, ResultsAreWrittenInTheOrderOfTheInput) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(items_[2], Good("C")).ok());
  ASSERT_TRUE(journal->Append(items_[0], Good("A")).ok());
  ASSERT_TRUE(journal->Append(items_[1], {.ok = false, .output = "B\"\n"}).ok());
  ASSERT_TRUE(journal->WriteOutput(items_, output_).ok());
  EXPECT_EQ(*ReadFile(fs_, output_), "A\nB\"\n\nC\n");
  EXPECT_FALSE(fs_.Exists(path_));
}

TEST_F(JournalTest, ALaterRunKnowsWhatIsDone) {
  ASSERT_TRUE(Open()->Append(items_[1], Good("B")).ok());
  const auto journal = Open();
  EXPECT_FALSE(journal->IsDone(items_[0]));
  EXPECT_TRUE(journal->IsDone(items_[1]));
  EXPECT_EQ(journal->totals().answered, 1);
  EXPECT_EQ(journal->totals().input_tokens, 5);
  EXPECT_EQ(journal->totals().cached_tokens, 3);
  EXPECT_EQ(journal->totals().output_tokens, 2);
}

TEST_F(JournalTest, CutAtAnyByteItHoldsWholeLinesOnly) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Append(items_[0], Good("A")).ok());
    ASSERT_TRUE(journal->Append(items_[1], Good("B")).ok());
  }
  const std::string whole = *ReadFile(fs_, path_);
  for (size_t size = 0; size <= whole.size(); ++size) {
    ASSERT_TRUE(WriteFileAtomic(fs_, path_, whole.substr(0, size)).ok());
    const auto journal = Open();
    ASSERT_NE(journal, nullptr) << size;
    for (int i = 0; i < 3; ++i) {
      if (!journal->IsDone(items_[i])) {
        ASSERT_TRUE(
            journal->Append(items_[i], Good(std::string(1, static_cast<char>('A' + i)))).ok());
      }
    }
    ASSERT_TRUE(journal->WriteOutput(items_, output_).ok());
    ASSERT_EQ(*ReadFile(fs_, output_), "A\nB\nC\n") << size;
  }
}

TEST_F(JournalTest, WithoutResumeAnEarlierRunIsNotTouched) {
  Open();
  const auto again = Journal::Open(fs_, path_, items_, /*resume=*/false);
  EXPECT_EQ(again.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(again.status().message(), HasSubstr("--resume"));
}

TEST_F(JournalTest, ResultsOfAnotherInputAreRefused) {
  ASSERT_TRUE(Open()->Append(items_[1], Good("B")).ok());
  items_ = *ReadItems("one\nTWO\nthree", {});
  EXPECT_EQ(Journal::Open(fs_, path_, items_, true).status().code(), Code::kFailedPrecondition);
}

TEST_F(JournalTest, AnotherFileIsRefused) {
  ASSERT_TRUE(
      WriteFileAtomic(fs_, path_, "{\"format\":\"other\"}\nmore\n" + std::string(60, 'x')).ok());
  EXPECT_EQ(Journal::Open(fs_, path_, items_, true).status().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace ac::batch
