#include "gateway/stabiliser.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::gateway {
namespace {

chat::Block TextBlock(const std::string& text) { return {.value = chat::Text{text}}; }

chat::ChatRequest WithSystem(const std::vector<std::string>& blocks) {
  chat::ChatRequest request;
  for (const std::string& text : blocks) request.system.push_back(TextBlock(text));
  return request;
}

std::vector<std::string> SystemOf(const chat::ChatRequest& request) {
  std::vector<std::string> texts;
  for (const chat::Block& block : request.system) texts.push_back(block.As<chat::Text>()->text);
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Stabiliser, BillingLinesOfEveryFormatAreRecognised) {
  for (const char* line : {
           "x-anthropic-billing-header: cc_version=2.1.329.a1b; cc_entrypoint=sdk-cli;",
           "x-anthropic-billing-header: cc_version=2.1.180; cch=9f1c2;",
           "X-Anthropic-Billing-Header:cc_is_subagent=true;",
           "x-anthropic-attribution: session=1",
           "x-claude-billing-2: anything",
           "cc_version=2.1.220.77f; cc_entrypoint=cli;",
           "cch=12ab;",
       }) {
    EXPECT_TRUE(IsAttributionLine(line)) << line;
  }
  for (const char* line : {"You are Claude Code.", "x-ray billing: explain it", "",
                           "The header x-anthropic-billing-header: is dropped",
                           "billing: see the invoice", "x-request-id: 1"}) {
    EXPECT_FALSE(IsAttributionLine(line)) << line;
  }
}

TEST(Stabiliser, TheBillingBlockGoesWhole) {
  auto request = WithSystem({"x-anthropic-billing-header: cc_version=2.1.329.a1b;", "You are."});
  const auto changes = Stabilise({}, &request);
  EXPECT_EQ(SystemOf(request), Texts{"You are."});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].rule, "attribution");
}

TEST(Stabiliser, ABillingLineAtTheTopOfALongerTextGoesAlone) {
  auto request = WithSystem({"x-anthropic-billing-header: cch=1;\nYou are.\nBe kind."});
  Stabilise({}, &request);
  EXPECT_EQ(SystemOf(request), Texts{"You are.\nBe kind."});
}

TEST(Stabiliser, TwoSessionsThatDifferInTheBillingLineBecomeEqual) {
  auto a = WithSystem({"x-anthropic-billing-header: cc_version=2.1.329.a1b;", "You are."});
  auto b = WithSystem({"cc_version=2.1.330.fff; cc_is_subagent=true;", "You are."});
  Stabilise({}, &a);
  Stabilise({}, &b);
  EXPECT_EQ(SystemOf(a), SystemOf(b));
}

TEST(Stabiliser, ToolsComeInOneOrderAndDeferredOnesLast) {
  chat::ChatRequest request;
  request.tools = {{.name = "Write"},
                   {.name = "Later", .defer_loading = true},
                   {.name = "web", .type = "web_search_20250305"},
                   {.name = "Bash"},
                   {.name = "Early", .defer_loading = true}};
  const auto changes = Stabilise({}, &request);
  std::string names;
  for (const chat::ToolSpec& tool : request.tools) names += tool.name + " ";
  EXPECT_EQ(names, "Bash Write web Early Later ");
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].rule, "tool_order");
  EXPECT_TRUE(Stabilise({}, &request).empty()) << "a second time there is nothing to do";
}

TEST(Stabiliser, VolatileLinesAreRecognised) {
  for (const char* line : {"Today's date is 2026-11-24.", "  - Today's date: Monday",
                           "Today is Monday", "Current date: 2026-11-24",
                           "Working directory: /home/me", " - Primary working directory: /x",
                           "Is directory a git repo: Yes", "Current branch: main", "cwd: /x"}) {
    EXPECT_TRUE(IsVolatileLine(line)) << line;
  }
  for (const char* line : {"The date of a file is shown by ls.", "Use the working directory.",
                           "Be careful with git status.", "", "Platform: linux"}) {
    EXPECT_FALSE(IsVolatileLine(line)) << line;
  }
}

TEST(Stabiliser, VolatileLinesMoveBehindTheStablePart) {
  auto request =
      WithSystem({"Rules.\nToday's date is 2026-11-24.\nMore rules.", "Even more.\ncwd: /x"});
  const auto changes = Stabilise({}, &request);
  EXPECT_EQ(SystemOf(request),
            (Texts{"Rules.\nMore rules.", "Even more.", "Today's date is 2026-11-24.\ncwd: /x"}));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].rule, "volatile_last");
  EXPECT_TRUE(Stabilise({}, &request).empty());
}

TEST(Stabiliser, AnEnvironmentElementAndAGitStatusMoveWhole) {
  auto request = WithSystem({"A\n<env>\nPlatform: linux\nShell: bash\n</env>\nB",
                             "C\ngitStatus: as of now\n\nM a.txt", "D"});
  Stabilise({}, &request);
  EXPECT_EQ(
      SystemOf(request),
      (Texts{"A\nB", "C", "D",
             "<env>\nPlatform: linux\nShell: bash\n</env>\ngitStatus: as of now\n\nM a.txt"}));
}

