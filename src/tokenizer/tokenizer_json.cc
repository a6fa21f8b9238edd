#include "tokenizer/tokenizer_json.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "json/json.h"
#include "tokenizer/internal/scanners.h"
#include "tokenizer/internal/vocab_builder.h"

namespace ac::tokenizer {
namespace {

using internal::kSpaceMarker;
using internal::VocabBuilder;

// Ids far beyond the number of entries are damage; they would only cost memory.
constexpr int64_t kMaxId = 999'999;

Status Refuse(std::string_view part, std::string_view what, std::string_view supported) {
  return Unsupported("[tokenizer] tokenizer.json: " + std::string(part) + " \"" +
                     std::string(what.substr(0, 80)) +
                     "\" is not supported; supported: " + std::string(supported));
}

Status Damaged(const std::string& what) {
  return InvalidArgument("[tokenizer] tokenizer.json: " + what);
}

std::string_view TypeName(const json::Value& value) {
  return json::GetString(value, "type").value_or("");
}

// A component, or the components of a Sequence (which may nest).
void Flatten(const json::Value* value, std::string_view list_key, int depth,
             std::vector<const json::Value*>* out) {
  if (value == nullptr || !value->is_object() || depth > 8) return;
  if (TypeName(*value) != "Sequence") {
    out->push_back(value);
    return;
  }
  if (const json::Array* items = json::AsArray(json::Find(*value, list_key))) {
    for (const json::Value& item : *items) Flatten(&item, list_key, depth + 1, out);
  }
}

// A regex that matches `text` and nothing else.
std::string Literal(std::string_view text) {
  std::string regex;
  for (const char c : text) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (static_cast<uint8_t>(c) < 0x80 && !word) regex += '\\';
    regex += c;
  }
  return regex;
}

class Reader {
 public:
  Reader(const json::Value& root, const json::Value& config)
      : root_(root), config_(config), builder_(&spec_) {}

  Result<Spec> Read() {
    AC_RETURN_IF_ERROR(ReadModelKind());
    AC_RETURN_IF_ERROR(ReadNormalizer());
    AC_RETURN_IF_ERROR(ReadPreTokenizer());
    AC_RETURN_IF_ERROR(ReadTokens());
    AC_RETURN_IF_ERROR(ReadMerges());
    AC_RETURN_IF_ERROR(ReadPostProcessor());
    ReadConfig();
    builder_.Finish();
    if (spec_.algorithm == Algorithm::kCharBpe && !byte_fallback_) {
      spec_.byte_ids.fill(kNoToken);
    }
    return std::move(spec_);
  }

 private:
  Status ReadModelKind();
  Status ReadNormalizer();
  Status ReadPreTokenizer();
  Status AddPreTokenizer(const json::Value& step, bool first);
  Status AddByteLevel(const json::Value& step, bool first);
  Status AddMetaspace(const json::Value& step);
  Status AddSplit(const json::Value& step);
  Status ReadTokens();
  Status AddTokens(const json::Object& vocab, const json::Array* added);
  Status AddAddedToken(const json::Value& entry);
  Status ReadMerges();
  Status ReadPostProcessor();
  Status ReadTemplate(const json::Value& processor);
  void ReadConfig();
  int32_t ConfigToken(std::string_view key) const;

  const json::Value& root_;
  const json::Value& config_;
  const json::Value* model_ = nullptr;
  bool byte_fallback_ = false;
  // Spaces were written as markers by the normaliser, before the pre-tokeniser runs.
  bool marked_early_ = false;
  Spec spec_;
  VocabBuilder builder_;
};

Status Reader::ReadModelKind() {
  model_ = json::Find(root_, "model");
  if (model_ == nullptr || !model_->is_object()) return Damaged("\"model\" is missing");
  const std::string_view type = TypeName(*model_);
  if (type != "BPE" && !(type.empty() && json::Find(*model_, "merges") != nullptr)) {
    return Refuse("model", type, "BPE");
  }
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json::GetString(*model_, key).value_or("").empty()) {
      return Refuse("model option", key, "no prefix or suffix on parts of words");
    }
  }
  byte_fallback_ = json::GetBool(*model_, "byte_fallback").value_or(false);
  spec_.ignore_merges = json::GetBool(*model_, "ignore_merges").value_or(false);
  std::vector<const json::Value*> steps;
  Flatten(json::Find(root_, "pre_tokenizer"), "pretokenizers", 0, &steps);
  const bool byte_level = std::any_of(steps.begin(), steps.end(), [](const json::Value* step) {
    return TypeName(*step) == "ByteLevel";
  });
  spec_.algorithm = byte_level ? Algorithm::kByteBpe : Algorithm::kCharBpe;
  return OkStatus();
}

