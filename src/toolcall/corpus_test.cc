// The corpus in tests/toolcall_corpus/: what models really write, and what they only write about.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "json/json.h"
#include "toolcall/test_tools.h"
#include "toolcall/toolcall.h"

namespace ac::toolcall {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  std::string text;
  std::string thinking;
  std::string calls;  // one line per call: name and arguments
};

struct Case {
  std::string name;
  Family family = Family::kGeneric;
  bool thinking_open = false;
  bool cut = false;
  bool tools = true;
  std::string text;
  Outcome expected;
  int expected_calls = 0;
  bool missed = false;  // known not to be recovered; counts against the share that must be
};

Family FamilyFromName(std::string_view name) {
  for (const Family family : {Family::kHermes, Family::kQwenXml, Family::kLlama3, Family::kMistral,
                              Family::kDeepSeek, Family::kGlm, Family::kHarmony}) {
    if (FamilyName(family) == name) return family;
  }
  EXPECT_EQ(name, "generic");
  return Family::kGeneric;
}

std::string CallLine(std::string_view name, const json::Value& input) {
  return std::string(name) + " " + json::Write(input) + "\n";
}

Case CaseFrom(const std::string& file, const json::Value& value) {
  Case out;
  out.name = file + ": " + std::string(json::GetString(value, "name").value_or("?"));
  out.family = FamilyFromName(json::GetString(value, "family").value_or(""));
  out.thinking_open = json::GetBool(value, "thinking_open").value_or(false);
  out.cut = json::GetBool(value, "cut").value_or(false);
  out.tools = json::GetBool(value, "tools").value_or(true);
  out.text = json::GetString(value, "text").value_or("");
  out.missed = json::Find(value, "missed") != nullptr;
  const json::Value& expect = *json::Find(value, "expect");
  out.expected.text = json::GetString(expect, "text").value_or("");
  out.expected.thinking = json::GetString(expect, "thinking").value_or("");
  for (const json::Value& call : json::Find(expect, "calls")->get_array()) {
    out.expected.calls += CallLine(*json::GetString(call, "name"), *json::Find(call, "input"));
    ++out.expected_calls;
  }
  return out;
}

const std::vector<Case>& Corpus() {
  static const std::vector<Case> corpus = [] {
    std::vector<Case> cases;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(AC_SOURCE_DIR "/tests/toolcall_corpus")) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      std::ifstream in(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      const Result<json::Value> list = json::Parse(text);
      EXPECT_TRUE(list.ok()) << file << list.status();
      for (const json::Value& value : list->get_array()) {
        cases.push_back(CaseFrom(file.stem().string(), value));
      }
    }
    return cases;
  }();
  return corpus;
}

// Feeds the pieces and checks the order of events on the way.
Outcome Read(const Case& test, const std::vector<std::string>& pieces) {
  static const std::vector<chat::ToolSpec> tools = testing::CodingTools();
  ParserOptions options{.thinking_open = test.thinking_open};
  if (test.tools) options.tools = tools;
  const auto parser = MakeParser(test.family, options);
  std::vector<Event> events;
  for (const std::string& piece : pieces) parser->Feed(piece, &events);
  parser->Finish(test.cut, &events);

  Outcome outcome;
  std::string name, arguments;
  bool open = false;
  for (const Event& event : events) {
    switch (event.kind) {
      case Event::Kind::kText:
        EXPECT_FALSE(open) << test.name;
        outcome.text += event.text;
        break;
      case Event::Kind::kThinking:
        EXPECT_FALSE(open) << test.name;
        outcome.thinking += event.text;
        break;
      case Event::Kind::kCallStart:
        EXPECT_FALSE(open) << test.name;
        open = true;
        name = event.text;
        arguments.clear();
        break;
      case Event::Kind::kArgsDelta:
        EXPECT_TRUE(open) << test.name;
        arguments += event.text;
        break;
      case Event::Kind::kCallEnd: {
        EXPECT_TRUE(open) << test.name;
        open = false;
        const Result<json::Value> input = json::Parse(arguments);
        outcome.calls += input.ok() ? CallLine(name, *input)
                                    : CallLine(name + " BROKEN", json::Value(arguments));
      }
    }
  }
  EXPECT_FALSE(open) << test.name;
  return outcome;
}

