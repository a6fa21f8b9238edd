#include "routing/rules.h"

#include <gtest/gtest.h>

namespace ac::routing {
namespace {

using States = std::map<std::string, BackendState, std::less<>>;

RuleSet Rules() {
  RuleSet rules;
  rules.by_default = {{"local", ""}, {"cloud", "big"}};
  rules.rules = {
      {"vision", {.images = true}, {{"cloud", "vision"}}},
      {"work stays here", {.path = "/home/me/code"}, {{"local", ""}}},
      {"small model", {.tiers = {"haiku"}, .tools = false}, {{"local", "tiny"}}},
      {"impatient", {.wait_over_s = 20, .price_under = 0.05}, {{"cloud", "fast"}}},
      {"long", {.tokens_over = 60'000}, {{"cloud", "long"}}},
      {"agents", {.sub_agent = true, .web_search = false}, {{"pool", ""}}},
      {"named", {.model = "gpt-*-mini"}, {{"cloud", "mini"}}},
  };
  return rules;
}

States Known() {
  return {{"local", {.predicted_wait_s = 38}},
          {"cloud", {.predicted_wait_s = 1, .predicted_usd = 0.04}},
          {"pool", {}}};
}

struct Case {
  const char* name;
  Facts facts;
  States states;
  std::vector<Target> chain;
  const char* reason;
};

TEST(RulesTest, TheFirstRuleThatHoldsLeadsAndTheDefaultFollows) {
  const Target local{"local", ""};
  const Target big{"cloud", "big"};
  States cheap_local = Known();
  cheap_local["local"].predicted_wait_s = 5;
  States dear_cloud = Known();
  dear_cloud["cloud"].predicted_usd = 0.5;
  States unmeasured = Known();
  unmeasured["local"].predicted_wait_s.reset();
  States spent = Known();
  spent["cloud"] = {.usable = false, .why_not = "its budget is used up"};
  const std::vector<Case> cases = {
      {"wait and price", {.tokens = 100}, Known(), {{"cloud", "fast"}, local, big}, "impatient"},
      {"fast enough", {.tokens = 100}, cheap_local, {local, big}, "default"},
      {"too dear", {.tokens = 100}, dear_cloud, {local, big}, "default"},
      {"never measured", {.tokens = 100}, unmeasured, {local, big}, "default"},
      {"images first",
       {.tokens = 90'000, .images = true},
       Known(),
       {{"cloud", "vision"}, local, big},
       "vision"},
      {"path",
       {.tokens = 100, .path = "/home/me/code/repo"},
       Known(),
       {local, big},
       "work stays here"},
      {"path is not a prefix of text",
       {.tokens = 1, .path = "/home/me/coder"},
       cheap_local,
       {local, big},
       "default"},
      {"tier",
       {.tier = "haiku", .tokens = 10},
       cheap_local,
       {{"local", "tiny"}, local, big},
       "small model"},
      {"tier with tools",
       {.tier = "haiku", .tokens = 10, .tools = true},
       cheap_local,
       {local, big},
       "default"},
      {"long", {.tokens = 60'001}, cheap_local, {{"cloud", "long"}, local, big}, "long"},
      {"at the threshold", {.tokens = 60'000}, cheap_local, {local, big}, "default"},
      {"sub-agent",
       {.tokens = 5, .sub_agent = true},
       cheap_local,
       {{"pool", ""}, local, big},
       "agents"},
      {"glob",
       {.model = "gpt-9-mini", .tokens = 5},
       cheap_local,
       {{"cloud", "mini"}, local, big},
       "named"},
      {"by name",
       {.tokens = 90'000, .wanted_target = "pool,special"},
       Known(),
       {{"pool", "special"}, local, big},
       "asked for by name"},
      {"unknown name is a model id",
       {.tokens = 5, .wanted_target = "nobody,x"},
       cheap_local,
       {local, big},
       "default"},
      {"budget", {.tokens = 90'000}, spent, {local}, "its budget is used up"},
  };
  for (const Case& c : cases) {
    const Decision decision = Decide(Rules(), c.facts, c.states);
    EXPECT_EQ(decision.chain, c.chain) << c.name << ": " << decision.reason;
    EXPECT_NE(decision.reason.find(c.reason), std::string::npos)
        << c.name << ": " << decision.reason;
  }
}

TEST(RulesTest, TheSixNamedRoutesKeepTheirOrder) {
  RuleSet rules;
  rules.by_default = {{"d", ""}};
  rules.rules = RulesOf({.background = "bg",
                         .think = "th",
                         .long_context = "long,m",
                         .web_search = "web",
                         .image = "img"});
  States states;
  for (const char* name : {"d", "bg", "th", "long", "web", "img"}) states[name] = {};
  const auto first = [&](const Facts& facts) { return Decide(rules, facts, states).chain.front(); };
  EXPECT_EQ(first({.tokens = 70'000, .thinking = true}), (Target{"long", "m"}));
  EXPECT_EQ(first({.tier = "haiku", .tokens = 5, .thinking = true}), (Target{"bg", ""}));
  EXPECT_EQ(first({.tokens = 5, .thinking = true, .web_search = true}), (Target{"web", ""}));
  EXPECT_EQ(first({.tokens = 5, .images = true, .thinking = true}), (Target{"img", ""}));
  EXPECT_EQ(first({.tokens = 5, .thinking = true}), (Target{"th", ""}));
  EXPECT_EQ(first({.tokens = 5}), (Target{"d", ""}));
}

TEST(RulesTest, GlobsMatchAnyCharacters) {
  EXPECT_TRUE(GlobMatches("claude-*-5*", "claude-haiku-5-5"));
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(GlobMatches("a*b", "ab!"));
  EXPECT_FALSE(GlobMatches("", "a"));
}

TEST(FactsTest, AreReadFromTheRequest) {
  chat::ChatRequest request;
  request.model = "anthropic-local-claude-haiku-5-5[1m]";
  request.system = {{chat::Text{"You code.\n<CCR-SUBAGENT-MODEL>cloud,m</CCR-SUBAGENT-MODEL>\n"
                                "Working directory: /home/me/repo\nmore"},
                     ""}};
  request.messages = {
      {chat::Role::kUser,
       {{chat::ToolResult{"t", {{chat::Image{"image/png", "x", ""}, ""}}, false}, ""}}}};
  request.tools = {{.name = "Bash", .input_schema = "{}"},
                   {.name = "web_search", .type = "web_search_20250305"}};
  request.thinking.mode = chat::ThinkingConfig::Mode::kAdaptive;
  request.metadata.agent_id = "a1";
  const Facts facts = FactsOf(request);
  EXPECT_EQ(facts.tier, "haiku");
  EXPECT_TRUE(facts.tools && facts.images && facts.thinking && facts.sub_agent && facts.web_search);
  EXPECT_EQ(facts.path, "/home/me/repo");
  EXPECT_EQ(facts.wanted_target, "cloud,m");
  RemoveSubAgentTag(&request);
  EXPECT_EQ(request.system[0].As<chat::Text>()->text,
            "You code.\n\nWorking directory: /home/me/repo\nmore");
}

TEST(FactsTest, ChunksAreSharedAsFarAsThePromptsAre) {
  chat::ChatRequest a;
  a.system = {{chat::Text{"x-anthropic-billing-header: cch=abc;"}, ""},
              {chat::Text{std::string(4000, 's')}, ""}};
  a.messages = {{chat::Role::kUser, {{chat::Text{"one " + std::string(3000, 'q')}, ""}}}};
  chat::ChatRequest b = a;
  b.system[0].value = chat::Text{"x-anthropic-billing-header: cch=def;"};
  EXPECT_EQ(PrefixChunks(a), PrefixChunks(b)) << "the billing block never reaches a model";
  b.messages[0].blocks[0].value = chat::Text{"two " + std::string(3000, 'q')};
  const auto chunks_a = PrefixChunks(a);
  const auto chunks_b = PrefixChunks(b);
  ASSERT_GE(chunks_a.size(), 5u);
  EXPECT_EQ(chunks_a[2], chunks_b[2]);
  EXPECT_NE(chunks_a.back(), chunks_b.back());
  a.messages.push_back({chat::Role::kAssistant, {{chat::Text{"more"}, ""}}});
  EXPECT_EQ(PrefixChunks(a)[4], chunks_a[4]) << "appending keeps what was there";
}

}  // namespace
}  // namespace ac::routing
