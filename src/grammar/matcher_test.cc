#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include <random>

#include "grammar/ebnf.h"
#include "grammar/free_text.h"
#include "grammar/json_schema.h"
#include "grammar/pieces.h"
#include "support/test_grammar.h"

namespace ac::grammar {
namespace {

// Words of several bytes, so that masks meet tokens that cross the parts of a grammar.
std::unique_ptr<tokenizer::Tokenizer> WordTokenizer() {
  tokenizer::Spec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
    spec.byte_ids[static_cast<size_t>(byte)] = byte;
  }
  std::mt19937 random(7);
  const std::vector<std::string> parts = {
      "\"", "\":",  "{", "}",  "]",  ",",    ", ",   ": ",           "a",
      "bc", "def",  " ", "1",  "23", "\xC3", "\xA9", "\xE4\xBD\xA0", "\\n",
      "\\", "true", "<", "</", "x>", "\n",   "[",    "\"}",          "e"};
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (auto n = 2 + random() % 4; n > 0; --n) word += parts[random() % parts.size()];
    spec.tokens.push_back({.bytes = word});
  }
  spec.tokens.push_back({.bytes = "<end>", .type = tokenizer::TokenType::kControl});
  spec.eos = static_cast<int32_t>(spec.tokens.size() - 1);
  spec.end_ids = {spec.eos};
  spec.tokens.push_back({.bytes = "<mark>", .type = tokenizer::TokenType::kControl});
  spec.tokens.push_back({.bytes = "<unused>", .type = tokenizer::TokenType::kUnused});
  auto tokenizer = tokenizer::Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return std::move(tokenizer).value();
}

class MatcherTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Grammar> OfSchema(std::string_view text) {
    const Result<json::Value> schema = json::Parse(text);
    ProgramBuilder builder;
    SchemaCompiler compiler(builder, *schema, nullptr);
    return Of(&builder, compiler.CompileRoot());
  }
  std::shared_ptr<const Grammar> OfEbnf(std::string_view text) {
    ProgramBuilder builder;
    return Of(&builder, CompileEbnf(builder, text));
  }
  std::shared_ptr<const Grammar> Of(ProgramBuilder* builder, Result<Piece> piece) {
    EXPECT_TRUE(piece.ok()) << piece.status();
    Result<Program> program = builder->Build(*piece);
    EXPECT_TRUE(program.ok()) << program.status();
    return std::make_shared<const Grammar>(std::move(program).value(), vocabulary_);
  }
  static bool Has(std::span<const uint64_t> mask, int32_t token) {
    return (mask[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
  }

  // Walks at random and compares masks with trying every token. With counts the mask may leave out
  // long tokens near a limit, never more than that.
  void CompareWithTrying(const std::shared_ptr<const Grammar>& grammar, bool counted) {
    std::mt19937 random(11);
    for (int round = 0; round < 12; ++round) {
      Matcher matcher(grammar);
      for (int step = 0; step < 25 && !matcher.ended(); ++step) {
        const auto mask = matcher.Mask();
        const std::vector<uint64_t> copy(mask.begin(), mask.end());
        std::vector<int32_t> allowed;
        for (int32_t token = 0; token < tokenizer_->vocab_size(); ++token) {
          const bool fits = matcher.AcceptToken(token);
          if (fits) matcher.Rollback(1);
          const bool left_out = counted && fits && tokenizer_->TokenBytes(token).size() > 1;
          if (!left_out) {
            ASSERT_EQ(Has(copy, token), fits) << token << " " << tokenizer_->TokenBytes(token);
          }
          if (Has(copy, token)) allowed.push_back(token);
        }
        ASSERT_FALSE(allowed.empty());
        ASSERT_TRUE(matcher.AcceptToken(allowed[random() % allowed.size()]));
      }
    }
  }

  const std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = WordTokenizer();
  const std::shared_ptr<const Vocabulary> vocabulary_ =
      std::make_shared<const Vocabulary>(*tokenizer_);
};

TEST_F(MatcherTest, MasksAreWhatTryingEveryTokenSays) {
  CompareWithTrying(OfSchema(R"({"type":"object","properties":{"a":{"type":"string"},
    "bc":{"type":"array","items":{"type":"integer"}},"def":{"enum":["a","bc",1]}},
    "required":["a"],"additionalProperties":{"type":"boolean"}})"),
                    false);
  CompareWithTrying(OfSchema("true"), false);
  CompareWithTrying(
      OfEbnf(R"(root ::= ("a" | "bc")* "<" [^<>]* "</x>" /[a-e]{2,}/ | [\u00e0-\u00ff]+)"), false);
}

TEST_F(MatcherTest, MasksNearALimitOnlyEverLeaveOutLongTokens) {
  CompareWithTrying(OfSchema(R"({"type":"string","minLength":3,"maxLength":9})"), true);
  CompareWithTrying(OfSchema(R"({"type":"array","minItems":2,"maxItems":3,
    "items":{"type":"string","minLength":1,"maxLength":60}})"),
                    true);
}

