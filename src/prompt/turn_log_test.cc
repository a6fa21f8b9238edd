#include "prompt/turn_log.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace ac::prompt {
namespace {

constexpr Hash128 kVocabulary{1, 2};

GeneratedTurn Turn(const std::string& id, std::vector<int32_t> tokens) {
  return {.opening = "<open>", .tokens = std::move(tokens), .call_ids = {id}, .text = "said"};
}

chat::Message Echo(const std::string& id) {
  return {
      .role = chat::Role::kAssistant,
      .blocks = {{.value = chat::ToolUse{.id = id, .name = "x", .input = "{}"}, .cache_ttl = ""}}};
}

class TurnLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<TurnLog> Open(GeneratedTurns* turns, Hash128 vocabulary = kVocabulary) {
    auto log = TurnLog::Open(FileSystem::Real(), path_, vocabulary, turns);
    EXPECT_TRUE(log.ok()) << log.status();
    return std::move(log).value();
  }
  ac::testing::TempDir dir_;
  const std::string path_ = JoinPath(dir_.path(), "cache/turns.log");
};

TEST_F(TurnLogTest, TurnsAreThereAfterARestart) {
  GeneratedTurns before;
  const auto log = Open(&before);
  ASSERT_TRUE(log->Append(Turn("a", {1, 2, 3})).ok());
  ASSERT_TRUE(log->Append(Turn("b", {4})).ok());
  GeneratedTurns after;
  Open(&after);
  ASSERT_NE(after.Find(Echo("a")), nullptr);
  EXPECT_EQ(after.Find(Echo("a"))->tokens, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(after.Find(Echo("a"))->opening, "<open>");
  EXPECT_NE(after.Find(Echo("b")), nullptr);
}

TEST_F(TurnLogTest, TwoServersWithOneHomeLoseNoTurnOfEither) {
  GeneratedTurns first_turns;
  GeneratedTurns second_turns;
  auto first = Open(&first_turns);
  auto second = Open(&second_turns);
  EXPECT_NE(first->path(), second->path());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(first->Append(Turn("a" + std::to_string(i), {1, i})).ok());
    ASSERT_TRUE(second->Append(Turn("b" + std::to_string(i), {2, i})).ok());
  }
  first.reset();
  second.reset();
  GeneratedTurns after;
  const auto third = Open(&after);
  EXPECT_EQ(third->path(), path_) << "free again";
  for (int i = 0; i < 20; ++i) {
    EXPECT_NE(after.Find(Echo("a" + std::to_string(i))), nullptr) << i;
    EXPECT_NE(after.Find(Echo("b" + std::to_string(i))), nullptr) << i;
  }
}

TEST_F(TurnLogTest, ARecordCutByACrashIsLeftOutAndWrittenOver) {
  GeneratedTurns turns;
  auto log = Open(&turns);
  ASSERT_TRUE(log->Append(Turn("a", {1})).ok());
  ASSERT_TRUE(log->Append(Turn("b", {2})).ok());
  log.reset();
  std::string bytes = *ReadFile(FileSystem::Real(), path_);
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), path_, bytes.substr(0, bytes.size() - 3)).ok());
  GeneratedTurns second;
  log = Open(&second);
  EXPECT_NE(second.Find(Echo("a")), nullptr);
  EXPECT_EQ(second.Find(Echo("b")), nullptr);
  ASSERT_TRUE(log->Append(Turn("c", {3})).ok());
  GeneratedTurns third;
  Open(&third);
  EXPECT_NE(third.Find(Echo("a")), nullptr);
  EXPECT_NE(third.Find(Echo("c")), nullptr);
}

TEST_F(TurnLogTest, EveryFlippedByteIsNoticed) {
  GeneratedTurns turns;
  auto log = Open(&turns);
  ASSERT_TRUE(log->Append(Turn("a", {1, 2, 3})).ok());
  log.reset();
  const std::string bytes = *ReadFile(FileSystem::Real(), path_);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string broken = bytes;
    broken[i] = static_cast<char>(broken[i] ^ 0x40);
    int seen = 0;
    ParseTurnLog(broken, kVocabulary, [&](GeneratedTurn) { ++seen; });
    EXPECT_EQ(seen, 0) << "byte " << i;
  }
}

TEST_F(TurnLogTest, TokensOfAnotherVocabularyAreNotUsed) {
  GeneratedTurns turns;
  ASSERT_TRUE(Open(&turns)->Append(Turn("a", {1})).ok());
  GeneratedTurns other;
  Open(&other, {3, 4});
  EXPECT_EQ(other.Find(Echo("a")), nullptr);
}

TEST(GeneratedTurns, TheOldestUsedGoFirstWhenTokensAreTooMany) {
  GeneratedTurns turns(/*max_tokens=*/10);
  turns.Remember(Turn("a", {1, 2, 3, 4}));
  turns.Remember(Turn("b", {1, 2, 3, 4}));
  EXPECT_NE(turns.Find(Echo("a")), nullptr);
  turns.Remember(Turn("c", {1, 2, 3, 4}));
  EXPECT_NE(turns.Find(Echo("a")), nullptr);
  EXPECT_EQ(turns.Find(Echo("b")), nullptr);
}

TEST(GeneratedTurns, AnEchoWithACallMissingIsNotTheTurn) {
  GeneratedTurns turns;
  GeneratedTurn turn = Turn("a", {1});
  turn.call_ids = {"a", "b"};
  turns.Remember(turn);
  EXPECT_EQ(turns.Find(Echo("a")), nullptr);
  chat::Message both = Echo("a");
  both.blocks.push_back(Echo("b").blocks[0]);
  EXPECT_NE(turns.Find(both), nullptr);
}

}  // namespace
}  // namespace ac::prompt