Status Reader::ReadNormalizer() {
  std::vector<const json::Value*> steps;
  Flatten(json::Find(root_, "normalizer"), "normalizers", 0, &steps);
  for (const json::Value* step : steps) {
    const std::string_view type = TypeName(*step);
    const json::Value* pattern = json::Find(*step, "pattern");
    if (type == "NFC") {
      spec_.nfc = true;
    } else if (type == "Prepend" && json::GetString(*step, "prepend") == kSpaceMarker) {
      spec_.space_prefix = true;
    } else if (type == "Replace" && pattern != nullptr &&
               json::GetString(*pattern, "String") == " " &&
               json::GetString(*step, "content") == kSpaceMarker) {
      spec_.space_marker = marked_early_ = true;
    } else {
      return Refuse("normalizer", type, "NFC, Prepend U+2581, Replace space with U+2581");
    }
  }
  return OkStatus();
}

Status Reader::ReadPreTokenizer() {
  std::vector<const json::Value*> steps;
  Flatten(json::Find(root_, "pre_tokenizer"), "pretokenizers", 0, &steps);
  for (const json::Value* step : steps) {
    AC_RETURN_IF_ERROR(AddPreTokenizer(*step, step == steps.front()));
  }
  return OkStatus();
}

Status Reader::AddPreTokenizer(const json::Value& step, bool first) {
  const std::string_view type = TypeName(step);
  if (type == "ByteLevel") return AddByteLevel(step, first);
  if (type == "Metaspace") return AddMetaspace(step);
  if (type == "Split") return AddSplit(step);
  if (type == "Digits") {
    const bool each = json::GetBool(step, "individual_digits").value_or(false);
    spec_.splits.push_back({each ? R"(\p{N})" : R"(\p{N}+)"});
    return OkStatus();
  }
  if (type == "Punctuation" &&
      json::GetString(step, "behavior").value_or("Isolated") == "Isolated") {
    spec_.splits.push_back({R"([\p{P}!-/:-@\[-`{-~])"});
    return OkStatus();
  }
  return Refuse("pre_tokenizer", type,
                "ByteLevel, Split, Metaspace, Digits, Punctuation (Isolated)");
}

Status Reader::AddByteLevel(const json::Value& step, bool first) {
  if (json::GetBool(step, "add_prefix_space").value_or(true)) {
    if (!first) return Refuse("ByteLevel option", "add_prefix_space", "only as the first step");
    spec_.space_prefix = spec_.space_prefix_unless_present = true;
  }
  if (json::GetBool(step, "use_regex").value_or(true)) {
    spec_.splits.push_back({std::string(internal::kGpt2Pattern)});
  }
  return OkStatus();
}

Status Reader::AddMetaspace(const json::Value& step) {
  if (json::GetString(step, "replacement").value_or(kSpaceMarker) != kSpaceMarker) {
    return Refuse("Metaspace option", "replacement", "U+2581");
  }
  const bool add = json::GetBool(step, "add_prefix_space").value_or(true);
  const std::string_view scheme =
      json::GetString(step, "prepend_scheme").value_or(add ? "always" : "never");
  spec_.space_marker = true;
  if (scheme != "never") {
    spec_.space_prefix = spec_.space_prefix_unless_present = true;
    spec_.space_prefix_first_only = scheme == "first";
  }
  if (json::GetBool(step, "split").value_or(true)) {
    spec_.splits.push_back({" ", SplitMode::kMergedWithNext});
  }
  return OkStatus();
}

