// Any bytes survive encoding and decoding, by every scanner, and the scanners agree with PCRE2.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../tests/support/tiny_vocab.h"
#include "base/utf8.h"
#include "tokenizer/internal/splitter.h"
#include "tokenizer/stream_decoder.h"

namespace {

using ac::tokenizer::Spec;
using ac::tokenizer::SplitRule;
using ac::tokenizer::StreamDecoder;
using ac::tokenizer::Tokenizer;
using ac::tokenizer::internal::Splitter;

struct Pattern {
  std::unique_ptr<Tokenizer> tokenizer;
  Splitter fast;
  Splitter oracle;
};

const std::vector<Pattern>& Patterns() {
  namespace internal = ac::tokenizer::internal;
  static const std::vector<Pattern> patterns = [] {
    std::vector<Pattern> made;
    for (const std::string_view regex :
         {internal::kGpt2Pattern, internal::kLlama3Pattern, internal::kQwen2Pattern,
          internal::kQwen35Pattern, internal::kGpt4oPattern, internal::kTekkenPattern}) {
      Spec spec = ac::testing::TinySpec();
      spec.splits = {SplitRule{std::string(regex)}};
      Pattern pattern;
      pattern.fast = Splitter::Create(spec.splits).value();
      pattern.oracle = Splitter::Create(spec.splits, /*use_scanners=*/false).value();
      pattern.tokenizer = Tokenizer::Create(std::move(spec)).value();
      made.push_back(std::move(pattern));
    }
    return made;
  }();
  return patterns;
}

std::vector<size_t> Lengths(const Splitter& splitter, std::string_view text) {
  std::vector<size_t> lengths;
  splitter.ForEachWord(text, [&](std::string_view word) { lengths.push_back(word.size()); });
  return lengths;
}

// Characters newer than PCRE2's Unicode tables, or that it counts as space where Unicode does not.
bool OnlyOldCharacters(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const ac::Utf8Char c = ac::DecodeUtf8(text, i);
    if (c.valid && (c.code_point >= 0x500)) return false;
    i += c.length;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool compare = OnlyOldCharacters(text);
  for (const Pattern& pattern : Patterns()) {
    for (const bool parse : {false, true}) {
      const auto ids = pattern.tokenizer->Encode(text, {.parse_special = parse});
      if (pattern.tokenizer->Decode(ids) != text) std::abort();
      StreamDecoder stream(*pattern.tokenizer, /*skip_special=*/false);
      std::string streamed;
      for (const int32_t id : ids) streamed += stream.Push(id);
      streamed += stream.Flush();
      if (streamed != ac::RepairUtf8(text)) std::abort();
    }
    if (compare && Lengths(pattern.fast, text) != Lengths(pattern.oracle, text)) std::abort();
  }
  return 0;
}
