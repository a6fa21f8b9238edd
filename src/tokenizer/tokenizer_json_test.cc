#include "tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "support/tiny_vocab.h"
#include "support/tokenizer_json_export.h"
#include "tokenizer/tokenizer.h"

namespace ac::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<Tokenizer> Read(std::string_view tokenizer_json, std::string_view config = "") {
  auto spec = SpecFromTokenizerJson(tokenizer_json, config);
  EXPECT_TRUE(spec.ok()) << spec.status();
  if (!spec.ok()) return nullptr;
  auto created = Tokenizer::Create(*std::move(spec));
  EXPECT_TRUE(created.ok()) << created.status();
  return created.ok() ? std::move(created).value() : nullptr;
}

// A whole file around the interesting parts.
std::string File(std::string_view vocab, std::string_view merges, std::string_view more,
                 std::string_view model_more = "") {
  return std::string("{\"model\":{\"type\":\"BPE\",\"vocab\":") + std::string(vocab) +
         ",\"merges\":" + std::string(merges) + std::string(model_more) + "}" + std::string(more) +
         "}";
}

constexpr std::string_view kByteLevel =
    R"(,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";

TEST(TokenizerJsonTest, AnExportedVocabularyReadsBackTheSame) {
  const Spec spec = ac::testing::TinySpec();
  const auto original = Tokenizer::Create(spec).value();
  const auto copy = Read(ac::testing::TokenizerJsonExport(spec).ToString());
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->vocab_size(), original->vocab_size());
  const std::string text = "hello world <think> it's 42 <|im_end|>\n\xC3\xA9\xFF";
  EXPECT_EQ(copy->Encode(text), original->Encode(text));
  EXPECT_EQ(copy->Encode(text, {.parse_special = true}),
            original->Encode(text, {.parse_special = true}));
}

TEST(TokenizerJsonTest, MergesAreStringsOrPairs) {
  const std::string_view vocab = R"({"a":0,"b":1,"ab":2,"c":3,"abc":4})";
  for (const char* merges : {R"(["a b","ab c"])", R"([["a","b"],["ab","c"]])"}) {
    const auto t = Read(File(vocab, merges, kByteLevel));
    ASSERT_NE(t, nullptr);
    EXPECT_THAT(t->Encode("abcab"), ElementsAre(4, 2));
  }
}

TEST(TokenizerJsonTest, ReadsSentencePieceStyleFiles) {
  const auto t =
      Read(File(R"({"<unk>":0,"<s>":1,"<0x0A>":2,"\u2581":3,"a":4,"\u2581a":5})", R"(["\u2581 a"])",
                R"(,"added_tokens":[{"id":1,"content":"<s>","special":true,"normalized":false}],
          "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
            {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},
          "pre_tokenizer":null,
          "post_processor":{"type":"TemplateProcessing",
            "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A"}}]})",
                R"(,"byte_fallback":true,"unk_token":"<unk>")"));
  ASSERT_NE(t, nullptr);
  EXPECT_THAT(t->Encode("a a"), ElementsAre(5, 5));
  EXPECT_THAT(t->Encode("a\n", {.add_bos_eos = true}), ElementsAre(1, 5, 2));
  EXPECT_THAT(t->Encode("z"), ElementsAre(3, 0));  // no byte for it: unknown
  EXPECT_EQ(t->Decode(std::vector<int32_t>{5, 5, 2}), "a a\n");
}

TEST(TokenizerJsonTest, MetaspaceSplitsBeforeEachSpace) {
  const auto read = [](std::string_view scheme, std::string_view split) {
    return Read(File(R"({"\u2581":0,"a":1,"\u2581a":2,"\u2581\u2581":3})",
                     R"(["\u2581 \u2581","\u2581 a"])",
                     R"(,"pre_tokenizer":{"type":"Metaspace","replacement":"\u2581",
                         "prepend_scheme":")" +
                         std::string(scheme) + R"(","split":)" + std::string(split) + "}"));
  };
  EXPECT_THAT(read("always", "true")->Encode("a  a"), ElementsAre(2, 0, 2));
  EXPECT_THAT(read("always", "false")->Encode("a  a"), ElementsAre(2, 3, 1));
  EXPECT_THAT(read("always", "true")->Encode(" a"), ElementsAre(2));
  EXPECT_THAT(read("never", "true")->Encode("a"), ElementsAre(1));
}

TEST(TokenizerJsonTest, ASplitOnSpacesAfterTheyWereReplacedDoesNothing) {
  // Gemma's files have one.
  const auto t =
      Read(File(R"({"\u2581":0,"a":1,"a\u2581":2,"a\u2581a":3})", R"(["a \u2581","a\u2581 a"])",
                R"(,"normalizer":{"type":"Replace","pattern":{"String":" "},
                                "content":"\u2581"},
                              "pre_tokenizer":{"type":"Split","pattern":{"String":" "},
                                "behavior":"MergedWithPrevious","invert":false})"));
  ASSERT_NE(t, nullptr);
  EXPECT_THAT(t->Encode("a a"), ElementsAre(3));
}

