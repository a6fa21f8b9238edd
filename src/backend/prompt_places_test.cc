#include "backend/prompt_places.h"

#include <gtest/gtest.h>

namespace ac::backend {
namespace {

using prompt::PromptPart;
using PartKind = PromptPart::Kind;

PromptPart Part(PartKind kind, int64_t token, std::string ttl = "") {
  PromptPart part;
  part.kind = kind;
  part.cache_ttl = std::move(ttl);
  part.token = token;
  return part;
}

TEST(PromptPlaces, TheEndOfToolsAndSystemAndTheEndOfTheLastMessageAreWorthKeeping) {
  const std::vector<PromptPart> parts = {Part(PartKind::kSystem, 0), Part(PartKind::kTool, 100),
                                         Part(PartKind::kMessage, 300),
                                         Part(PartKind::kReply, 340)};
  const std::vector<kv::Place> places = PlacesOf(parts, 343);
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0], (kv::Place{300, kv::PlaceKind::kTrunk, kv::kTrunkKeepSeconds}));
  EXPECT_EQ(places[1], (kv::Place{340, kv::PlaceKind::kTurnEnd, 0}));
  EXPECT_EQ(LastMark(parts, 343), 0) << "the client asked for nothing";
}

TEST(PromptPlaces, AClientsMarksStandBehindTheirBlocksForTheirTime) {
  const std::vector<PromptPart> parts = {Part(PartKind::kTool, 0),
                                         Part(PartKind::kSystem, 100, "5m"),
                                         Part(PartKind::kSystem, 150, "1h"),
                                         Part(PartKind::kMessage, 300),
                                         Part(PartKind::kMessage, 320, "1h"),
                                         Part(PartKind::kReply, 340)};
  const std::vector<kv::Place> places = PlacesOf(parts, 343);
  ASSERT_EQ(places.size(), 3u);
  EXPECT_EQ(places[0], (kv::Place{150, kv::PlaceKind::kTurnEnd, 300}));
  EXPECT_EQ(places[1].kind, kv::PlaceKind::kTrunk);
  EXPECT_EQ(places[1].tokens, 300);
  EXPECT_EQ(places[2], (kv::Place{340, kv::PlaceKind::kTurnEnd, 3600}));
  EXPECT_EQ(LastMark(parts, 343), 340);
}

TEST(PromptPlaces, AMarkOnTheSystemPromptCoversToolsThatATemplatePutsBehindIt) {
  const std::vector<PromptPart> parts = {Part(PartKind::kSystem, 0, "5m"),
                                         Part(PartKind::kTool, 100), Part(PartKind::kMessage, 300)};
  EXPECT_EQ(LastMark(parts, 310), 300);
}

TEST(PromptPlaces, AMarkOnTheLastBlockWithoutAKnownReplyHeadIsTheWholePrompt) {
  const std::vector<PromptPart> parts = {Part(PartKind::kMessage, 1, "5m")};
  EXPECT_EQ(LastMark(parts, 20), 20);
  EXPECT_TRUE(PlacesOf({}, 20).empty());
}

}  // namespace
}  // namespace ac::backend
