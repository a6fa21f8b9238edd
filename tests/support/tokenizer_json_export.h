// Spec -> tokenizer.json, so that other implementations can be asked about the same vocabulary.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <unordered_map>
#include <vector>

#include "json/json.h"
#include "tokenizer/internal/vocab_builder.h"
#include "tokenizer/spec.h"

namespace ac::testing {

class TokenizerJsonExport {
 public:
  explicit TokenizerJsonExport(const tokenizer::Spec& spec) : spec_(spec) {}

  std::string ToString() const {
    json::Object vocab;
    json::Array added;
    for (size_t id = 0; id < spec_.tokens.size(); ++id) {
      const tokenizer::Token& token = spec_.tokens[id];
      vocab[Name(id)] = id;
      if (IsPlain(token.type) || token.type == Type::kByte) continue;
      added.push_back({{"id", id},
                       {"content", token.bytes},
                       {"single_word", token.single_word},
                       {"lstrip", token.lstrip},
                       {"rstrip", token.rstrip},
                       {"normalized", false},
                       {"special", token.type != Type::kUserDefined}});
    }
    json::Object model = {{"type", "BPE"},
                          {"fuse_unk", false},
                          {"byte_fallback", !bytes()},
                          {"ignore_merges", spec_.ignore_merges}};
    model["unk_token"] = spec_.unk >= 0 ? json::Value(Name(spec_.unk)) : json::Value();
    model["vocab"] = std::move(vocab);
    model["merges"] = Merges();
    return json::Write(json::Object{{"version", "1.0"},
                                    {"added_tokens", std::move(added)},
                                    {"normalizer", Normalizer()},
                                    {"pre_tokenizer", PreTokenizer()},
                                    {"model", std::move(model)}});
  }

 private:
  using Type = tokenizer::TokenType;
  static bool IsPlain(Type type) { return type == Type::kNormal || type == Type::kUnused; }
  bool bytes() const { return spec_.algorithm == tokenizer::Algorithm::kByteBpe; }

  std::string Name(size_t id) const {
    const tokenizer::Token& token = spec_.tokens[id];
    if (token.type == Type::kByte) {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<uint8_t>(token.bytes[0]));
      return name;
    }
    if (!IsPlain(token.type)) return token.bytes;
    return bytes() ? tokenizer::internal::AlphabetFromBytes(token.bytes) : Marked(token.bytes);
  }

  static std::string Marked(std::string_view text) {
    std::string out;
    for (const char c : text) {
      out += c == ' ' ? tokenizer::internal::kSpaceMarker : std::string_view(&c, 1);
    }
    return out;
  }

  json::Array Merges() const {
    json::Array merges;
    const auto add = [&](size_t left, size_t right) {
      merges.push_back(json::Array{json::Value(Name(left)), json::Value(Name(right))});
    };
    if (spec_.algorithm != tokenizer::Algorithm::kCharSpm) {
      for (const tokenizer::Merge& m : spec_.merges) {
        add(static_cast<size_t>(m.left), static_cast<size_t>(m.right));
      }
      return merges;
    }
    // As the converters of SentencePiece models do: every way to make a token out of two, the best
    // score first.
    std::unordered_map<std::string_view, size_t> ids;
    for (size_t id = 0; id < spec_.tokens.size(); ++id) {
      if (spec_.tokens[id].type == Type::kNormal) ids.emplace(spec_.tokens[id].bytes, id);
    }
    std::vector<std::array<size_t, 3>> pairs;  // result, left, right
    for (const auto& [text, id] : ids) {
      for (size_t cut = 1; cut < text.size(); ++cut) {
        const auto left = ids.find(text.substr(0, cut));
        const auto right = ids.find(text.substr(cut));
        if (left != ids.end() && right != ids.end())
          pairs.push_back({id, left->second, right->second});
      }
    }
    std::sort(pairs.begin(), pairs.end(), [this](const auto& a, const auto& b) {
      const float scores[] = {spec_.tokens[a[0]].score, spec_.tokens[b[0]].score};
      return scores[0] != scores[1] ? scores[0] > scores[1] : a < b;
    });
    for (const auto& [result, left, right] : pairs) add(left, right);
    return merges;
  }

  json::Value Normalizer() const {
    if (!spec_.space_marker) return nullptr;
    return json::Parse(R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
        {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]})")
        .value();
  }

  json::Value PreTokenizer() const {
    if (!bytes()) return nullptr;
    json::Array steps;
    for (const tokenizer::SplitRule& rule : spec_.splits) {
      steps.push_back(json::Object{{"type", "Split"},
                                   {"pattern", json::Object{{"Regex", rule.regex}}},
                                   {"behavior", "Isolated"},
                                   {"invert", false}});
    }
    steps.push_back(json::Object{{"type", "ByteLevel"},
                                 {"add_prefix_space", spec_.space_prefix},
                                 {"trim_offsets", false},
                                 {"use_regex", false}});
    return json::Object{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  }

  const tokenizer::Spec& spec_;
};

}  // namespace ac::testing
