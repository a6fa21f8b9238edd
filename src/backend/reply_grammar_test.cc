#include "backend/reply_grammar.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>

#include "json/json.h"
#include "support/agent_tools.h"
#include "support/node.h"
#include "support/temp_dir.h"
#include "support/toy_tokenizer.h"

namespace ac::backend {
namespace {

using ac::testing::AgentTools;
using chat::ToolChoice;
using toolcall::Family;

constexpr Family kFamilies[] = {Family::kHermes,  Family::kQwenXml,  Family::kLlama3,
                                Family::kMistral, Family::kDeepSeek, Family::kGlm,
                                Family::kHarmony, Family::kGeneric};

// Writes what a grammar allows at random. Endings of one byte are rare and those of many bytes
// would never come, so it is drawn to them.
class RandomWriter {
 public:
  explicit RandomWriter(uint32_t seed) : random_(seed) {}

  // Empty when the reply did not end within `limit` bytes.
  std::string Write(const engine::TokenConstraint& constraint, size_t limit = 6000) {
    const auto reply = constraint.Fork();
    std::string text;
    while (text.size() < limit) {
      const std::vector<int32_t> forced = reply->Forced();
      for (const int32_t token : forced) {
        EXPECT_TRUE(reply->Accept(token));
        text += static_cast<char>(token);
      }
      const int32_t token = Choose(reply->Allowed(), text);
      if (token < 0) {
        ADD_FAILURE() << "nothing is allowed after " << text;
        return {};
      }
      if (!reply->Accept(token)) {
        ADD_FAILURE() << "allowed but not accepted: " << token << " after " << text;
        return {};
      }
      if (token == ac::testing::kToyEndToken) return text;
      text += static_cast<char>(token);
    }
    return {};
  }

