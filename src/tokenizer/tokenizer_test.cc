#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <thread>

#include "support/tiny_vocab.h"
#include "tokenizer/stream_decoder.h"

namespace ac::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<Tokenizer> Make(Spec spec) {
  auto created = Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(created.ok()) << created.status();
  return created.ok() ? std::move(created).value() : nullptr;
}

TEST(TokenizerTest, MergesByRankWithinWords) {
  const auto t = ac::testing::TinyTokenizer();
  EXPECT_THAT(t->Encode("hello world"), ElementsAre(t->FindToken("hello"), t->FindToken(" world")));
  EXPECT_THAT(t->Encode("hellhe"), ElementsAre(t->FindToken("hell"), t->FindToken("he")));
  EXPECT_THAT(t->Encode("aaaaaaa"), ElementsAre(t->FindToken("aaaa"), t->FindToken("aa"), 'a'));
  EXPECT_THAT(t->Encode(""), IsEmpty());
}

TEST(TokenizerTest, ControlTokensAreTextUnlessParsed) {
  const auto t = ac::testing::TinyTokenizer();
  const std::string text = "<|im_start|>hello<|im_end|>";
  EXPECT_THAT(t->Encode(text, {.parse_special = true}),
              ElementsAre(t->FindToken("<|im_start|>"), t->FindToken("hello"), t->eos()));
  const auto plain = t->Encode(text);
  for (const int32_t id : plain) EXPECT_FALSE(t->IsSpecial(id));
  EXPECT_EQ(t->Decode(plain), text);
}

TEST(TokenizerTest, UserDefinedTokensAreAlwaysMatched) {
  const auto t = ac::testing::TinyTokenizer();
  const int32_t think = t->FindToken("<think>");
  EXPECT_THAT(t->Encode("a<think>a"), ElementsAre('a', think, 'a'));
  EXPECT_FALSE(t->IsSpecial(think));
}

TEST(TokenizerTest, BosAndEosAppearOnlyWhenAsked) {
  Spec spec = ac::testing::TinySpec();
  spec.suffix_ids = {spec.eos};
  const auto t = Make(std::move(spec));
  EXPECT_THAT(t->Encode("a", {.add_bos_eos = true}), ElementsAre(t->bos(), 'a', t->eos()));
  EXPECT_THAT(t->Encode("a"), ElementsAre('a'));
  EXPECT_THAT(t->Encode("", {.add_bos_eos = true}), ElementsAre(t->bos(), t->eos()));
}

TEST(TokenizerTest, DecodeCanLeaveControlTokensOut) {
  const auto t = ac::testing::TinyTokenizer();
  const std::vector<int32_t> ids = {t->bos(), 'h', t->eos()};
  EXPECT_EQ(t->Decode(ids), "<|bos|>h<|im_end|>");
  EXPECT_EQ(t->Decode(ids, {.skip_special = true}), "h");
}

TEST(TokenizerTest, IdsOutsideTheVocabularyAreHarmless) {
  const auto t = ac::testing::TinyTokenizer();
  for (const int32_t id : {-1, t->vocab_size(), std::numeric_limits<int32_t>::max(),
                           std::numeric_limits<int32_t>::min()}) {
    EXPECT_EQ(t->TokenBytes(id), "");
    EXPECT_FALSE(t->IsSpecial(id));
    EXPECT_FALSE(t->IsEndOfGeneration(id));
    EXPECT_EQ(t->Decode(std::vector<int32_t>{id}), "");
  }
}

TEST(TokenizerTest, OfSeveralSpecialTokensTheLeftmostLongestWins) {
  Spec spec = ac::testing::TinySpec();
  for (const char* name : {"<a>", "<a><b>", "b><c"}) {
    spec.tokens.push_back({.bytes = name, .type = TokenType::kControl});
  }
  const auto t = Make(std::move(spec));
  EXPECT_THAT(t->Encode("<a><b><c", {.parse_special = true}),
              ElementsAre(t->FindToken("<a><b>"), '<', 'c'));
  EXPECT_THAT(t->Encode("<a>b><c", {.parse_special = true}),
              ElementsAre(t->FindToken("<a>"), t->FindToken("b><c")));
}