TEST_F(MatcherTest, FreeTextStopsAtItsMarksAndCountsCharacters) {
  ProgramBuilder builder;
  FreeTextOptions text;
  text.well_formed = true;
  text.min = 2;
  text.max = 6;
  text.marks = {{"\n</x>", Nothing()}, {"</x>", nullptr}};
  const auto grammar = Of(&builder, FreeText(text));
  EXPECT_TRUE(Matches(grammar, "ab\n</x>"));
  EXPECT_TRUE(Matches(grammar, "\n</\n</\n</x>"));
  EXPECT_TRUE(Matches(grammar, "\xC3\xA9\xE4\xBD\xA0\n</x>"));
  EXPECT_FALSE(Matches(grammar, "a\n</x>"));
  EXPECT_FALSE(Matches(grammar, "abcdefg\n</x>"));
  EXPECT_FALSE(Matches(grammar, "abc</x>\n</x>"));
  EXPECT_FALSE(Matches(grammar, "ab\xC3\n</x>"));
  CompareWithTrying(grammar, true);
}

TEST_F(MatcherTest, RollbackRestoresEveryState) {
  const auto grammar = OfSchema(R"({"type":"object","properties":{"a":{"type":"string",
    "maxLength":40}},"required":["a"]})");
  std::mt19937 random(5);
  Matcher matcher(grammar);
  std::vector<std::vector<uint64_t>> masks;
  for (int step = 0; step < 60 && !matcher.ended(); ++step) {
    const auto mask = matcher.Mask();
    masks.emplace_back(mask.begin(), mask.end());
    std::vector<int32_t> allowed;
    for (int32_t token = 0; token < tokenizer_->vocab_size(); ++token) {
      if (Has(masks.back(), token)) allowed.push_back(token);
    }
    ASSERT_TRUE(matcher.AcceptToken(allowed[random() % allowed.size()]));
  }
  Matcher copy(matcher);
  while (!masks.empty()) {
    matcher.Rollback(1);
    const auto mask = matcher.Mask();
    ASSERT_EQ(std::vector<uint64_t>(mask.begin(), mask.end()), masks.back());
    masks.pop_back();
  }
  EXPECT_FALSE(copy.Mask().empty());
}

TEST_F(MatcherTest, SpecialTokensAreNoText) {
  ProgramBuilder builder;
  const int32_t mark = vocabulary_->FindSpecial("<mark>");
  ASSERT_NE(mark, tokenizer::kNoToken);
  const auto grammar =
      Of(&builder,
         Sequence({Text("a"), [&](ProgramBuilder& b, Pc next) { return b.Token(mark, next); }}));
  Matcher matcher(grammar);
  EXPECT_FALSE(matcher.AcceptToken(mark));
  ASSERT_TRUE(matcher.AcceptBytes("a"));
  EXPECT_EQ(matcher.ForcedToken(), mark);
  EXPECT_FALSE(matcher.AcceptBytes("<mark>"));
  ASSERT_TRUE(matcher.AcceptToken(mark));
  EXPECT_TRUE(matcher.MayEnd());
  ASSERT_TRUE(matcher.AcceptToken(tokenizer_->eos()));
  EXPECT_TRUE(matcher.ended());
}

TEST_F(MatcherTest, ForcedBytesEndWhereAChoiceBegins) {
  const auto grammar = OfSchema(R"({"type":"object","properties":{"file_path":{"type":"string"}},
    "required":["file_path"],"additionalProperties":false})");
  Matcher matcher(grammar);
  EXPECT_EQ(matcher.ForcedBytes(100), "{");
  ASSERT_TRUE(matcher.AcceptBytes("{\""));
  EXPECT_EQ(matcher.ForcedBytes(100), "file_path\"");
  EXPECT_EQ(matcher.ForcedBytes(4), "file");
}

TEST_F(MatcherTest, ALongStringHasFewMasks) {
  const auto grammar = OfSchema(R"({"type":"string","maxLength":100000})");
  Matcher matcher(grammar);
  ASSERT_TRUE(matcher.AcceptBytes("\""));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(matcher.AcceptBytes("a"));
    matcher.Mask();
  }
  EXPECT_LT(grammar->masks().states(), 200u);
}

TEST(EbnfTest, ErrorsNameTheirPlace) {
  const auto error = [](std::string_view text) {
    ProgramBuilder builder;
    Result<Piece> piece = CompileEbnf(builder, text);
    return piece.ok() ? builder.Build(*piece).status() : piece.status();
  };
  const auto expect = [&](std::string_view text, std::string_view part) {
    EXPECT_NE(error(text).message().find(part), std::string::npos) << text << ": " << error(text);
  };
  expect("start ::= \"a\"", "root");
  expect("root ::= \"a\"\nroot ::= \"b\"", "line 2");
  expect("root ::= other", "\"other\" is used");
  expect("root ::= \"a", "closing quote");
  expect("root ::= (\"a\"", "expected )");
  expect("root ::= \"a\"{3,1}", "reversed");
  expect("root ::= root \"a\" | \"b\"", "left recursion");
  expect("root ::= x \"a\"\nx ::= \"q\"? root", "left recursion");
  expect("root ::= \"(\" root \")\"", "nothing can match");
  expect("", "root");
  EXPECT_TRUE(error("root ::= \"(\" root \")\" | \"x\" # fine\n").ok());
}

}  // namespace
}  // namespace ac::grammar
