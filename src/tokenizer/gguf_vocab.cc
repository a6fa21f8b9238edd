#include "tokenizer/gguf_vocab.h"

#include <algorithm>

#include "tokenizer/internal/scanners.h"
#include "tokenizer/internal/vocab_builder.h"

namespace ac::tokenizer {
namespace {

using internal::VocabBuilder;

// CJK ideographs, Hangul and what lies between, as DeepSeek's patterns write it:
// [U+4E00-U+9FA5 U+0800-U+4E00 U+AC00-U+D7FF].
constexpr std::string_view kDeepseekCjk =
    R"([\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";
// Cased letters, listed by range in the published file: what \p{L&} is without a few scripts.
constexpr std::string_view kDeepseekLlmLetters =
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A})"
    R"(\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556})"
    R"(\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF})"
    R"(\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D})"
    R"(\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D})"
    R"(\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3})"
    R"(\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"
    R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D})"
    R"(\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"
    R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF})"
    R"(\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F})"
    R"(\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2})"
    R"(\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)";
constexpr std::string_view kDeepseekLlmPunctuation =
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)";
constexpr std::string_view kDeepseekV3Cjk =
    R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)";
constexpr std::string_view kDeepseekV3Words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
    R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloomPattern =
    R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)";
constexpr std::string_view kSeedCoderPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}|)"
    R"( ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailingPattern =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";

struct PreTokenizer {
  std::string_view name;
  std::vector<std::string_view> patterns;
  bool ignore_merges = false;
  bool add_bos = false;  // when the file does not say
};