 private:
  static bool Has(std::span<const uint64_t> mask, int32_t token) {
    return (mask[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
  }

  int32_t Choose(std::span<const uint64_t> mask, const std::string& text) {
    if (Has(mask, ac::testing::kToyEndToken) && random_() % 3 == 0) {
      return ac::testing::kToyEndToken;
    }
    for (const std::string_view closer :
         {"\n</parameter>", "</arg_value>", "</think>", "<|end|>", "\"", "]", "}"}) {
      for (size_t have = std::min(text.size(), closer.size() - 1); have > 0; --have) {
        if (!std::string_view(text).ends_with(closer.substr(0, have))) continue;
        if (Has(mask, closer[have]) && random_() % 20 != 0) return closer[have];
        break;
      }
      if (Has(mask, closer[0]) && random_() % 12 == 0) return closer[0];
    }
    std::vector<int32_t> allowed;
    for (int32_t token = 0; token <= ac::testing::kToyEndToken; ++token) {
      if (Has(mask, token)) allowed.push_back(token);
    }
    return allowed.empty() ? -1 : allowed[random_() % allowed.size()];
  }

  std::mt19937 random_;
};

struct ParsedReply {
  std::string text;
  std::vector<chat::ToolUse> calls;
};

ParsedReply Parse(Family family, const std::vector<chat::ToolSpec>& tools,
                  const std::string& reply) {
  const auto parser = toolcall::MakeParser(family, {.tools = tools});
  std::vector<toolcall::Event> events;
  parser->Feed(reply, &events);
  parser->Finish(false, &events);
  ParsedReply parsed;
  for (const toolcall::Event& event : events) {
    if (event.kind == toolcall::Event::Kind::kText) parsed.text += event.text;
    if (event.kind == toolcall::Event::Kind::kCallStart) {
      parsed.calls.push_back({.id = "", .name = event.text, .input = ""});
    }
    if (event.kind == toolcall::Event::Kind::kArgsDelta) parsed.calls.back().input += event.text;
  }
  return parsed;
}

class ReplyGrammarTest : public ::testing::TestWithParam<Family> {
 protected:
  ReplyGrammarTest() {
    request_.tools = AgentTools();
    request_.tool_choice.kind = ToolChoice::Kind::kAny;
  }
  std::shared_ptr<const engine::TokenConstraint> Constraint(bool thinking_open = false) {
    ReplyGrammars grammars(*tokenizer_, GetParam(), std::string(template_));
    auto constraint = grammars.For(request_, request_.tools, thinking_open);
    EXPECT_TRUE(constraint.ok()) << constraint.status();
    return constraint.ok() ? std::move(constraint).value() : nullptr;
  }
  bool Allows(const std::string& reply, bool ended = true) {
    const auto constraint = Constraint()->Fork();
    for (const char c : reply) {
      if (!constraint->Accept(static_cast<uint8_t>(c))) return false;
    }
    return !ended || constraint->Accept(ac::testing::kToyEndToken);
  }

  const std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = ac::testing::MakeToyTokenizer();
  std::string_view template_ = "[ARGS]";
  chat::ChatRequest request_;
};

TEST_P(ReplyGrammarTest, EveryFinishedCallOfARandomWriterValidates) {
  AC_REQUIRE_NPM_PACKAGE("ajv");
  const ac::testing::TempDir dir;
  const std::string path = dir.path() + "/calls.jsonl";
  std::ofstream lines(path);
  const auto constraint = Constraint();
  int calls = 0;
  std::set<std::string> called;
  for (uint32_t seed = 0; seed < 2000 && calls < 200; ++seed) {
    const std::string reply = RandomWriter(seed).Write(*constraint);
    if (reply.empty()) continue;
    const ParsedReply parsed = Parse(GetParam(), request_.tools, reply);
    ASSERT_FALSE(parsed.calls.empty()) << reply;
    for (const chat::ToolUse& call : parsed.calls) {
      const auto tool = std::find_if(request_.tools.begin(), request_.tools.end(),
                                     [&](const auto& t) { return t.name == call.name; });
      ASSERT_NE(tool, request_.tools.end()) << call.name;
      lines << json::Write(json::Object{{"name", call.name},
                                        {"schema", *json::Parse(tool->input_schema)},
                                        {"value", call.input}})
            << "\n";
      called.insert(call.name);
      ++calls;
    }
  }
  lines.close();
  EXPECT_GE(calls, 100);
  EXPECT_GE(called.size(), 15u);
  EXPECT_EQ(ac::testing::RunNode("tests/reference/validate_calls.mjs", {path}), "");
}

TEST_P(ReplyGrammarTest, WhatTheFamilyRendersIsAllowed) {
  const std::vector<chat::ToolUse> calls = {
      {.id = "1", .name = "Read", .input = R"({"file_path":"/src/a.cc","limit":20})"}};
  std::string reply = toolcall::RenderCalls(GetParam(), calls);
  EXPECT_TRUE(Allows(reply)) << reply;
  request_.tool_choice.kind = ToolChoice::Kind::kAuto;
  EXPECT_TRUE(Allows(reply)) << reply;
}

TEST_P(ReplyGrammarTest, AutoLeavesTextFreeUntilACallBegins) {
  request_.tool_choice.kind = ToolChoice::Kind::kAuto;
  const std::vector<chat::ToolUse> calls = {{.id = "1", .name = "Nope", .input = "{}"}};
  const std::string unknown = toolcall::RenderCalls(GetParam(), calls);
  if (GetParam() == Family::kHarmony) {
    EXPECT_TRUE(
        Allows("<|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant"
               "<|channel|>final<|message|>Done: \xC3\xA9 {\"a\"}"));
  } else {
    EXPECT_TRUE(Allows("Sure, here it is: <b>\xC3\xA9</b> and a { brace.\n"));
  }
  EXPECT_FALSE(Allows(unknown, false)) << unknown;
}

TEST_P(ReplyGrammarTest, AutoLeavesQuotedCallsFree) {
  if (GetParam() == Family::kHarmony) return;  // its calls are messages of their own
  request_.tool_choice.kind = ToolChoice::Kind::kAuto;
  const auto render = [](const std::string& name) {
    const std::vector<chat::ToolUse> calls = {
        {.id = "1", .name = name, .input = R"({"file_path":"/src/a.cc"})"}};
    return toolcall::RenderCalls(GetParam(), calls);
  };
  const std::string opener = GetParam() == Family::kLlama3    ? "<|python_tag|>"
                             : GetParam() == Family::kMistral ? "[TOOL_CALLS]"
                             : GetParam() == Family::kDeepSeek
                                 ? render("Nope").substr(0, render("Nope").find('>') + 1)
                                 : "<tool_call>";
  const std::string nonsense = opener + " is what begins a call";
  for (const std::string& quoted :
       {"I write `" + nonsense + "` first.", "The tag \"" + nonsense + "\", as they say.",
        "Der Anfang \xE2\x80\x9E" + nonsense + "\xE2\x80\x9C.", "So:\n```\n" + nonsense + "\n```\n",
        "So:\n```xml\n" + render("Nope") + "\n```\nDone.", "~~~\n" + nonsense}) {
    EXPECT_TRUE(Allows(quoted)) << quoted;
    const ParsedReply parsed = Parse(GetParam(), request_.tools, quoted);
    EXPECT_TRUE(parsed.calls.empty()) << quoted;
    EXPECT_EQ(parsed.text.find("begins a call"), quoted.find("begins a call"))
        << "all of it is told";
  }
  // Behind an example that is over, a call is one again.
  for (const std::string& before :
       {std::string(), std::string("As `this` shows:\n"), std::string("```\ncode\n```\n"),
        std::string("He said \"no\".\n"), std::string("so ")}) {
    EXPECT_FALSE(Allows(before + nonsense, false)) << before;
    if (GetParam() == Family::kLlama3) continue;  // calls only at the reply's beginning
    EXPECT_TRUE(Allows(before + render("Read"))) << before;
    EXPECT_FALSE(Allows(before + render("Nope"), false)) << before;
  }
}

TEST_P(ReplyGrammarTest, NoneForbidsTheBeginningOfACall) {
  request_.tool_choice.kind = ToolChoice::Kind::kNone;
  const std::vector<chat::ToolUse> calls = {
      {.id = "1", .name = "Read", .input = R"({"file_path":"/src/a.cc"})"}};
  ReplyGrammars grammars(*tokenizer_, GetParam(), std::string(template_));
  const auto constraint = grammars.For(request_, {}, false);
  ASSERT_TRUE(constraint.ok()) << constraint.status();
  const auto reply = (*constraint)->Fork();
  bool all = true;
  for (const char c : toolcall::RenderCalls(GetParam(), calls)) {
    all = all && reply->Accept(static_cast<uint8_t>(c));
  }
  EXPECT_FALSE(all);
}

TEST_P(ReplyGrammarTest, ANamedToolIsTheOnlyOne) {
  request_.tool_choice = {.kind = ToolChoice::Kind::kTool, .name = "Ping"};
  const auto constraint = Constraint();
  for (uint32_t seed = 0; seed < 20; ++seed) {
    for (const auto& call :
         Parse(GetParam(), request_.tools, RandomWriter(seed).Write(*constraint)).calls) {
      EXPECT_EQ(call.name, "Ping");
    }
  }
  request_.tool_choice.name = "Pong";
  ReplyGrammars grammars(*tokenizer_, GetParam(), "");
  EXPECT_FALSE(grammars.For(request_, request_.tools, false).ok());
}

TEST_P(ReplyGrammarTest, OneCallUnlessParallelCallsAreAllowed) {
  request_.tools.resize(1);
  request_.tool_choice = {.kind = ToolChoice::Kind::kAny, .name = "", .parallel = false};
  const auto constraint = Constraint();
  for (uint32_t seed = 0; seed < 30; ++seed) {
    const std::string reply = RandomWriter(seed).Write(*constraint);
    if (reply.empty()) continue;
    EXPECT_EQ(Parse(GetParam(), request_.tools, reply).calls.size(), 1u) << reply;
  }
}

TEST_P(ReplyGrammarTest, AHundredAndTwentyEightToolsOfHalfAMegabyteAreAllHeld) {
  request_.tools.clear();
  size_t bytes = 0;
  for (int tool = 0; tool < 128; ++tool) {
    json::Object properties;
    for (int i = 0; i < 24; ++i) {
      const json::Object level = {{"type", "string"}, {"enum", json::Array{"low", "high", "none"}}};
      const json::Object nested = {
          {"type", "object"},
          {"description", std::string(60, 'd')},
          {"properties",
           json::Object{{"level", level}, {"count", json::Object{{"type", "integer"}}}}},
          {"required", json::Array{"level"}}};
      properties["option_" + std::to_string(i)] = nested;
    }
    properties["path"] = json::Object{{"type", "string"}};
    chat::ToolSpec& spec = request_.tools.emplace_back();
    spec.name = "tool_" + std::to_string(tool);
    spec.input_schema = json::Write(json::Object{{"type", "object"},
                                                 {"properties", properties},
                                                 {"required", json::Array{"path"}},
                                                 {"additionalProperties", false}});
    bytes += spec.input_schema.size();
  }
  EXPECT_GE(bytes, size_t{512} << 10);
  const auto constraint = Constraint();
  const auto allows = [&](const std::string& name, const std::string& input) {
    const std::vector<chat::ToolUse> calls = {{.id = "1", .name = name, .input = input}};
    const auto reply = constraint->Fork();
    for (const char c : toolcall::RenderCalls(GetParam(), calls)) {
      if (!reply->Accept(static_cast<uint8_t>(c))) return false;
    }
    return reply->Accept(ac::testing::kToyEndToken);
  };
  for (int tool = 0; tool < 128; ++tool) {
    EXPECT_TRUE(allows("tool_" + std::to_string(tool), R"({"path":"/src/a.cc"})")) << tool;
  }
  EXPECT_FALSE(allows("tool_128", R"({"path":"/src/a.cc"})"));
  EXPECT_FALSE(allows("tool_127", R"({"path":"/a","option_3":{"level":"middle"}})"));
}

std::string FamilyTestName(const ::testing::TestParamInfo<Family>& info) {
  return std::string(toolcall::FamilyName(info.param));
}
INSTANTIATE_TEST_SUITE_P(Families, ReplyGrammarTest, ::testing::ValuesIn(kFamilies),
                         FamilyTestName);

class StructuredOutputTest : public ::testing::Test {
 protected:
  bool Allows(const chat::ResponseFormat& format, const std::string& reply) {
    chat::ChatRequest request;
    request.response_format = format;
    const auto constraint = grammars_.For(request, {}, false);
    EXPECT_TRUE(constraint.ok()) << constraint.status();
    const auto fork = (*constraint)->Fork();
    for (const char c : reply) {
      if (!fork->Accept(static_cast<uint8_t>(c))) return false;
    }
    return fork->Accept(ac::testing::kToyEndToken);
  }
  Status ErrorOf(const chat::ResponseFormat& format) {
    chat::ChatRequest request;
    request.response_format = format;
    return grammars_.For(request, {}, false).status();
  }
  const std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = ac::testing::MakeToyTokenizer();
  ReplyGrammars grammars_{*tokenizer_, Family::kHermes, ""};
};

TEST_F(StructuredOutputTest, EachKindHoldsTheReply) {
  using Kind = chat::ResponseFormat::Kind;
  EXPECT_TRUE(Allows({.kind = Kind::kJsonObject}, R"({"a": [1, {"b": null}]})"));
  EXPECT_FALSE(Allows({.kind = Kind::kJsonObject}, "[1]"));
  EXPECT_TRUE(Allows({.kind = Kind::kJsonObject}, "<think>{ hm </think>\n\n{}"));
  const chat::ResponseFormat schema{.kind = Kind::kJsonSchema,
                                    .schema = R"({"type":"array","items":{"type":"integer"}})"};
  EXPECT_TRUE(Allows(schema, "[1, 2]"));
  EXPECT_FALSE(Allows(schema, "[1, \"2\"]"));
  EXPECT_TRUE(Allows({.kind = Kind::kRegex, .schema = "[a-f]{3}"}, "bad"));
  EXPECT_FALSE(Allows({.kind = Kind::kRegex, .schema = "[a-f]{3}"}, "bed "));
  EXPECT_TRUE(Allows({.kind = Kind::kEbnf, .schema = "root ::= \"yes\" | \"no\""}, "no"));
  EXPECT_FALSE(Allows({.kind = Kind::kEbnf, .schema = "root ::= \"yes\" | \"no\""}, "maybe"));
}

TEST_F(StructuredOutputTest, WhatCannotBeCompiledIsAnErrorThatNamesIt) {
  using Kind = chat::ResponseFormat::Kind;
  const auto names = [&](const chat::ResponseFormat& format, std::string_view part) {
    const Status status = ErrorOf(format);
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  };
  names({.kind = Kind::kJsonSchema, .schema = R"({"properties":{"a":{"type":7}}})"},
        "#/properties/a: type");
  names({.kind = Kind::kEbnf, .schema = "root ::= missing"}, "missing");
  names({.kind = Kind::kRegex, .schema = "a(b"}, "group");
  names({.kind = Kind::kJsonSchema, .schema = R"({"enum":[]})"}, "nothing can match");
}

TEST(ReplyGrammarsTest, ABadSchemaOpensOneToolAndLeavesTheOthers) {
  const auto tokenizer = ac::testing::MakeToyTokenizer();
  ReplyGrammars grammars(*tokenizer, Family::kHermes, "");
  chat::ChatRequest request;
  request.tool_choice.kind = ToolChoice::Kind::kAny;
  request.tools = {
      {.name = "bad", .input_schema = R"({"properties":{"x":{"type":"nonsense"}}})"},
      {.name = "dead", .input_schema = R"({"properties":{"x":false},"required":["x"]})"},
      {.name = "good", .input_schema = R"({"properties":{"n":{"type":"integer"}},
                     "required":["n"],"additionalProperties":false})"}};
  const auto constraint = grammars.For(request, request.tools, false);
  ASSERT_TRUE(constraint.ok()) << constraint.status();
  const auto allows = [&](const std::string& name, const std::string& arguments) {
    const auto fork = (*constraint)->Fork();
    for (const char c : "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments +
                            "}\n</tool_call>") {
      if (!fork->Accept(static_cast<uint8_t>(c))) return false;
    }
    return true;
  };
  EXPECT_TRUE(allows("bad", R"({"x":[true]})"));
  EXPECT_TRUE(allows("dead", R"({"x":1})"));
  EXPECT_TRUE(allows("good", R"({"n":1})"));
  EXPECT_FALSE(allows("good", R"({"n":"1"})"));
  request.tools.push_back(request.tools.back());
  EXPECT_EQ(grammars.For(request, request.tools, false).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ac::backend