bool Same(const Outcome& a, const Outcome& b) {
  return a.text == b.text && a.thinking == b.thinking && a.calls == b.calls;
}

std::string Show(const Outcome& outcome) {
  return "text: " + json::Quote(outcome.text) + "\nthinking: " + json::Quote(outcome.thinking) +
         "\ncalls: " + outcome.calls;
}

std::vector<std::string> Bytes(const std::string& text) {
  std::vector<std::string> pieces;
  for (const char c : text) pieces.emplace_back(1, c);
  return pieces;
}

std::vector<std::string> RandomPieces(const std::string& text, std::mt19937* random) {
  std::vector<std::string> pieces;
  size_t i = 0;
  while (i < text.size()) {
    const size_t length = 1 + (*random)() % 9;
    pieces.push_back(text.substr(i, length));
    i += length;
  }
  return pieces;
}

TEST(Corpus, IsLargeEnoughToMeanSomething) {
  EXPECT_GE(Corpus().size(), 60u);
  const auto negatives = std::count_if(Corpus().begin(), Corpus().end(),
                                       [](const Case& test) { return test.expected_calls == 0; });
  EXPECT_GE(negatives, 20);
  const auto repairs = std::count_if(Corpus().begin(), Corpus().end(), [](const Case& test) {
    return test.name.starts_with("repair: ");
  });
  EXPECT_GE(repairs, 60);
}

TEST(Corpus, CallsAreRecoveredAndNothingElseIsTakenForOne) {
  int wanted = 0, recovered = 0;  // of those that need repair
  for (const Case& test : Corpus()) {
    const Outcome outcome = Read(test, {test.text});
    if (test.expected_calls == 0) {
      EXPECT_EQ(outcome.calls, "") << "taken for a call: " << test.name;
    } else if (test.name.starts_with("repair: ")) {
      ++wanted;
      recovered += outcome.calls == test.expected.calls ? 1 : 0;
    }
    if (test.missed) continue;
    EXPECT_TRUE(Same(outcome, test.expected)) << test.name << "\n--- got\n"
                                              << Show(outcome) << "--- expected\n"
                                              << Show(test.expected);
  }
  EXPECT_GE(recovered * 100, wanted * 95) << recovered << " of " << wanted;
}

TEST(Corpus, TheCutsOfTheTextDoNotMatter) {
  std::mt19937 random(7);
  for (const Case& test : Corpus()) {
    const Outcome whole = Read(test, {test.text});
    EXPECT_TRUE(Same(whole, Read(test, Bytes(test.text)))) << test.name << "\n--- whole\n"
                                                           << Show(whole) << "--- byte by byte\n"
                                                           << Show(Read(test, Bytes(test.text)));
    for (int round = 0; round < 20; ++round) {
      EXPECT_TRUE(Same(whole, Read(test, RandomPieces(test.text, &random)))) << test.name;
    }
  }
}

TEST(Corpus, EveryPrefixIsReadWithoutHarm) {
  for (const Case& test : Corpus()) {
    for (size_t length = 0; length < test.text.size(); ++length) {
      for (const bool cut : {false, true}) {
        Case prefix = test;
        prefix.cut = cut;
        Read(prefix, {test.text.substr(0, length)});
      }
    }
  }
}

TEST(Corpus, OtherFamiliesReadItWithoutHarm) {
  for (const Case& test : Corpus()) {
    for (const Family family :
         {Family::kGeneric, Family::kHermes, Family::kQwenXml, Family::kLlama3, Family::kMistral,
          Family::kDeepSeek, Family::kGlm, Family::kHarmony}) {
      Case other = test;
      other.family = family;
      const Outcome whole = Read(other, {test.text});
      EXPECT_TRUE(Same(whole, Read(other, Bytes(test.text)))) << test.name << FamilyName(family);
    }
  }
}

}  // namespace
}  // namespace ac::toolcall