TEST(TokenizerJsonTest, DigitsPunctuationAndSplitsChain) {
  const auto t = Read(File(R"({"1":0,"2":1,"12":2,"a":3,"!":4,"!!":5,"a!":6,"aa":7})",
                           R"(["1 2","! !","a !","a a"])",
                           R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[
            {"type":"Digits","individual_digits":true},{"type":"Punctuation"},
            {"type":"Split","pattern":{"Regex":"x"},"behavior":"Removed","invert":false},
            {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})"));
  ASSERT_NE(t, nullptr);
  EXPECT_THAT(t->Encode("12"), ElementsAre(0, 1));
  EXPECT_THAT(t->Encode("a!!"), ElementsAre(3, 4, 4));
  EXPECT_THAT(t->Encode("axaaa"), ElementsAre(3, 7, 3));
}

TEST(TokenizerJsonTest, ConfigurationNamesTheSpecialTokens) {
  const std::string file = File(R"({"a":0,"<s>":1,"</s>":2})", "[]",
                                std::string(kByteLevel) +
                                    R"(,"added_tokens":[{"id":1,"content":"<s>","special":true},
                                   {"id":2,"content":"</s>","special":true}])");
  const auto t = Read(file, R"({"bos_token":"<s>","eos_token":{"content":"</s>"},
                                "pad_token":null,"add_bos_token":true})");
  ASSERT_NE(t, nullptr);
  EXPECT_EQ(t->bos(), 1);
  EXPECT_EQ(t->eos(), 2);
  EXPECT_EQ(t->pad(), kNoToken);
  EXPECT_THAT(t->end_ids(), ElementsAre(2));
  EXPECT_THAT(t->Encode("a", {.add_bos_eos = true}), ElementsAre(1, 0));
  const auto none = Read(file, "{}");
  EXPECT_EQ(none->bos(), kNoToken);
  EXPECT_THAT(none->prefix_ids(), IsEmpty());
}

TEST(TokenizerJsonTest, ByteLevelMayPutASpaceInFront) {
  const auto t = Read(File(R"({"\u0120":0,"a":1,"\u0120a":2})", R"(["\u0120 a"])",
                           R"(,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true})"));
  ASSERT_NE(t, nullptr);
  EXPECT_THAT(t->Encode("a"), ElementsAre(2));
  EXPECT_THAT(t->Encode(" a"), ElementsAre(2));
}

TEST(TokenizerJsonTest, WhatWouldChangeIdsIsRefusedByName) {
  const auto refusal = [](std::string_view text) {
    const Status status = SpecFromTokenizerJson(text, "").status();
    EXPECT_EQ(status.code(), Code::kUnsupported) << status;
    return status.message();
  };
  EXPECT_THAT(refusal(R"({"model":{"type":"Unigram","vocab":[]}})"),
              AllOf(HasSubstr("Unigram"), HasSubstr("supported: BPE")));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"normalizer":{"type":"Lowercase"})")),
              HasSubstr("Lowercase"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"pre_tokenizer":{"type":"BertPreTokenizer"})")),
              HasSubstr("BertPreTokenizer"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"post_processor":{"type":"BertProcessing"})")),
              HasSubstr("BertProcessing"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"pre_tokenizer":{"type":"Split",
                 "pattern":{"String":"a"},"behavior":"Contiguous"})")),
              HasSubstr("Contiguous"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", "", R"(,"end_of_word_suffix":"</w>")")),
              HasSubstr("end_of_word_suffix"));
}

TEST(TokenizerJsonTest, DamagedFilesAreRefusedWithTheReason) {
  const auto refusal = [](std::string_view text) {
    const Status status = SpecFromTokenizerJson(text, "").status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status;
    return status.message();
  };
  EXPECT_THAT(refusal(""), HasSubstr("tokenizer.json"));
  EXPECT_THAT(refusal("[]"), HasSubstr("model"));
  EXPECT_THAT(refusal("{\"model\":"), HasSubstr("line 1"));
  EXPECT_THAT(refusal(File("[]", "[]", "")), HasSubstr("vocab"));
  EXPECT_THAT(refusal(File("{}", "[]", "")), HasSubstr("empty"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "{}", "")), HasSubstr("merges"));
  EXPECT_THAT(refusal(File("{\"a\":0,\"b\":0}", "[]", "")), HasSubstr("the id 0"));
  EXPECT_THAT(refusal(File("{\"a\":-1}", "[]", "")), HasSubstr("no valid id"));
  EXPECT_THAT(refusal(File("{\"a\":1e18}", "[]", "")), HasSubstr("no valid id"));
  EXPECT_THAT(refusal(File("{\"a\":\"0\"}", "[]", "")), HasSubstr("no valid id"));
  for (const char* merges :
       {R"(["a"])", R"([""])", R"([["a"]])", R"([["a","a","a"]])", "[7]", R"([["a",7]])"}) {
    EXPECT_THAT(refusal(File("{\"a\":0}", merges, "")), HasSubstr("merge 0")) << merges;
  }
  EXPECT_THAT(refusal(File("{\"a\":0}", R"(["a b"])", "")), HasSubstr("\"b\""));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"added_tokens":[{"content":"x"}])")),
              HasSubstr("added token"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"added_tokens":[{"id":1,"content":""}])")),
              HasSubstr("no content"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"pre_tokenizer":{"type":"Split"})")),
              HasSubstr("no pattern"));
  EXPECT_THAT(refusal(File("{\"a\":0}", "[]", R"(,"post_processor":{"type":"TemplateProcessing",
                 "single":[{"SpecialToken":{"id":"<s>"}}]})")),
              HasSubstr("<s>"));
  const Status config = SpecFromTokenizerJson(File("{\"a\":0}", "[]", ""), "{").status();
  EXPECT_THAT(config.message(), HasSubstr("tokenizer_config.json"));
}

}  // namespace
}  // namespace ac::tokenizer