const std::vector<PreTokenizer>& PreTokenizers() {
  static const std::vector<PreTokenizer> table = [] {
    const std::string_view gpt2 = internal::kGpt2Pattern;
    const std::string_view llama3 = internal::kLlama3Pattern;
    const std::string_view qwen2 = internal::kQwen2Pattern;
    const std::string_view gpt4o = internal::kGpt4oPattern;
    const std::vector<std::string_view> deepseek_v3 = {R"(\p{N}{1,3})", kDeepseekV3Cjk,
                                                       kDeepseekV3Words};
    const std::vector<std::string_view> one_digit = {R"(\p{N})", gpt2};
    std::vector<PreTokenizer> all = {
        {"default", {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
        {"deepseek-coder", {"[\\r\\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}},
        {"deepseek-llm",
         {"[\\r\\n]", kDeepseekLlmLetters, kDeepseekLlmPunctuation, R"(\s+$)", kDeepseekCjk,
          R"(\p{N}+)"}},
        {"falcon", {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, "[0-9][0-9][0-9]"}},
        {"qwen35", {internal::kQwen35Pattern}},
        {"tekken", {internal::kTekkenPattern}, true, true},
        {"seed-coder", {kSeedCoderPattern}},
        {"viking", {kBloomPattern, R"(\p{N})"}},
    };
    const auto add = [&all](std::initializer_list<std::string_view> names,
                            const std::vector<std::string_view>& patterns,
                            bool ignore_merges = false, bool add_bos = false) {
      for (const std::string_view name : names) {
        all.push_back({name, patterns, ignore_merges, add_bos});
      }
    };
    add({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
        {llama3}, true, true);
    add({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, {llama3});
    add({"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2", "solar-open",
         "kormo", "f2llmv2"},
        {qwen2});
    add({"gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "a.x-4.0", "mellum", "exaone4",
         "trillion", "granite-docling", "modern-bert"},
        {gpt2});
    add({"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
        one_digit);
    add({"gpt-4o", "llama4", "minimax-m2", "kanana2"}, {gpt4o});
    add({"deepseek-v3", "hunyuan-dense", "joyai-llm"}, deepseek_v3);
    add({"bloom", "poro-chat", "gpt3-finnish"}, {kBloomPattern});
    add({"bailingmoe", "bailingmoe2", "llada-moe"}, {kBailingPattern});
    std::sort(all.begin(), all.end(),
              [](const PreTokenizer& a, const PreTokenizer& b) { return a.name < b.name; });
    return all;
  }();
  return table;
}

Status ApplyPreTokenizer(const GgufVocabFields& fields, Spec* spec, bool* add_bos) {
  if (!fields.pre_regexes.empty()) {
    for (const std::string& regex : fields.pre_regexes) spec->splits.push_back({regex});
    return OkStatus();
  }
  for (const PreTokenizer& known : PreTokenizers()) {
    if (known.name != fields.pre) continue;
    for (const std::string_view pattern : known.patterns) {
      spec->splits.push_back({std::string(pattern)});
    }
    spec->ignore_merges = known.ignore_merges;
    *add_bos = known.add_bos;
    return OkStatus();
  }
  std::string names;
  for (const std::string& name : SupportedPreTokenizers())
    names += (names.empty() ? "" : ", ") + name;
  return Unsupported(
      "[tokenizer] " +
      (fields.pre.empty() ? std::string("the file names no pre-tokeniser (tokenizer.ggml.pre)")
                          : "unknown pre-tokeniser \"" + std::string(fields.pre) + "\"") +
      ": a wrong one would degrade every answer; convert the model again to one of: " + names);
}

TokenType TypeOf(const GgufVocabFields& fields, size_t id) {
  if (fields.types.empty()) {
    // Files from before token types: byte tokens are known by their name.
    const bool byte = fields.model == "llama" && internal::ByteFromName(fields.tokens[id]);
    return byte ? TokenType::kByte : TokenType::kNormal;
  }
  const int64_t type = fields.types[id];
  return type >= 1 && type <= 6 ? static_cast<TokenType>(type) : TokenType::kNormal;
}

Status AddTokens(const GgufVocabFields& fields, VocabBuilder* builder) {
  const size_t count = fields.tokens.size();
  if (count == 0) {
    return InvalidArgument("[tokenizer] the vocabulary is empty (tokenizer.ggml.tokens)");
  }
  const auto check_size = [count](size_t size, std::string_view what) {
    if (size == 0 || size == count) return OkStatus();
    return InvalidArgument("[tokenizer] " + std::string(what) + " has " + std::to_string(size) +
                           " entries for " + std::to_string(count) + " tokens");
  };
  AC_RETURN_IF_ERROR(check_size(fields.scores.size(), "tokenizer.ggml.scores"));
  AC_RETURN_IF_ERROR(check_size(fields.types.size(), "tokenizer.ggml.token_type"));
  builder->Reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const float score = fields.scores.empty() ? 0.0f : static_cast<float>(fields.scores[i]);
    AC_RETURN_IF_ERROR(
        builder->Add(static_cast<int64_t>(i), fields.tokens[i], TypeOf(fields, i), score));
  }
  return OkStatus();
}

Status AddMerges(const GgufVocabFields& fields, VocabBuilder* builder) {
  for (size_t i = 0; i < fields.merges.size(); ++i) {
    const std::string_view merge = fields.merges[i];
    // From 1: the left half may itself be a space in vocabularies that do not hide spaces.
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      return InvalidArgument("[tokenizer] merge " + std::to_string(i) +
                             " is not two tokens with a space between");
    }
    AC_RETURN_IF_ERROR(builder->AddMerge(merge.substr(0, space), merge.substr(space + 1)));
  }
  return OkStatus();
}

Result<int32_t> SpecialId(const GgufVocabFields& fields, std::optional<int64_t> id,
                          std::string_view what) {
  // 0xFFFFFFFF and negative numbers are how files say "none".
  if (!id || *id < 0 || *id == 0xFFFFFFFF) return kNoToken;
  if (*id >= static_cast<int64_t>(fields.tokens.size())) {
    return InvalidArgument("[tokenizer] the " + std::string(what) + " token is " +
                           std::to_string(*id) + ", but the vocabulary has " +
                           std::to_string(fields.tokens.size()) + " tokens");
  }
  return static_cast<int32_t>(*id);
}

Status AddSpecialIds(const GgufVocabFields& fields, bool add_bos_default, Spec* spec) {
  AC_ASSIGN_OR_RETURN(spec->bos, SpecialId(fields, fields.bos_id, "bos"));
  AC_ASSIGN_OR_RETURN(spec->eos, SpecialId(fields, fields.eos_id, "eos"));
  AC_ASSIGN_OR_RETURN(spec->eot, SpecialId(fields, fields.eot_id, "eot"));
  AC_ASSIGN_OR_RETURN(spec->unk, SpecialId(fields, fields.unk_id, "unknown"));
  AC_ASSIGN_OR_RETURN(spec->pad, SpecialId(fields, fields.pad_id, "padding"));
  AC_ASSIGN_OR_RETURN(const int32_t eom, SpecialId(fields, fields.eom_id, "eom"));
  if (eom != kNoToken) spec->end_ids.push_back(eom);
  if (fields.add_bos.value_or(add_bos_default) && spec->bos != kNoToken) {
    spec->prefix_ids.push_back(spec->bos);
  }
  if (fields.add_eos.value_or(false) && spec->eos != kNoToken) {
    spec->suffix_ids.push_back(spec->eos);
  }
  return OkStatus();
}

// Phi-3's special tokens swallow the white space after them; its GGUF files do not say so.
void ApplyPhi3Stripping(const GgufVocabFields& fields, Spec* spec) {
  std::string name(fields.model_name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return;
  for (Token& token : spec->tokens) {
    const bool special = token.type == TokenType::kControl ||
                         token.type == TokenType::kUserDefined || token.type == TokenType::kUnknown;
    token.rstrip =
        special && token.bytes != "<unk>" && token.bytes != "<s>" && token.bytes != "<|endoftext|>";
  }
}

}  // namespace

std::vector<std::string> SupportedPreTokenizers() {
  std::vector<std::string> names;
  for (const PreTokenizer& known : PreTokenizers()) names.emplace_back(known.name);
  return names;
}

Result<Spec> SpecFromGgufFields(const GgufVocabFields& fields) {
  Spec spec;
  bool add_bos = false;
  if (fields.model == "gpt2") {
    spec.algorithm = Algorithm::kByteBpe;
    AC_RETURN_IF_ERROR(ApplyPreTokenizer(fields, &spec, &add_bos));
    spec.space_prefix = fields.add_space_prefix.value_or(false);
  } else if (fields.model == "llama") {
    spec.algorithm = Algorithm::kCharSpm;
    spec.space_marker = true;
    spec.space_prefix = fields.add_space_prefix.value_or(true);
    add_bos = true;
    if (fields.scores.empty() && !fields.tokens.empty()) {
      return InvalidArgument("[tokenizer] a SentencePiece vocabulary needs tokenizer.ggml.scores");
    }
  } else {
    return Unsupported("[tokenizer] vocabulary kind \"" + std::string(fields.model) +
                       "\" (tokenizer.ggml.model); supported: gpt2, llama");
  }
  VocabBuilder builder(&spec);
  AC_RETURN_IF_ERROR(AddTokens(fields, &builder));
  if (fields.model == "gpt2") AC_RETURN_IF_ERROR(AddMerges(fields, &builder));
  AC_RETURN_IF_ERROR(AddSpecialIds(fields, add_bos, &spec));
  ApplyPhi3Stripping(fields, &spec);
  builder.Finish();
  return spec;
}

}  // namespace ac::tokenizer
