#include <algorithm>
#include <unordered_map>

#include "json/json.h"
#include "weights/convert.h"

// A directory's tokenizer.json as GGUF metadata: byte-level BPE only, the kind all supported
// architectures are published with.
namespace ac::weights {
namespace {

// GGUF token types.
constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr int32_t kUserDefined = 4;
constexpr int32_t kUnused = 5;

// GGUF names the splitting rule; tokenizer.json spells it out. A part of the expression that no
// other rule has is enough to tell.
struct SplitRule {
  std::string_view part;
  std::string_view name;
};
constexpr SplitRule kSplitRules[] = {
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)", "tekken"},
    {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)", "llama-bpe"},
    {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?)", "qwen2"},
};

// All texts under "Regex" and "String" keys of the pre-tokeniser, whatever its nesting.
void CollectPatterns(const json::Value& value, int depth, std::string* out) {
  if (depth > 16) return;
  if (const json::Object* object = json::AsObject(&value)) {
    for (const auto& entry : *object) {
      if (entry.key() == "Regex" && entry.value().is_string()) {
        *out += std::string_view(entry.value().get_string());
        *out += '\n';
      }
      CollectPatterns(entry.value(), depth + 1, out);
    }
  } else if (const json::Array* array = json::AsArray(&value)) {
    for (const json::Value& item : *array) CollectPatterns(item, depth + 1, out);
  }
}

Result<std::string> SplitRuleName(const json::Value& tokenizer) {
  std::string patterns;
  if (const json::Value* pre = json::Find(tokenizer, "pre_tokenizer")) {
    CollectPatterns(*pre, 0, &patterns);
  }
  if (patterns.empty()) return std::string("gpt-2");
  for (const SplitRule& rule : kSplitRules) {
    if (patterns.find(rule.part) != std::string::npos) return std::string(rule.name);
  }
  return Unsupported("tokenizer.json splits text by a rule that GGUF has no known name for: " +
                     patterns.substr(0, 200));
}

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::unordered_map<std::string, int32_t> ids;
};

class VocabularyReader {
 public:
  explicit VocabularyReader(int size) : size_(size) {
    for (int i = 0; i < size; ++i) {
      out_.tokens.push_back("<|unused_" + std::to_string(i) + "|>");
      out_.types.push_back(kUnused);
    }
  }

  Result<Vocabulary> Run(const json::Value& tokenizer) {
    const json::Value* model = json::Find(tokenizer, "model");
    const json::Object* vocab =
        model == nullptr ? nullptr : json::AsObject(json::Find(*model, "vocab"));
    if (vocab == nullptr || json::GetString(*model, "type").value_or("BPE") != "BPE") {
      return Unsupported("tokenizer.json is not of type BPE, the only one that can be converted");
    }
    for (const auto& entry : *vocab) {
      AC_RETURN_IF_ERROR(Set(json::AsInt(&entry.value()), entry.key(), kNormal));
    }
    if (const json::Array* added = json::AsArray(json::Find(tokenizer, "added_tokens"))) {
      for (const json::Value& token : *added) {
        const bool special = json::GetBool(token, "special").value_or(false);
        AC_RETURN_IF_ERROR(Set(json::GetInt(token, "id"),
                               json::GetString(token, "content").value_or(""),
                               special ? kControl : kUserDefined));
      }
    }
    return std::move(out_);
  }

 private:
  Status Set(std::optional<int64_t> id, std::string_view text, int32_t type) {
    if (!id.has_value() || *id < 0 || *id >= size_) {
      return InvalidArgument("tokenizer.json gives token '" + std::string(text) +
                             "' an id outside the embedding's " + std::to_string(size_) + " rows");
    }
    out_.tokens[static_cast<size_t>(*id)] = text;
    out_.types[static_cast<size_t>(*id)] = type;
    out_.ids[std::string(text)] = static_cast<int32_t>(*id);
    return OkStatus();
  }

  const int64_t size_;
  Vocabulary out_;
};

// "a b", or in newer files ["a", "b"].
Result<std::vector<std::string>> ReadMerges(const json::Value& tokenizer) {
  std::vector<std::string> merges;
  const json::Value* model = json::Find(tokenizer, "model");
  const json::Array* list =
      model == nullptr ? nullptr : json::AsArray(json::Find(*model, "merges"));
  if (list == nullptr) return InvalidArgument("tokenizer.json has no merges");
  for (const json::Value& item : *list) {
    if (const auto text = json::AsString(&item)) {
      merges.emplace_back(*text);
      continue;
    }
    const json::Array* pair = json::AsArray(&item);
    const bool usable = pair != nullptr && pair->size() == 2;
    const auto left = usable ? json::AsString(&(*pair)[0]) : std::nullopt;
    const auto right = usable ? json::AsString(&(*pair)[1]) : std::nullopt;
    if (!left.has_value() || !right.has_value()) {
      return InvalidArgument("tokenizer.json has a merge that is no pair of texts");
    }
    merges.push_back(std::string(*left) + " " + std::string(*right));
  }
  return merges;
}