TEST(TokenizerTest, StrippingTokensSwallowTheSpaceAround) {
  Spec spec = ac::testing::TinySpec();
  spec.tokens.push_back({.bytes = "[L]", .type = TokenType::kControl, .lstrip = true});
  spec.tokens.push_back({.bytes = "[R]", .type = TokenType::kControl, .rstrip = true});
  spec.tokens.push_back({.bytes = "[W]", .type = TokenType::kControl, .single_word = true});
  const auto t = Make(std::move(spec));
  const int32_t l = t->FindToken("[L]");
  const int32_t r = t->FindToken("[R]");
  const int32_t w = t->FindToken("[W]");
  const EncodeOptions parse = {.parse_special = true};
  EXPECT_THAT(t->Encode("a \n\xC2\xA0[L] a", parse), ElementsAre('a', l, ' ', 'a'));
  EXPECT_THAT(t->Encode("a [R] \t\xE3\x80\x80 a", parse), ElementsAre('a', ' ', r, 'a'));
  EXPECT_THAT(t->Encode("[R] [L]", parse), ElementsAre(r, l));
  EXPECT_THAT(t->Encode(".[W].", parse), ElementsAre('.', w, '.'));
  EXPECT_THAT(t->Encode("a[W]", parse), ElementsAre('a', '[', 'W', ']'));
  EXPECT_THAT(t->Encode("[W]_", parse), ElementsAre('[', 'W', ']', '_'));
}

TEST(TokenizerTest, EveryByteStringComesBack) {
  const auto t = ac::testing::TinyTokenizer();
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random() % 256);
    EXPECT_EQ(t->Decode(t->Encode(text)), text);
    EXPECT_EQ(t->Decode(t->Encode(text, {.parse_special = true})), text);
  }
}

TEST(TokenizerTest, NulBytesAreOrdinary) {
  Spec spec = ac::testing::TinySpec();
  spec.tokens.push_back({.bytes = std::string("<\0>", 3), .type = TokenType::kControl});
  const auto t = Make(std::move(spec));
  const std::string text("a\0<\0>", 5);
  EXPECT_EQ(t->Decode(t->Encode(text)), text);
  EXPECT_THAT(t->Encode(text, {.parse_special = true}), ElementsAre('a', 0, t->vocab_size() - 1));
}

