// What the readers of vocabulary files have in common: names -> ids, the byte alphabet of GPT-2,
// and the defaults no file spells out.
//
// Borrows the names while it lives; used on one thread while a Spec is built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"
#include "tokenizer/spec.h"

namespace ac::tokenizer::internal {

inline constexpr std::string_view kSpaceMarker = "\xE2\x96\x81";  // U+2581

// GPT-2 writes bytes as printable characters: the bytes "\x20the" are written U+0120 "the".
// Nothing when a character is outside that alphabet.
std::optional<std::string> BytesFromAlphabet(std::string_view text);
std::string AlphabetFromBytes(std::string_view bytes);
// "\xE2\x96\x81the" -> " the".
std::string SpacesFromMarkers(std::string_view text);
// The byte of "<0x0A>".
std::optional<uint8_t> ByteFromName(std::string_view text);

class VocabBuilder {
 public:
  explicit VocabBuilder(Spec* spec) : spec_(spec) {}

  // Reserves ids [0, count).
  void Reserve(size_t count);
  // Defines token `id` as the file writes it; the bytes follow from the algorithm and the type.
  // `name` must outlive the builder.
  Status Add(int64_t id, std::string_view name, TokenType type, float score);
  int32_t Find(std::string_view name) const;  // kNoToken when absent
  // The next merge in order of rank, as the file names its two halves.
  Status AddMerge(std::string_view left, std::string_view right);
  // byte_ids and end_ids, once every token is there.
  void Finish();

 private:
  Spec* spec_;
  std::unordered_map<std::string_view, int32_t> ids_;
};

}  // namespace ac::tokenizer::internal