// Whether the post-processor puts a special token in front of every text.
bool AddsLeadingToken(const json::Value* processor, int depth) {
  if (processor == nullptr || depth > 8) return false;
  if (const json::Array* parts = json::AsArray(json::Find(*processor, "processors"))) {
    return std::any_of(parts->begin(), parts->end(), [depth](const json::Value& part) {
      return AddsLeadingToken(&part, depth + 1);
    });
  }
  const json::Array* single = json::AsArray(json::Find(*processor, "single"));
  return single != nullptr && !single->empty() &&
         json::Find(single->front(), "SpecialToken") != nullptr;
}

// tokenizer_config.json names special tokens as a text or as {"content": text}.
std::optional<int32_t> SpecialTokenId(const json::Value& config, std::string_view key,
                                      const Vocabulary& vocabulary) {
  const json::Value* value = json::Find(config, key);
  std::optional<std::string_view> text = json::AsString(value);
  if (!text.has_value() && value != nullptr) text = json::GetString(*value, "content");
  if (!text.has_value()) return std::nullopt;
  const auto it = vocabulary.ids.find(std::string(*text));
  return it == vocabulary.ids.end() ? std::nullopt : std::optional(it->second);
}

void AddTokenIds(const json::Value& config, const Vocabulary& vocabulary,
                 const TokenizerSource& source, GgufMetadataBuilder* out) {
  const auto add = [out](const char* key, std::optional<int32_t> id) {
    if (id.has_value()) out->AddUint32(key, static_cast<uint32_t>(*id));
  };
  add("tokenizer.ggml.bos_token_id", SpecialTokenId(config, "bos_token", vocabulary));
  add("tokenizer.ggml.padding_token_id", SpecialTokenId(config, "pad_token", vocabulary));
  // The first key is the one every reader knows; the others hold further ends of a turn.
  const char* keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                        "tokenizer.ggml.eom_token_id"};
  const std::vector<int32_t>& ends = source.eos_token_ids;
  if (ends.empty()) add(keys[0], SpecialTokenId(config, "eos_token", vocabulary));
  for (size_t i = 0; i < std::min(ends.size(), std::size(keys)); ++i) add(keys[i], ends[i]);
}

}  // namespace

Status AddTokenizerMetadata(const TokenizerSource& source, int vocab_size,
                            GgufMetadataBuilder* out) {
  if (source.tokenizer_json.empty()) {
    return NotFound("no tokenizer.json beside the weights; conversion needs it");
  }
  AC_ASSIGN_OR_RETURN(const json::Value tokenizer, json::Parse(source.tokenizer_json));
  json::Value config;
  if (!source.tokenizer_config_json.empty()) {
    AC_ASSIGN_OR_RETURN(config, json::Parse(source.tokenizer_config_json));
  }
  AC_ASSIGN_OR_RETURN(const std::string rule, SplitRuleName(tokenizer));
  AC_ASSIGN_OR_RETURN(const Vocabulary vocabulary, VocabularyReader(vocab_size).Run(tokenizer));
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> merges, ReadMerges(tokenizer));
  out->AddString("tokenizer.ggml.model", "gpt2");
  out->AddString("tokenizer.ggml.pre", rule);
  out->AddStringArray("tokenizer.ggml.tokens", vocabulary.tokens);
  out->AddInt32Array("tokenizer.ggml.token_type", vocabulary.types);
  out->AddStringArray("tokenizer.ggml.merges", merges);
  AddTokenIds(config, vocabulary, source, out);
  const bool leading = AddsLeadingToken(json::Find(tokenizer, "post_processor"), 0);
  out->AddBool("tokenizer.ggml.add_bos_token",
               json::GetBool(config, "add_bos_token").value_or(leading));
  if (!source.chat_template.empty()) {
    out->AddString("tokenizer.chat_template", source.chat_template);
  }
  if (!source.tool_use_template.empty()) {
    out->AddString("tokenizer.chat_template.tool_use", source.tool_use_template);
  }
  return OkStatus();
}

}  // namespace ac::weights