TEST(TokenizerTest, WordsRepeatedInOneTextEncodeAsTheFirstTime) {
  const auto t = ac::testing::TinyTokenizer();
  // Enough different words to make the cache of the call replace entries.
  std::mt19937 random(4);
  std::vector<std::string> words(9000);
  for (std::string& word : words) {
    for (size_t i = 1 + random() % 12; i > 0; --i) word += "helowrda"[random() % 8];
    word += '\n';
  }
  std::string text;
  std::vector<int32_t> expected;
  for (int i = 0; i < 40000; ++i) {
    const std::string& word = words[random() % words.size()];
    text += word;
    const auto ids = t->Encode(word);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(t->Encode(text), expected);
}

TEST(TokenizerTest, ComposesCharactersWhenTheModelWantsIt) {
  Spec spec = ac::testing::TinySpec();
  spec.nfc = true;
  const auto t = Make(std::move(spec));
  EXPECT_EQ(t->Encode("e\xCC\x81"), t->Encode("\xC3\xA9"));
  EXPECT_EQ(ac::testing::TinyTokenizer()->Encode("e\xCC\x81").size(), 3u);
  EXPECT_EQ(t->Decode(t->Encode("\xE4\xFF\x80")), "\xE4\xFF\x80");  // not UTF-8: left alone
}

TEST(TokenizerTest, BytesWithoutATokenBecomeUnknownOrNothing) {
  Spec spec = ac::testing::TinySpec();
  spec.byte_ids['z'] = kNoToken;
  const int32_t unk = spec.unk;
  EXPECT_THAT(Make(spec)->Encode("zh"), ElementsAre(unk, 'h'));
  spec.unk = kNoToken;
  EXPECT_THAT(Make(spec)->Encode("zh"), ElementsAre('h'));
}

TEST(TokenizerTest, IgnoringMergesAWordThatIsATokenStaysWhole) {
  Spec spec = ac::testing::TinySpec();
  spec.tokens.push_back({.bytes = "hew"});  // no merge makes it
  EXPECT_THAT(Make(spec)->Encode("hew"), ElementsAre(256, 'w'));
  spec.ignore_merges = true;
  EXPECT_THAT(Make(spec)->Encode("hew"), ElementsAre(static_cast<int32_t>(spec.tokens.size()) - 1));
}

// A SentencePiece-style vocabulary: scores decide, missing characters fall back to bytes.
Spec SpmSpec() {
  Spec spec;
  spec.algorithm = Algorithm::kCharSpm;
  spec.space_marker = spec.space_prefix = true;
  spec.tokens.push_back({.bytes = "<unk>", .type = TokenType::kUnknown});
  spec.tokens.push_back({.bytes = "<s>", .type = TokenType::kControl});
  for (int b = 0; b < 256; ++b) {
    spec.byte_ids[b] = static_cast<int32_t>(spec.tokens.size());
    spec.tokens.push_back(
        {.bytes = std::string(1, static_cast<char>(b)), .type = TokenType::kByte});
  }
  float score = 0;
  for (const char* text : {" a", "ab", " ab", "bc", "  ", " ", "a", "b", "c", "\xC3\xA9"}) {
    spec.tokens.push_back({.bytes = text, .score = score--});
  }
  spec.unk = 0;
  spec.bos = 1;
  return spec;
}

TEST(TokenizerTest, ScoresDecideWhichPairMerges) {
  const auto t = Make(SpmSpec());
  EXPECT_THAT(t->Encode("ab"), ElementsAre(t->FindToken(" ab")));
  EXPECT_THAT(t->Encode("abc"), ElementsAre(t->FindToken(" ab"), t->FindToken("c")));
  EXPECT_THAT(t->Encode("c\xC3\xA9"),
              ElementsAre(t->FindToken(" "), t->FindToken("c"), t->FindToken("\xC3\xA9")));
}

TEST(TokenizerTest, MissingCharactersFallBackToBytes) {
  const auto t = Make(SpmSpec());
  EXPECT_THAT(t->Encode("\xE4\xB8\xAD"),
              ElementsAre(t->FindToken(" "), 2 + 0xE4, 2 + 0xB8, 2 + 0xAD));
  EXPECT_EQ(t->Decode(t->Encode("a\n\xE4\xB8\xAD\xFF")), "a\n\xE4\xB8\xAD\xFF");
  EXPECT_EQ(t->FindToken("\n"), 2 + '\n');
}

TEST(TokenizerTest, TheSpacePrefixFollowsSpecialTokensToo) {
  const auto t = Make(SpmSpec());
  const EncodeOptions parse = {.parse_special = true};
  EXPECT_THAT(t->Encode("<s>a<s>", parse), ElementsAre(1, t->FindToken(" a"), 1));
  EXPECT_THAT(t->Encode("a<s>a", parse), ElementsAre(t->FindToken(" a"), 1, t->FindToken(" a")));
  EXPECT_THAT(t->Encode("", parse), IsEmpty());
  Spec first_only = SpmSpec();
  first_only.space_prefix_first_only = true;
  const auto f = Make(std::move(first_only));
  EXPECT_THAT(f->Encode("<s>a", parse), ElementsAre(1, f->FindToken("a")));
  Spec unless_present = SpmSpec();
  unless_present.space_prefix_unless_present = true;
  const auto u = Make(std::move(unless_present));
  EXPECT_EQ(u->Encode(" a"), u->Encode("a"));
  EXPECT_NE(t->Encode(" a"), t->Encode("a"));
}

TEST(TokenizerTest, DecodeTakesTheSpacePrefixOffOnlyInFront) {
  const auto t = Make(SpmSpec());
  const std::vector<int32_t> ids = {t->FindToken(" a"), t->FindToken(" a")};
  EXPECT_EQ(t->Decode(ids), "a a");
  EXPECT_EQ(t->Decode(ids, {.strip_space_prefix = false}), " a a");
}

TEST(TokenizerTest, TheSpaceMarkerInTextIsASpace) {
  const auto t = Make(SpmSpec());
  EXPECT_EQ(t->Encode("a\xE2\x96\x81"
                      "b"),
            t->Encode("a b"));
}

TEST(TokenizerTest, OneTokenizerServesManyThreads) {
  const auto t = ac::testing::TinyTokenizer();
  const std::string text = "hello world, hellhe aaaaa <think> 123\n";
  const auto expected = t->Encode(text);
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) EXPECT_EQ(t->Encode(text), expected);
    });
  }
}

