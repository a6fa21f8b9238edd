#include "toolcall/toolcall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "json/json.h"
#include "support/shared_data.h"
#include "toolcall/internal/deepseek_marks.h"
#include "toolcall/internal/json_copier.h"
#include "toolcall/internal/tool_table.h"
#include "toolcall/test_tools.h"

namespace ac::toolcall {
namespace {

using ::testing::ElementsAre;

constexpr Family kFamilies[] = {Family::kGeneric, Family::kHermes,  Family::kQwenXml,
                                Family::kLlama3,  Family::kMistral, Family::kDeepSeek,
                                Family::kGlm,     Family::kHarmony};

// Neighbouring events of one kind joined: how a reply was cut must not show.
std::vector<Event> Joined(const std::vector<Event>& events) {
  std::vector<Event> joined;
  for (const Event& event : events) {
    const bool call = event.kind == Event::Kind::kCallStart || event.kind == Event::Kind::kCallEnd;
    if (!call && !joined.empty() && joined.back().kind == event.kind) {
      joined.back().text += event.text;
    } else {
      joined.push_back(event);
    }
  }
  return joined;
}

std::vector<Event> Read(Family family, std::string_view text, size_t piece, bool cut = false) {
  static const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  const auto parser = MakeParser(family, {.tools = tools});
  std::vector<Event> events;
  for (size_t i = 0; i < text.size(); i += piece) parser->Feed(text.substr(i, piece), &events);
  parser->Finish(cut, &events);
  return Joined(events);
}

TEST(Family, IsKnownFromThePublishedTemplates) {
  AC_REQUIRE_SHARED_DATA();
  const std::vector<std::pair<std::string, Family>> templates = {
      {"GLM-4.6", Family::kGlm},
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", Family::kHermes},
      {"Qwen-Qwen2.5-7B-Instruct", Family::kHermes},
      {"Qwen-Qwen3-0.6B", Family::kHermes},
      {"Qwen3-Coder", Family::kQwenXml},
      {"Qwen3.5-4B", Family::kQwenXml},
      {"deepseek-ai-DeepSeek-V3.1", Family::kDeepSeek},
      {"google-gemma-2-2b-it", Family::kGeneric},
      {"meta-llama-Llama-3.1-8B-Instruct", Family::kLlama3},
      {"microsoft-Phi-3.5-mini-instruct", Family::kGeneric},
      {"mistralai-Mistral-Nemo-Instruct-2407", Family::kMistral},
      {"openai-gpt-oss-120b", Family::kHarmony},
      {"unsloth-mistral-Devstral-Small-2507", Family::kMistral},
  };
  for (const auto& [name, family] : templates) {
    std::ifstream in(ac::testing::SharedData("templates/" + name + ".jinja"), std::ios::binary);
    const std::string source{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ASSERT_FALSE(source.empty()) << name;
    EXPECT_EQ(FamilyName(DetectFamily(source)), FamilyName(family)) << name;
  }
}

TEST(Family, OfAnUnknownTemplateIsGeneric) {
  EXPECT_EQ(DetectFamily(""), Family::kGeneric);
  EXPECT_EQ(DetectFamily("{{ messages }}"), Family::kGeneric);
}

TEST(RenderCalls, EveryFamilyReadsBackWhatItWrites) {
  const std::vector<chat::ToolUse> calls = {
      {"toolu_1", "Write",
       R"({"file_path":"/a b","content":"x\n  \"y\" <b> </parameter>\u00e9\n"})"},
      {"toolu_2", "Bash", R"({"command":"ls","timeout":5,"run_in_background":true})"},
      {"toolu_3", "TodoWrite", R"({"todos":[{"content":"a","n":[1,2.5,null]}]})"},
      {"toolu_4", "ListAgents", "{}"},
  };
  for (const Family family : kFamilies) {
    const std::string text = RenderCalls(family, calls);
    for (const size_t piece : {size_t{1}, size_t{3}, size_t{17}, text.size()}) {
      std::vector<std::string> got;
      for (const Event& event : Read(family, text, piece)) {
        if (event.kind == Event::Kind::kCallStart) got.push_back(event.text);
        if (event.kind == Event::Kind::kArgsDelta) {
          const Result<json::Value> input = json::Parse(event.text);
          ASSERT_TRUE(input.ok()) << FamilyName(family) << event.text << input.status();
          got.push_back(json::Write(*input));
        }
        EXPECT_NE(event.kind, Event::Kind::kText) << FamilyName(family) << event.text;
      }
      std::vector<std::string> wanted;
      for (const chat::ToolUse& call : calls) {
        wanted.push_back(call.name);
        wanted.push_back(json::Write(*json::Parse(call.input)));
      }
      EXPECT_EQ(got, wanted) << FamilyName(family) << " " << text;
    }
  }
}

TEST(Parser, GivesOutArgumentsAsTheyArrive) {
  static const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  const std::vector<std::pair<Family, std::string>> beginnings = {
      {Family::kHermes, "<tool_call>\n{\"name\": \"Write\", \"arguments\": {\"content\": \"abc"},
      {Family::kQwenXml, "<tool_call>\n<function=Write>\n<parameter=content>\nabc"},
      {Family::kMistral, "[TOOL_CALLS]Write[ARGS]{\"content\": \"abc"},
      {Family::kGlm, "<tool_call>Write\n<arg_key>content</arg_key>\n<arg_value>abc"},
      {Family::kHarmony, "<|channel|>commentary to=functions.Write<|message|>{\"content\": \"abc"},
  };
  for (const auto& [family, text] : beginnings) {
    const auto parser = MakeParser(family, {.tools = tools});
    std::vector<Event> events;
    parser->Feed(text, &events);
    ASSERT_FALSE(events.empty()) << FamilyName(family);
    EXPECT_EQ(events.front(), (Event{Event::Kind::kCallStart, "Write"})) << FamilyName(family);
    EXPECT_TRUE(events.back().text.ends_with("abc")) << FamilyName(family) << events.back().text;
  }
}

TEST(Parser, GivesOutTextAtOnceButNeverAPartOfATag) {
  static const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  const auto parser = MakeParser(Family::kHermes, {.tools = tools});
  std::vector<Event> events;
  parser->Feed("Hello wor", &events);
  EXPECT_THAT(events, ElementsAre(Event{Event::Kind::kText, "Hello wor"}));
  events.clear();
  parser->Feed("ld\n<tool_c", &events);
  EXPECT_THAT(events, ElementsAre(Event{Event::Kind::kText, "ld"}));
  events.clear();
  parser->Feed("ool>", &events);
  EXPECT_THAT(events, ElementsAre(Event{Event::Kind::kText, "\n<tool_cool>"}));
}

TEST(Parser, ACallCutByTheTokenLimitStaysUnfinished) {
  const std::string text =
      "<tool_call>\n{\"name\": \"Bash\", \"arguments\": {\"command\": \"rm -rf /tmp/x";
  const std::vector<Event> events = Read(Family::kHermes, text, 4, true);
  EXPECT_THAT(events, ElementsAre(Event{Event::Kind::kCallStart, "Bash"},
                                  Event{Event::Kind::kArgsDelta, "{\"command\": \"rm -rf /tmp/x"},
                                  Event{Event::Kind::kCallEnd, ""}));
  const std::vector<Event> xml = Read(
      Family::kQwenXml, "<tool_call>\n<function=Bash>\n<parameter=command>\nrm -rf /t", 4, true);
  ASSERT_EQ(xml.size(), 3u);
  EXPECT_FALSE(json::Parse(xml[1].text).ok()) << xml[1].text;
}

// Any mixture of the fragments that tags are made of reads the same in one piece and byte by byte,
// and every call that begins also ends.
TEST(Parser, RandomMixturesOfFragmentsReadTheSameHoweverTheyAreCut) {
  const std::vector<std::string> fragments = {
      "<tool_call>",
      "</tool_call>",
      "<function=Bash>",
      "</function>",
      "<parameter=command>",
      "</parameter>",
      "\n",
      " ",
      "{\"name\": \"Bash\", \"arguments\": {\"command\": \"ls\"}}",
      "{\"name\":",
      "\"Bash\"",
      "}",
      "{",
      "[",
      "]",
      ",",
      ":",
      "\"",
      "'",
      "\\",
      "text",
      "`",
      "```",
      "<think>",
      "</think>",
      "[TOOL_CALLS]",
      "[ARGS]",
      "Bash",
      "<|python_tag|>",
      "<arg_key>",
      "</arg_key>",
      "<arg_value>",
      "</arg_value>",
      "<",
      "</",
      "<|",
      "<|im_end|>",
      "<|channel|>",
      "<|message|>",
      "<|end|>",
      "<|start|>",
      " to=functions.Bash",
      "; ",
      "~~~\n",
      "<invoke name=\"Bash\">",
      std::string(internal::kDeepSeekCallBegin),
      std::string(internal::kDeepSeekSeparator),
  };
  std::mt19937 random(11);
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    const size_t count = 1 + random() % 14;
    for (size_t i = 0; i < count; ++i) text += fragments[random() % fragments.size()];
    const Family family = kFamilies[random() % std::size(kFamilies)];
    const bool cut = random() % 2 == 0;
    const std::vector<Event> whole = Read(family, text, text.size(), cut);
    EXPECT_EQ(whole, Read(family, text, 1, cut)) << FamilyName(family) << " " << json::Quote(text);
    int open = 0;
    for (const Event& event : whole) {
      if (event.kind == Event::Kind::kCallStart) ++open;
      if (event.kind == Event::Kind::kCallEnd) --open;
      EXPECT_TRUE(open == 0 || open == 1);
    }
    EXPECT_EQ(open, 0) << FamilyName(family) << " " << json::Quote(text);
  }
}

TEST(JsonCopier, HealsWhatIsClearlyMeant) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"a":1})", R"({"a":1})"},
      {R"({'a':'b"c', 'd':True})", R"({"a":"b\"c", "d":true})"},
      {R"([1,2,],)", R"([1,2])"},
      {R"({"a":1,})", R"({"a":1})"},
      {R"({"a":"x" "b":2})", R"({"a":"x" ,"b":2})"},
      {"{\"a\":\"x\ny\"}", R"({"a":"x\ny"})"},
      {R"({"a":"\d \u00zz \u00e9"})", R"({"a":"\\d \\u00zz \u00e9"})"},
      {R"("text" rest)", R"("text")"},
  };
  for (const auto& [given, wanted] : cases) {
    internal::JsonCopier copier;
    std::string out;
    copier.Feed(given, &out);
    EXPECT_TRUE(copier.done()) << given;
    EXPECT_EQ(out, wanted);
    EXPECT_TRUE(json::Parse(out).ok()) << out;
  }
}

