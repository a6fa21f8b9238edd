#include "grammar/characters.h"

#include <algorithm>

#include "base/utf8.h"
#include "grammar/pieces.h"

namespace ac::grammar {
namespace {

constexpr uint32_t kLast = 0x10FFFF;

ByteSet Range(uint8_t first, uint8_t last) {
  ByteSet set;
  for (int c = first; c <= last; ++c) set.set(static_cast<size_t>(c));
  return set;
}

// Adds the ways from `first` to `last`, whose encodings have equal length, as sequences of byte
// ranges: cuts until every byte but a common prefix runs over its full range.
void AddSequences(ProgramBuilder& b, uint32_t first, uint32_t last, Pc next,
                  std::vector<Pc>* ways) {
  std::string low;
  std::string high;
  AppendUtf8(first, &low);
  AppendUtf8(last, &high);
  for (size_t i = 1; i < low.size(); ++i) {
    const uint32_t rest = (uint32_t{1} << (6 * i)) - 1;
    if ((first & ~rest) == (last & ~rest)) continue;
    if ((first & rest) != 0) {
      AddSequences(b, first, first | rest, next, ways);
      AddSequences(b, (first | rest) + 1, last, next, ways);
      return;
    }
    if ((last & rest) != rest) {
      AddSequences(b, first, (last & ~rest) - 1, next, ways);
      AddSequences(b, last & ~rest, last, next, ways);
      return;
    }
  }
  Pc pc = next;
  for (size_t i = low.size(); i > 0; --i) {
    pc = b.Bytes(Range(static_cast<uint8_t>(low[i - 1]), static_cast<uint8_t>(high[i - 1])), pc);
  }
  ways->push_back(pc);
}

void AddPlain(ProgramBuilder& b, const CharacterSet& set, Pc next, std::vector<Pc>* ways) {
  // Between these the length of an encoding is the same; surrogates are left out.
  constexpr std::pair<uint32_t, uint32_t> kLengths[] = {
      {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, kLast}};
  ByteSet ascii;
  for (const auto& [first, last] : set.ranges()) {
    for (uint32_t c = first; c <= std::min<uint32_t>(last, 0x7F); ++c) ascii.set(c);
    for (const auto& [low, high] : kLengths) {
      const uint32_t from = std::max(first, low);
      const uint32_t to = std::min(last, high);
      if (from <= to) AddSequences(b, from, to, next, ways);
    }
  }
  if (ascii.any()) ways->push_back(b.Bytes(ascii, next));
}

Piece HexDigit() { return OneByteOf("0123456789abcdefABCDEF"); }

// \u and four digits: a character outside the surrogates, or a pair of them.
Piece UnicodeEscape() {
  const Piece not_d = OneByteOf("0123456789abcefABCEF");
  const Piece d = OneByteOf("dD");
  return Sequence(
      {Text("\\u"), OneOf({Sequence({not_d, HexDigit(), HexDigit(), HexDigit()}),
                           Sequence({d, OneByteOf("01234567"), HexDigit(), HexDigit()}),
                           Sequence({d, OneByteOf("89abAB"), HexDigit(), HexDigit(), Text("\\u"), d,
                                     OneByteOf("cdefCDEF"), HexDigit(), HexDigit()})})});
}

const CharacterSet& Unescaped() {
  static const CharacterSet set({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, kLast}});
  return set;
}

Pc JsonSpelled(ProgramBuilder& b, const CharacterSet& set, Pc next) {
  std::vector<Pc> ways;
  AddPlain(b, set.Intersect(Unescaped()), next, &ways);
  constexpr std::string_view kPlain = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetter = "\"\\bfnrt";
  ByteSet letters;
  std::vector<Pc> numbers;
  for (uint32_t c = 0; c < 0x20; ++c) {
    if (!set.Contains(c)) continue;
    const size_t at = kPlain.find(static_cast<char>(c));
    if (at != std::string_view::npos) {
      letters.set(static_cast<uint8_t>(kLetter[at]));
    } else {
      constexpr std::string_view kHex = "0123456789abcdef";
      numbers.push_back(b.Literal(std::string(c < 0x10 ? "u000" : "u001") + kHex[c % 0x10], next));
    }
  }
  for (const char c : {'"', '\\'}) {
    if (set.Contains(static_cast<uint32_t>(c))) letters.set(static_cast<uint8_t>(c));
  }
  if (letters.any()) numbers.push_back(b.Bytes(letters, next));
  if (!numbers.empty()) ways.push_back(b.Literal("\\", b.Split(std::move(numbers))));
  return ways.empty() ? b.Fail() : b.Split(std::move(ways));
}

}  // namespace

void CharacterSet::Add(uint32_t first, uint32_t last) {
  ranges_.emplace_back(first, last);
  Normalise();
}

void CharacterSet::Add(const CharacterSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  Normalise();
}

void CharacterSet::Normalise() {
  std::sort(ranges_.begin(), ranges_.end());
  std::vector<std::pair<uint32_t, uint32_t>> merged;
  for (const auto& [first, last] : ranges_) {
    if (first > last) continue;
    if (!merged.empty() && first <= uint64_t{merged.back().second} + 1) {
      merged.back().second = std::max(merged.back().second, last);
    } else {
      merged.emplace_back(first, last);
    }
  }
  ranges_ = std::move(merged);
}

CharacterSet CharacterSet::Complement() const {
  CharacterSet out;
  uint32_t from = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > from) out.ranges_.emplace_back(from, first - 1);
    from = last + 1;
  }
  if (from <= kLast) out.ranges_.emplace_back(from, kLast);
  return out;
}

CharacterSet CharacterSet::Intersect(const CharacterSet& other) const {
  CharacterSet out;
  for (const auto& a : ranges_) {
    for (const auto& b : other.ranges_) {
      const uint32_t first = std::max(a.first, b.first);
      const uint32_t last = std::min(a.second, b.second);
      if (first <= last) out.ranges_.emplace_back(first, last);
    }
  }
  out.Normalise();
  return out;
}

bool CharacterSet::Contains(uint32_t c) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [c](const auto& range) { return range.first <= c && c <= range.second; });
}

Piece Character(const CharacterSet& set, Spelling spelling) {
  return [=](ProgramBuilder& b, Pc next) {
    if (spelling == Spelling::kJson) return JsonSpelled(b, set, next);
    std::vector<Pc> ways;
    AddPlain(b, set, next, &ways);
    return ways.empty() ? b.Fail() : b.Split(std::move(ways));
  };
}

Piece AnyJsonCharacter() {
  return OneOf({Character(Unescaped(), Spelling::kPlain),
                Sequence({Text("\\"), OneByteOf("\"\\/bfnrt")}), UnicodeEscape()});
}

}  // namespace ac::grammar