TEST(TokenizerTest, RefusesSpecsThatPointOutsideThemselves) {
  const auto refusal = [](auto change) {
    Spec spec = ac::testing::TinySpec();
    change(spec);
    return Tokenizer::Create(std::move(spec)).status();
  };
  EXPECT_THAT(refusal([](Spec& s) { s.tokens.clear(); }).message(), HasSubstr("empty"));
  EXPECT_THAT(refusal([](Spec& s) { s.eos = 99999; }).message(), HasSubstr("eos is token 99999"));
  EXPECT_THAT(refusal([](Spec& s) { s.unk = -7; }).message(), HasSubstr("-7"));
  EXPECT_FALSE(refusal([](Spec& s) { s.prefix_ids = {kNoToken}; }).ok());
  EXPECT_FALSE(refusal([](Spec& s) { s.merges.push_back({0, 1, 1 << 20}); }).ok());
  EXPECT_FALSE(refusal([](Spec& s) { s.byte_ids[0] = 1 << 20; }).ok());
  EXPECT_FALSE(refusal([](Spec& s) { s.splits.push_back({"("}); }).ok());
  EXPECT_FALSE(refusal([](Spec& s) { s.tokens[0].bytes.assign(1 << 20, 'x'); }).ok());
  EXPECT_FALSE(refusal([](Spec& s) {
                 s.algorithm = Algorithm::kCharSpm;
                 s.tokens[3].score = std::numeric_limits<float>::quiet_NaN();
               }).ok());
}

TEST(StreamDecoderTest, HoldsACharacterBackUntilItIsComplete) {
  const auto t = ac::testing::TinyTokenizer();
  StreamDecoder stream(*t);
  EXPECT_EQ(stream.Push('a'), "a");
  EXPECT_EQ(stream.Push(0xF0), "");
  EXPECT_EQ(stream.Push(0x9F), "");
  EXPECT_EQ(stream.Push(0x98), "");
  EXPECT_TRUE(stream.has_pending());
  EXPECT_EQ(stream.Push(0x80), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stream.Flush(), "");
}

TEST(StreamDecoderTest, BytesThatNeverCompleteBecomeReplacementCharacters) {
  const auto t = ac::testing::TinyTokenizer();
  StreamDecoder stream(*t);
  EXPECT_EQ(stream.Push(0xF0), "");
  EXPECT_EQ(stream.Push('a'),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(stream.Push(0xFF), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.Push(0xE4), "");
  EXPECT_EQ(stream.Flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.Flush(), "");
}

TEST(StreamDecoderTest, LeavesControlTokensOutUnlessAsked) {
  const auto t = ac::testing::TinyTokenizer();
  StreamDecoder quiet(*t);
  EXPECT_EQ(quiet.Push(t->eos()), "");
  StreamDecoder loud(*t, /*skip_special=*/false);
  EXPECT_EQ(loud.Push(t->eos()), "<|im_end|>");
}

TEST(StreamDecoderTest, AnyCutOfATextGivesTheSameText) {
  const auto t = ac::testing::TinyTokenizer();
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = "\xF0\x9F\x98\x80\xC3\xA9 a"[random() % 8];
    StreamDecoder stream(*t);
    std::string text;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = 1 + random() % 3;
      text += stream.PushBytes(std::string_view(bytes).substr(at, length));
      EXPECT_TRUE(IsValidUtf8(text));
      at += length;
    }
    text += stream.Flush();
    EXPECT_EQ(text, RepairUtf8(bytes));
  }
}

}  // namespace
}  // namespace ac::tokenizer