TEST(JsonCopier, CloseMakesAnyBeginningValid) {
  const std::string text = R"({"a":[1,{"b":"c\u00e9\n","d":true}],"e":-1.5e3,'f':None})";
  for (size_t length = 1; length <= text.size(); ++length) {
    internal::JsonCopier copier;
    std::string out;
    copier.Feed(text.substr(0, length), &out);
    copier.Close(&out);
    EXPECT_TRUE(json::Parse(out).ok()) << text.substr(0, length) << " -> " << out;
  }
}

TEST(ToolTable, FindsToolsTheWayModelsNameThem) {
  const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  internal::ToolTable table(tools);
  EXPECT_EQ(table.Find("bash"), "Bash");
  EXPECT_EQ(table.Find("functions.Bash"), "Bash");
  EXPECT_EQ(table.Find("Grep"), std::nullopt);
  EXPECT_EQ(table.FindOrInvented("Grep"), "Grep");
  for (const std::string bad : {"", "function-name", "example_tool", "<name>", "a b", "{x}", "1"}) {
    EXPECT_EQ(table.FindOrInvented(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(table.KindOf("Bash", "command"), internal::ToolTable::ValueKind::kString);
  EXPECT_EQ(table.KindOf("Bash", "timeout"), internal::ToolTable::ValueKind::kJson);
  EXPECT_EQ(table.KindOf("Bash", "nope"), internal::ToolTable::ValueKind::kUnknown);
}

}  // namespace
}  // namespace ac::toolcall