TEST(Stabiliser, WhatIsAtTheEndAlreadyIsLeftAlone) {
  const Texts system{"Rules.", "More.\n\nToday's date is 2026-11-24.\n\n", "gitStatus: x\nM y"};
  auto request = WithSystem(system);
  EXPECT_TRUE(Stabilise({}, &request).empty());
  EXPECT_EQ(SystemOf(request), system);
}

TEST(Stabiliser, TwoDaysShareEverythingBeforeTheDate) {
  auto a = WithSystem({"Today's date is 2026-11-24.\nRules."});
  auto b = WithSystem({"Today's date is 2026-11-25.\nRules."});
  Stabilise({}, &a);
  Stabilise({}, &b);
  EXPECT_EQ(SystemOf(a)[0], SystemOf(b)[0]);
  EXPECT_EQ(SystemOf(a)[0], "Rules.");
}

chat::ChatRequest WithSystemMessage() {
  chat::ChatRequest request = WithSystem({"Top."});
  request.messages = {{chat::Role::kUser, {TextBlock("hi")}},
                      {chat::Role::kSystem, {TextBlock("late")}},
                      {chat::Role::kAssistant, {TextBlock("yes")}}};
  return request;
}

TEST(Stabiliser, SystemMessagesStayInTheirPlace) {
  auto request = WithSystemMessage();
  EXPECT_TRUE(Stabilise({}, &request).empty());
  EXPECT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(SystemOf(request), Texts{"Top."});
}

TEST(Stabiliser, SwitchedOffSystemMessagesJoinTheSystemPrompt) {
  auto request = WithSystemMessage();
  const auto changes = Stabilise({.system_in_place = false}, &request);
  EXPECT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(SystemOf(request), (Texts{"Top.", "late"}));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].rule, "system_in_place");
}

TEST(Stabiliser, EveryRuleCanBeSwitchedOff) {
  auto request = WithSystem({"x-anthropic-billing-header: cch=1;", "cwd: /x\nRules."});
  request.tools = {{.name = "b"}, {.name = "a"}};
  const Texts before = SystemOf(request);
  EXPECT_TRUE(
      Stabilise({.attribution = false, .tool_order = false, .volatile_last = false}, &request)
          .empty());
  EXPECT_EQ(SystemOf(request), before);
  EXPECT_EQ(request.tools[0].name, "b");
}

TEST(Slimming, ToolsOfTheListAndToolsInUseStay) {
  chat::ChatRequest request;
  request.tools = {{.name = "Bash"}, {.name = "Read"}, {.name = "Web"}, {.name = "Used"}};
  request.messages = {{chat::Role::kAssistant,
                       {{.value = chat::ToolUse{.id = "1", .name = "Used", .input = "{}"}}}}};
  const auto changes = Slim({.tools = {"Bash", "Read"}}, &request);
  ASSERT_EQ(request.tools.size(), 3u);
  EXPECT_EQ(request.tools[2].name, "Used");
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].what, "left out 1 tool(s)");
}

TEST(Slimming, RulesInADescriptionSurviveAnyLimit) {
  const std::string description =
      "Reads a file. It can also show images and notebooks in many formats. You MUST give an "
      "absolute path. The output has line numbers. Never read a folder.";
  EXPECT_EQ(ShortDescription(description, 20),
            "Reads a file. You MUST give an absolute path. Never read a folder.");
  EXPECT_EQ(ShortDescription(description, 1000), description);
}

TEST(Slimming, NothingConfiguredNothingChanged) {
  chat::ChatRequest request;
  request.tools = {{.name = "a", .description = std::string(5000, 'x'), .input_schema = "{}"}};
  EXPECT_TRUE(Slim({}, &request).empty());
  EXPECT_EQ(request.tools[0].description.size(), 5000u);
}

TEST(Slimming, ParameterDescriptionsGoAndSchemasStayValid) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"object","description":"x"})", R"({"type":"object"})"},
      {R"({"description":"x","type":"object"})", R"({"type":"object"})"},
      {R"({"description":"a \" quote, comma"})", R"({})"},
      {R"({"properties":{"p":{"type":"string","description":"d"}}})",
       R"({"properties":{"p":{"type":"string"}}})"},
      // A property of that name is no description.
      {R"({"properties":{"description":{"type":"string","description":"d"}}})",
       R"({"properties":{"description":{"type":"string"}}})"},
      {R"({"enum":["description"]})", R"({"enum":["description"]})"},
  };
  for (const auto& [before, after] : cases) {
    chat::ChatRequest request;
    request.tools = {{.name = "t", .input_schema = before}};
    Slim({.drop_parameter_descriptions = true}, &request);
    const auto got = json::Parse(request.tools[0].input_schema);
    ASSERT_TRUE(got.ok()) << request.tools[0].input_schema;
    EXPECT_EQ(json::Write(*got), after);
  }
}

}  // namespace
}  // namespace ac::gateway
