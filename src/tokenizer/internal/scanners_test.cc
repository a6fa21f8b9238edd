// The hand-written scanners against PCRE2 running the published patterns.
#include "tokenizer/internal/scanners.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/internal/splitter.h"

namespace ac::tokenizer::internal {
namespace {

std::vector<std::string> Words(const Splitter& splitter, std::string_view text) {
  std::vector<std::string> words;
  splitter.ForEachWord(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

class ScannerTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    const std::vector<SplitRule> rules = {{std::string(GetParam())}};
    ASSERT_NE(ScannerFor(GetParam()), nullptr);
    fast_ = Splitter::Create(rules).value();
    oracle_ = Splitter::Create(rules, /*use_scanners=*/false).value();
  }
  Splitter fast_;
  Splitter oracle_;
};

// One of each kind of character that some pattern treats apart.
const std::vector<std::string>& Alphabet() {
  static const std::vector<std::string> all = {"a",
                                               "S",
                                               "'",
                                               "l",
                                               "1",
                                               "\xD9\xA1",  // Arabic digit
                                               " ",
                                               "\n",
                                               "\r",
                                               "\t",
                                               "\xC2\xA0",
                                               "\xC3\xA9",  // no-break space, e acute
                                               "\xCA\xB0",
                                               "\xCC\x81",  // modifier h, acute mark
                                               "\xE4\xB8\xAD",
                                               ".",
                                               "/",
                                               "\xF0\x9F\x98\x80",
                                               "\xC5\xBF",   // CJK, emoji, long s
                                               "\xC7\x85"};  // title-case letter
  return all;
}

TEST_P(ScannerTest, AgreesOnTextsOfFourCharacters) {
  const auto& alphabet = Alphabet();
  const size_t n = alphabet.size();
  size_t wrong = 0;
  // One in seven of all texts, so that every three characters meet in a row.
  for (size_t i = 0; i < n * n * n * n && wrong < 5; i += 7) {
    const std::string text =
        alphabet[i % n] + alphabet[i / n % n] + alphabet[i / n / n % n] + alphabet[i / n / n / n];
    const auto words = Words(fast_, text);
    const auto expected = Words(oracle_, text);
    if (words != expected) ++wrong;
    EXPECT_EQ(words, expected) << "text " << text;
  }
}

TEST_P(ScannerTest, AgreesOnLongRandomTexts) {
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    const size_t pieces = random() % 60;
    for (size_t i = 0; i < pieces; ++i) {
      const std::string& piece = Alphabet()[random() % Alphabet().size()];
      for (size_t repeat = random() % 8 == 0 ? random() % 9 : 1; repeat > 0; --repeat)
        text += piece;
    }
    ASSERT_EQ(Words(fast_, text), Words(oracle_, text)) << text;
  }
}

TEST_P(ScannerTest, AgreesOnBytesThatAreNotUtf8) {
  std::mt19937 random(8);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i > 0; --i) {
      text +=
          random() % 2 == 0 ? static_cast<char>(random() % 256) : "a 1.'\n\xE4\xB8"[random() % 8];
    }
    ASSERT_EQ(Words(fast_, text), Words(oracle_, text)) << ::testing::PrintToString(text);
  }
}

TEST_P(ScannerTest, IsLinearInRunsOfOneCharacter) {
  for (const std::string& c : Alphabet()) {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += c;
    size_t bytes = 0;
    fast_.ForEachWord(text, [&](std::string_view word) { bytes += word.size(); });
    EXPECT_EQ(bytes, text.size());
  }
}

std::string NameOf(const ::testing::TestParamInfo<std::string_view>& param) {
  constexpr const char* kNames[] = {"Gpt2", "Llama3", "Qwen2", "Qwen35", "Gpt4o", "Tekken"};
  return kNames[param.index];
}
INSTANTIATE_TEST_SUITE_P(Patterns, ScannerTest,
                         ::testing::Values(kGpt2Pattern, kLlama3Pattern, kQwen2Pattern,
                                           kQwen35Pattern, kGpt4oPattern, kTekkenPattern),
                         NameOf);

// The two libraries follow different versions of Unicode: 15.0 has 4,489 characters more than 14.0.
TEST(CharacterClassTest, ClassesEveryCharacterAsPcre2DoesUpToTheUnicodeVersion) {
  // Between them these two patterns tell all classes apart.
  for (const std::string_view pattern : {kQwen35Pattern, kGpt4oPattern}) {
    const std::vector<SplitRule> rules = {{std::string(pattern)}};
    const Splitter fast = Splitter::Create(rules).value();
    const Splitter oracle = Splitter::Create(rules, /*use_scanners=*/false).value();
    int differences = 0;
    for (uint32_t c = 1; c < 0x32000; ++c) {  // nothing but tags and private use beyond
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string text = "b";
      AppendUtf8(c, &text);
      text += "X ";
      AppendUtf8(c, &text);
      if (Words(fast, text) != Words(oracle, text)) ++differences;
    }
    EXPECT_LE(differences, 4500) << pattern;
  }
}

TEST(SplitterTest, ModesPlaceTheMatchesAsTheyShould) {
  const auto split = [](SplitMode mode, bool invert) {
    auto splitter = Splitter::Create(std::vector<SplitRule>{{"-+", mode, invert}});
    return Words(*splitter, "a--b-c-");
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(split(SplitMode::kIsolated, false), (Strings{"a", "--", "b", "-", "c", "-"}));
  EXPECT_EQ(split(SplitMode::kRemoved, false), (Strings{"a", "b", "c"}));
  EXPECT_EQ(split(SplitMode::kRemoved, true), (Strings{"--", "-", "-"}));
  EXPECT_EQ(split(SplitMode::kMergedWithPrevious, false), (Strings{"a--", "b-", "c-"}));
  EXPECT_EQ(split(SplitMode::kMergedWithNext, false), (Strings{"a", "--b", "-c", "-"}));
}

TEST(SplitterTest, RulesSplitThePiecesOfTheRuleBefore) {
  auto splitter =
      Splitter::Create(std::vector<SplitRule>{{R"(\p{N})"}, {std::string(kGpt2Pattern)}});
  EXPECT_EQ(Words(*splitter, "ab 12c"), (std::vector<std::string>{"ab", " ", "1", "2", "c"}));
}

TEST(SplitterTest, EmptyMatchesDoNotLoopOrLoseText) {
  for (const char* regex : {"", "x*", "(?=a)", "$", "^"}) {
    auto splitter = Splitter::Create(std::vector<SplitRule>{{regex}});
    std::string joined;
    for (const std::string& word : Words(*splitter, "ba\xC3\xA9 xxa\n")) joined += word;
    EXPECT_EQ(joined, "ba\xC3\xA9 xxa\n") << regex;
  }
}

TEST(SplitterTest, AHostilePatternEndsAndKeepsTheText) {
  auto splitter = Splitter::Create(std::vector<SplitRule>{{"(a+)+b"}});
  const std::string text = std::string(64, 'a') + "c";
  std::string joined;
  for (const std::string& word : Words(*splitter, text)) joined += word;
  EXPECT_EQ(joined, text);
}

TEST(SplitterTest, ABrokenPatternIsNamedWithItsFault) {
  const Status status = Splitter::Create(std::vector<SplitRule>{{"a(b"}}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("a(b"), std::string::npos) << status;
}

}  // namespace
}  // namespace ac::tokenizer::internal