Status Reader::AddSplit(const json::Value& step) {
  SplitRule rule;
  const json::Value* pattern = json::Find(step, "pattern");
  if (pattern == nullptr) return Damaged("a Split has no pattern");
  if (const auto text = json::GetString(*pattern, "String")) {
    // Plain spaces are gone when the normaliser has replaced them: such a split never happens.
    if (marked_early_ && text->find(' ') != std::string_view::npos) return OkStatus();
    rule.regex =
        Literal(spec_.space_marker ? internal::SpacesFromMarkers(*text) : std::string(*text));
    if (text->empty()) return Damaged("a Split has an empty pattern");
  } else if (const auto regex = json::GetString(*pattern, "Regex")) {
    if (spec_.space_marker) return Refuse("Split after Metaspace", *regex, "String patterns");
    rule.regex = *regex;
  } else {
    return Damaged("the pattern of a Split is neither String nor Regex");
  }
  const std::string_view behavior = json::GetString(step, "behavior").value_or("Isolated");
  if (behavior == "Isolated") {
    rule.mode = SplitMode::kIsolated;
  } else if (behavior == "Removed") {
    rule.mode = SplitMode::kRemoved;
  } else if (behavior == "MergedWithPrevious") {
    rule.mode = SplitMode::kMergedWithPrevious;
  } else if (behavior == "MergedWithNext") {
    rule.mode = SplitMode::kMergedWithNext;
  } else {
    return Refuse("Split behavior", behavior,
                  "Isolated, Removed, MergedWithPrevious, MergedWithNext");
  }
  rule.invert = json::GetBool(step, "invert").value_or(false);
  spec_.splits.push_back(std::move(rule));
  return OkStatus();
}

Status Reader::ReadTokens() {
  const json::Object* vocab = json::AsObject(json::Find(*model_, "vocab"));
  if (vocab == nullptr) return Damaged("\"model.vocab\" is not an object");
  const json::Array* added = json::AsArray(json::Find(root_, "added_tokens"));
  int64_t max_id = -1;
  const auto note = [&max_id](const json::Value& value) {
    const std::optional<int64_t> id = json::AsInt(&value);
    if (!id || *id < 0 || *id > kMaxId) return false;
    max_id = std::max(max_id, *id);
    return true;
  };
  for (const auto& [name, id] : *vocab) {
    if (!note(id)) return Damaged("token \"" + std::string(name) + "\" has no valid id");
  }
  if (added != nullptr) {
    for (const json::Value& entry : *added) {
      const json::Value* id = json::Find(entry, "id");
      if (id == nullptr || !note(*id)) return Damaged("an added token has no valid id");
    }
  }
  if (max_id < 0) return Damaged("the vocabulary is empty");
  builder_.Reserve(static_cast<size_t>(max_id) + 1);
  return AddTokens(*vocab, added);
}

Status Reader::AddTokens(const json::Object& vocab, const json::Array* added) {
  const std::string_view unk = json::GetString(*model_, "unk_token").value_or("");
  std::vector<bool> taken(spec_.tokens.size());
  for (const auto& [key, value] : vocab) {
    const std::string_view name(key.data(), key.size());
    const int64_t id = *json::AsInt(&value);
    if (taken[static_cast<size_t>(id)]) {
      return Damaged("two tokens have the id " + std::to_string(id));
    }
    taken[static_cast<size_t>(id)] = true;
    const bool byte = byte_fallback_ && internal::ByteFromName(name).has_value();
    const TokenType type = byte          ? TokenType::kByte
                           : name == unk ? TokenType::kUnknown
                                         : TokenType::kNormal;
    AC_RETURN_IF_ERROR(builder_.Add(id, name, type, 0.0f));
  }
  spec_.unk = unk.empty() ? kNoToken : builder_.Find(unk);
  if (added == nullptr) return OkStatus();
  for (const json::Value& entry : *added) AC_RETURN_IF_ERROR(AddAddedToken(entry));
  return OkStatus();
}

Status Reader::AddAddedToken(const json::Value& entry) {
  const int64_t id = *json::GetInt(entry, "id");
  const std::optional<std::string_view> content = json::GetString(entry, "content");
  if (!content || content->empty()) {
    return Damaged("added token " + std::to_string(id) + " has no content");
  }
  const bool special = json::GetBool(entry, "special").value_or(false);
  Token& token = spec_.tokens[static_cast<size_t>(id)];
  token.lstrip = json::GetBool(entry, "lstrip").value_or(false);
  token.rstrip = json::GetBool(entry, "rstrip").value_or(false);
  token.single_word = json::GetBool(entry, "single_word").value_or(false);
  return builder_.Add(id, *content, special ? TokenType::kControl : TokenType::kUserDefined, 0.0f);
}

