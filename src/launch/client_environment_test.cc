#include "launch/client_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace ac::launch {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::map<std::string, std::string> AsMap(const Variables& variables) {
  return {variables.begin(), variables.end()};
}

const ClientSetup kLocal{
    .url = "http://127.0.0.1:5", .model_id = "anthropic-local-m", .context_length = 131072};

TEST(ClientEnvironment, ALocalModelGetsAddressKeyModelWindowAndTimeouts) {
  auto variables = AsMap(ClientVariables(kLocal));
  EXPECT_EQ(variables["ANTHROPIC_BASE_URL"], "http://127.0.0.1:5");
  EXPECT_EQ(variables["ANTHROPIC_AUTH_TOKEN"], "local");
  EXPECT_EQ(variables["ANTHROPIC_MODEL"], "anthropic-local-m");
  EXPECT_EQ(variables["ANTHROPIC_DEFAULT_HAIKU_MODEL"], "anthropic-local-m");
  EXPECT_EQ(variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"], "131072");
  EXPECT_EQ(variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"], "16384");
  EXPECT_EQ(variables["CLAUDE_CODE_ATTRIBUTION_HEADER"], "0");
  EXPECT_EQ(variables["CLAUDE_STREAM_IDLE_TIMEOUT_MS"], "1800000");
}

TEST(ClientEnvironment, ASmallWindowLeavesRoomToCompact) {
  ClientSetup setup = kLocal;
  setup.context_length = 32768;
  auto variables = AsMap(ClientVariables(setup));
  EXPECT_EQ(variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"], "4096");
}

TEST(ClientEnvironment, AnUnknownWindowIsNotInvented) {
  ClientSetup setup = kLocal;
  setup.context_length = 0;
  EXPECT_FALSE(AsMap(ClientVariables(setup)).contains("CLAUDE_CODE_MAX_CONTEXT_TOKENS"));
}

TEST(ClientEnvironment, PassThroughChangesTheAddressAlone) {
  ClientSetup setup = kLocal;
  setup.pass_through = true;
  EXPECT_THAT(ClientVariables(setup),
              ElementsAre(std::pair<std::string, std::string>("ANTHROPIC_BASE_URL", setup.url)));
}

TEST(ClientEnvironment, ValuesOfTheUserWin) {
  const auto merged = MergeEnvironment(ClientVariables(kLocal),
                                       {"PATH=/bin", "ANTHROPIC_MODEL=mine", "API_TIMEOUT_MS=5"});
  EXPECT_THAT(merged.entries, Contains("ANTHROPIC_MODEL=mine"));
  EXPECT_THAT(merged.entries, Not(Contains("ANTHROPIC_MODEL=anthropic-local-m")));
  EXPECT_THAT(merged.entries, Contains("API_TIMEOUT_MS=5"));
  EXPECT_THAT(merged.entries, Contains("PATH=/bin"));
  EXPECT_THAT(merged.kept, ElementsAre("ANTHROPIC_MODEL", "API_TIMEOUT_MS"));
}

TEST(ClientEnvironment, TheAddressIsAlwaysOurs) {
  const auto merged =
      MergeEnvironment(ClientVariables(kLocal), {"ANTHROPIC_BASE_URL=https://elsewhere.example"});
  EXPECT_THAT(merged.entries, Contains("ANTHROPIC_BASE_URL=http://127.0.0.1:5"));
  EXPECT_THAT(merged.entries, Not(Contains("ANTHROPIC_BASE_URL=https://elsewhere.example")));
  EXPECT_THAT(merged.kept, IsEmpty());
}

TEST(ClientEnvironment, AKeyOfTheUserIsNotJoinedByASecondOne) {
  const auto merged = MergeEnvironment(ClientVariables(kLocal), {"ANTHROPIC_API_KEY=k"});
  EXPECT_THAT(merged.entries, Not(Contains("ANTHROPIC_AUTH_TOKEN=local")));
  EXPECT_THAT(merged.kept, ElementsAre("ANTHROPIC_API_KEY"));
}

TEST(ClientEnvironment, AnEmptyValueCountsAsUnset) {
  const auto merged = MergeEnvironment(ClientVariables(kLocal), {"ANTHROPIC_MODEL="});
  EXPECT_THAT(merged.entries, Contains("ANTHROPIC_MODEL=anthropic-local-m"));
  EXPECT_THAT(merged.entries, Not(Contains("ANTHROPIC_MODEL=")));
}

}  // namespace
}  // namespace ac::launch
