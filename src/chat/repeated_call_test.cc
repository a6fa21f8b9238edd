#include "chat/repeated_call.h"

#include <gtest/gtest.h>

namespace ac::chat {
namespace {

Message Calls(std::string tool, std::string input) {
  return {.role = Role::kAssistant,
          .blocks = {
              {.value = Text{"Let me look."}},
              {.value = ToolUse{.id = "id", .name = std::move(tool), .input = std::move(input)}}}};
}
Message Answers(std::string text) {
  ToolResult result{.tool_use_id = "id"};
  result.content = {{.value = Text{std::move(text)}}};
  return {.role = Role::kUser,
          .blocks = {{.value = std::move(result)},
                     {.value = Text{"<system-reminder>mind the gap</system-reminder>"}}}};
}
Message Says(std::string text) {
  return {.role = Role::kUser, .blocks = {{.value = Text{std::move(text)}}}};
}

TEST(RepeatedCallTest, TwoEqualCallsInARowAreFoundWhateverTheirSpelling) {
  const auto call =
      FindRepeatedCall({Says("go"), Calls("Read", R"({"path": "a", "from": 1})"), Answers("x"),
                        Calls("Read", R"({"from":1,"path":"a"})"), Answers("y")});
  ASSERT_TRUE(call);
  EXPECT_EQ(call->tool, "Read");
  EXPECT_TRUE(call->Is("Read", R"({ "path" : "a", "from": 1 })"));
  EXPECT_FALSE(call->Is("Read", R"({"path":"b","from":1})"));
  EXPECT_FALSE(call->Is("Write", R"({"path":"a","from":1})"));
}

TEST(RepeatedCallTest, EqualCallsOfOneTurnCountToo) {
  Message both = Calls("Read", R"({"path":"a"})");
  both.blocks.push_back(both.blocks.back());
  EXPECT_TRUE(FindRepeatedCall({Says("go"), both, Answers("x")}));
}

TEST(RepeatedCallTest, AnotherCallOrAUserInBetweenBeginsANewCount) {
  const Message a = Calls("Bash", R"({"command":"make test"})");
  const Message b = Calls("Edit", R"({"path":"a"})");
  EXPECT_FALSE(FindRepeatedCall({}));
  EXPECT_FALSE(FindRepeatedCall({Says("go"), a, Answers("red")}));
  EXPECT_FALSE(FindRepeatedCall({Says("go"), a, Answers("red"), b, Answers("ok"), a}));
  EXPECT_FALSE(FindRepeatedCall({a, Answers("red"), Says("again, please"), a, Answers("red")}));
  EXPECT_FALSE(FindRepeatedCall({a, Answers("red"), a, Answers("red"), Says("once more")}));
}

TEST(RepeatedCallTest, ArgumentsThatAreNoJsonAreComparedAsText) {
  const Message cut = Calls("Bash", R"({"command":"mak)");
  EXPECT_TRUE(FindRepeatedCall({cut, Answers("bad"), cut, Answers("bad")}));
  EXPECT_EQ(CanonicalJson(R"({"b":{"z":1,"y":[{"k":2,"a":1}]},"a":null})"),
            R"({"a":null,"b":{"y":[{"a":1,"k":2}],"z":1}})");
}

}  // namespace
}  // namespace ac::chat