Status Reader::ReadMerges() {
  const json::Array* merges = json::AsArray(json::Find(*model_, "merges"));
  if (merges == nullptr) return Damaged("\"model.merges\" is not an array");
  for (const json::Value& merge : *merges) {
    std::optional<std::string_view> left;
    std::optional<std::string_view> right;
    if (const auto text = json::AsString(&merge)) {
      const size_t space = text->find(' ', 1);
      if (space != std::string_view::npos && space + 1 < text->size()) {
        left = text->substr(0, space);
        right = text->substr(space + 1);
      }
    } else if (const json::Array* pair = json::AsArray(&merge); pair && pair->size() == 2) {
      left = json::AsString(&(*pair)[0]);
      right = json::AsString(&(*pair)[1]);
    }
    if (!left || !right) {
      return Damaged("merge " + std::to_string(spec_.merges.size()) + " is not a pair of tokens");
    }
    AC_RETURN_IF_ERROR(builder_.AddMerge(*left, *right));
  }
  return OkStatus();
}

Status Reader::ReadPostProcessor() {
  std::vector<const json::Value*> steps;
  Flatten(json::Find(root_, "post_processor"), "processors", 0, &steps);
  for (const json::Value* step : steps) {
    const std::string_view type = TypeName(*step);
    if (type == "TemplateProcessing") {
      AC_RETURN_IF_ERROR(ReadTemplate(*step));
    } else if (type != "ByteLevel") {  // that one only corrects offsets
      return Refuse("post_processor", type, "TemplateProcessing, ByteLevel");
    }
  }
  return OkStatus();
}

Status Reader::ReadTemplate(const json::Value& processor) {
  const json::Array* items = json::AsArray(json::Find(processor, "single"));
  if (items == nullptr) return Damaged("a TemplateProcessing has no \"single\"");
  bool after_text = false;
  for (const json::Value& item : *items) {
    if (json::Find(item, "Sequence") != nullptr) {
      after_text = true;
      continue;
    }
    const json::Value* special = json::Find(item, "SpecialToken");
    const auto name = special == nullptr ? std::nullopt : json::GetString(*special, "id");
    const int32_t id = name ? builder_.Find(*name) : kNoToken;
    if (id == kNoToken) {
      return Damaged("the post-processor names the token \"" + std::string(name.value_or("")) +
                     "\", which does not exist");
    }
    (after_text ? spec_.suffix_ids : spec_.prefix_ids).push_back(id);
  }
  return OkStatus();
}

int32_t Reader::ConfigToken(std::string_view key) const {
  const json::Value* value = json::Find(config_, key);
  if (value == nullptr) return kNoToken;
  const auto name = value->is_object() ? json::GetString(*value, "content") : json::AsString(value);
  return name ? builder_.Find(*name) : kNoToken;
}

void Reader::ReadConfig() {
  spec_.bos = ConfigToken("bos_token");
  spec_.eos = ConfigToken("eos_token");
  spec_.pad = ConfigToken("pad_token");
  if (spec_.unk == kNoToken) spec_.unk = ConfigToken("unk_token");
  // The flags of the configuration override the template, as the Python classes do it.
  const auto apply = [](std::optional<bool> add, int32_t id, std::vector<int32_t>* ids) {
    if (!add || id == kNoToken) return;
    std::erase(*ids, id);
    if (*add) ids->push_back(id);
  };
  apply(json::GetBool(config_, "add_bos_token"), spec_.bos, &spec_.prefix_ids);
  apply(json::GetBool(config_, "add_eos_token"), spec_.eos, &spec_.suffix_ids);
}

}  // namespace

Result<Spec> SpecFromTokenizerJson(std::string_view tokenizer_json, std::string_view config_json) {
  auto root = json::Parse(tokenizer_json);
  if (!root.ok()) return root.status().WithPrefix("[tokenizer] tokenizer.json");
  json::Value config;
  if (!config_json.empty()) {
    auto parsed = json::Parse(config_json);
    if (!parsed.ok()) return parsed.status().WithPrefix("[tokenizer] tokenizer_config.json");
    config = *std::move(parsed);
  }
  return Reader(*root, config).Read();
}

}  // namespace ac::tokenizer
