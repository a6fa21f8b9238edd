#include "grammar/regex.h"

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "grammar/pieces.h"

namespace ac::grammar {
namespace {

constexpr uint64_t kMaxRepeat = 1'000'000;
constexpr int kMaxNesting = 100;
// Expressions are expanded as they stand; this many parts are a mistake or an attack.
constexpr size_t kMaxParts = 20000;

const CharacterSet& Digits() {
  static const CharacterSet set({{'0', '9'}});
  return set;
}
const CharacterSet& WordCharacters() {
  static const CharacterSet set({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
  return set;
}
const CharacterSet& Spaces() {
  static const CharacterSet set({{'\t', '\r'},
                                 {' ', ' '},
                                 {0xA0, 0xA0},
                                 {0x1680, 0x1680},
                                 {0x2000, 0x200A},
                                 {0x2028, 0x2029},
                                 {0x202F, 0x202F},
                                 {0x205F, 0x205F},
                                 {0x3000, 0x3000},
                                 {0xFEFF, 0xFEFF}});
  return set;
}
const CharacterSet& Dot() {
  static const CharacterSet set =
      CharacterSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}).Complement();
  return set;
}

Status Bad(std::string_view what, size_t at) {
  return InvalidArgument("[grammar] regular expression: " + std::string(what) + " at character " +
                         std::to_string(at + 1));
}
Status NotRegular(std::string_view what, size_t at) {
  return Unsupported("[grammar] regular expression: " + std::string(what) + " at character " +
                     std::to_string(at + 1) + " is not supported");
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<uint32_t> Hex(std::string_view text, size_t* at, int digits) {
  uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const int digit = *at < text.size() ? HexValue(text[*at]) : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<uint32_t>(digit);
    ++*at;
  }
  return value;
}

std::optional<uint32_t> UnicodeEscape(std::string_view text, size_t* at) {
  if (*at < text.size() && text[*at] == '{') {
    uint32_t value = 0;
    for (++*at; *at < text.size() && HexValue(text[*at]) >= 0 && value <= 0x10FFFF; ++*at) {
      value = value * 16 + static_cast<uint32_t>(HexValue(text[*at]));
    }
    if (*at >= text.size() || text[*at] != '}' || value > 0x10FFFF) return std::nullopt;
    ++*at;
    return value;
  }
  const auto unit = Hex(text, at, 4);
  if (!unit || *unit < 0xD800 || *unit > 0xDBFF || text.substr(*at, 2) != "\\u") return unit;
  size_t low_at = *at + 2;
  const auto low = Hex(text, &low_at, 4);
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return unit;
  *at = low_at;
  return 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00);
}

// Behind a backslash: a set of characters.
Result<CharacterSet> ParseEscape(std::string_view text, size_t* at, bool in_class) {
  if (*at >= text.size()) return Bad("a backslash ends it", *at);
  const size_t begin = *at;
  const char c = text[(*at)++];
  const auto one = [](uint32_t code) { return CharacterSet({{code, code}}); };
  switch (c) {
    case 'd':
      return Digits();
    case 'D':
      return Digits().Complement();
    case 'w':
      return WordCharacters();
    case 'W':
      return WordCharacters().Complement();
    case 's':
      return Spaces();
    case 'S':
      return Spaces().Complement();
    case 'n':
      return one('\n');
    case 't':
      return one('\t');
    case 'r':
      return one('\r');
    case 'f':
      return one('\f');
    case 'v':
      return one('\v');
    case 'x':
    case 'u': {
      const auto code = c == 'x' ? Hex(text, at, 2) : UnicodeEscape(text, at);
      if (!code) return Bad("an incomplete escape", begin);
      return one(*code);
    }
    case 'b':
      if (in_class) return one('\b');
      return NotRegular("\\b", begin);
    case '0':
      if (*at >= text.size() || text[*at] < '0' || text[*at] > '9') return one(0);
      break;
    default:
      break;
  }
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    return NotRegular(std::string("\\") + c, begin);
  }
  const Utf8Char escaped = DecodeUtf8(text, begin);
  *at = begin + escaped.length;
  return one(escaped.code_point);
}

struct Part {
  Piece piece = Nothing();
  uint64_t min = 0;
  uint64_t max = 0;
  bool one_character = false;
};

uint64_t Add(uint64_t a, uint64_t b) {
  return a == kUnlimited || b == kUnlimited ? kUnlimited : a + b;
}
uint64_t Multiply(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return 0;
  if (a == kUnlimited || b == kUnlimited || a > kUnlimited / 2 / b) return kUnlimited;
  return a * b;
}

class RegexParser {
 public:
  RegexParser(std::string_view text, const RegexOptions& options)
      : text_(text), options_(options) {}

  Result<CompiledRegex> Parse() {
    AC_ASSIGN_OR_RETURN(const Part part, Alternatives(0));
    if (at_ < text_.size()) return Bad("a closing parenthesis without an opening one", at_);
    return CompiledRegex{part.piece, part.min, part.max};
  }

 private:
  bool At(std::string_view token) const { return text_.substr(at_).starts_with(token); }

  Result<Part> Alternatives(int nesting) {
    if (nesting > kMaxNesting) return Bad("too many nested groups", at_);
    std::vector<Piece> pieces;
    Part all;
    for (;;) {
      AC_ASSIGN_OR_RETURN(const Part part, Branch(nesting));
      all.min = pieces.empty() ? part.min : std::min(all.min, part.min);
      all.max = std::max(all.max, part.max);
      pieces.push_back(part.piece);
      if (!At("|")) break;
      ++at_;
    }
    all.piece = pieces.size() == 1 ? pieces[0] : OneOf(std::move(pieces));
    return all;
  }

  // `search` puts any text around each branch of the outermost level that has no anchor there.
  Result<Part> Branch(int nesting) {
    std::vector<Piece> pieces;
    Part all;
    bool from_begin = false;
    bool to_end = false;
    const auto add = [&](const Part& part) {
      all.min = Add(all.min, part.min);
      all.max = Add(all.max, part.max);
      pieces.push_back(part.piece);
    };
    while (at_ < text_.size() && !At("|") && !At(")")) {
      const char c = text_[at_];
      if (c == '^' || c == '$') {
        // Only where nothing but the end of the text can be meant.
        const bool outer = nesting == 0 && (c == '^' ? pieces.empty() : EndsBranch(at_ + 1));
        if (!outer) return NotRegular(std::string("an inner ") + c, at_);
        (c == '^' ? from_begin : to_end) = true;
        ++at_;
        continue;
      }
      if (++parts_ > kMaxParts) return Bad("too many parts", at_);
      AC_ASSIGN_OR_RETURN(Part part, Atom(nesting));
      AC_RETURN_IF_ERROR(Quantify(&part));
      add(part);
    }
    if (nesting == 0 && options_.search) {
      const Part any{Times(0, kUnlimited, Character(CharacterSet::All(), options_.spelling)), 0,
                     kUnlimited};
      if (!from_begin) pieces.insert(pieces.begin(), any.piece), all.max = kUnlimited;
      if (!to_end) add(any);
    }
    all.piece = Sequence(std::move(pieces));
    return all;
  }

  bool EndsBranch(size_t at) const { return at >= text_.size() || text_[at] == '|'; }

  Result<Part> Atom(int nesting) {
    const size_t begin = at_;
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      if (At("?")) AC_RETURN_IF_ERROR(GroupKind());
      AC_ASSIGN_OR_RETURN(Part part, Alternatives(nesting + 1));
      if (!At(")")) return Bad("a group without its end", begin);
      ++at_;
      return part;
    }
    if (c == '*' || c == '+' || c == '?') return Bad("nothing to repeat", at_);
    if (c == '{' && ParseBraces(at_)) return Bad("nothing to repeat", at_);
    CharacterSet set;
    if (c == '[') {
      ++at_;
      AC_ASSIGN_OR_RETURN(set, ParseCharacterClass(text_, &at_));
    } else if (c == '.') {
      ++at_;
      set = Dot();
    } else if (c == '\\') {
      ++at_;
      AC_ASSIGN_OR_RETURN(set, ParseEscape(text_, &at_, false));
    } else {
      const Utf8Char plain = DecodeUtf8(text_, at_);
      if (!plain.valid) return Bad("bytes that are not UTF-8", at_);
      at_ += plain.length;
      set.Add(plain.code_point, plain.code_point);
    }
    return Part{Character(set, options_.spelling), 1, 1, true};
  }

  Status GroupKind() {
    if (At("?:")) {
      at_ += 2;
      return OkStatus();
    }
    if (At("?<") && !At("?<=") && !At("?<!")) {
      const size_t end = text_.find('>', at_);
      if (end == std::string_view::npos) return Bad("a group name without its end", at_);
      at_ = end + 1;
      return OkStatus();
    }
    return NotRegular("a look-around or flag", at_);
  }

  struct Braces {
    uint64_t min, max;
    size_t end;
  };
  std::optional<Braces> ParseBraces(size_t at) const {
    const auto number = [&](size_t* i) -> std::optional<uint64_t> {
      uint64_t value = 0;
      const size_t begin = *i;
      while (*i < text_.size() && text_[*i] >= '0' && text_[*i] <= '9') {
        value = std::min(value * 10 + static_cast<uint64_t>(text_[*i] - '0'), kMaxRepeat + 1);
        ++*i;
      }
      return *i == begin ? std::nullopt : std::optional(value);
    };
    size_t i = at + 1;
    const auto min = number(&i);
    if (!min) return std::nullopt;
    uint64_t max = *min;
    if (i < text_.size() && text_[i] == ',') {
      ++i;
      max = number(&i).value_or(kUnlimited);
    }
    if (i >= text_.size() || text_[i] != '}') return std::nullopt;
    return Braces{*min, max, i + 1};
  }

  Status Quantify(Part* part) {
    if (at_ >= text_.size()) return OkStatus();
    const size_t begin = at_;
    uint64_t min = 0;
    uint64_t max = kUnlimited;
    const char c = text_[at_];
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
      if (c == '+') min = 1;
      if (c == '?') max = 1;
    } else if (const auto braces = c == '{' ? ParseBraces(at_) : std::nullopt) {
      min = braces->min;
      max = braces->max;
      at_ = braces->end;
    } else {
      return OkStatus();
    }
    if (At("?")) ++at_;
    if (At("*") || At("+")) return Bad("nothing to repeat", at_);
    if (max < min) return Bad("a repetition whose bounds are reversed", begin);
    if (min > kMaxRepeat || (max != kUnlimited && max > kMaxRepeat)) {
      return Bad("a repetition of more than a million", begin);
    }
    // What may be empty need not be counted from below.
    const uint64_t counted_min = part->min == 0 ? std::min<uint64_t>(min, 1) : min;
    part->piece = Times(counted_min, max, part->piece, part->one_character);
    part->min = Multiply(part->min, min);
    part->max = Multiply(part->max, max);
    part->one_character = false;
    return OkStatus();
  }

  const std::string_view text_;
  const RegexOptions options_;
  size_t at_ = 0;
  size_t parts_ = 0;
};

}  // namespace

Result<CharacterSet> ParseCharacterClass(std::string_view text, size_t* at) {
  const size_t begin = *at;
  const bool negated = *at < text.size() && text[*at] == '^';
  if (negated) ++*at;
  CharacterSet set;
  const auto item = [&]() -> Result<CharacterSet> {
    if (text[*at] == '\\') {
      ++*at;
      return ParseEscape(text, at, true);
    }
    const Utf8Char plain = DecodeUtf8(text, *at);
    if (!plain.valid) return Bad("bytes that are not UTF-8", *at);
    *at += plain.length;
    return CharacterSet({{plain.code_point, plain.code_point}});
  };
  const auto single = [](const CharacterSet& s) {
    return s.ranges().size() == 1 && s.ranges()[0].first == s.ranges()[0].second;
  };
  while (*at < text.size() && text[*at] != ']') {
    AC_ASSIGN_OR_RETURN(const CharacterSet first, item());
    const bool range = *at + 1 < text.size() && text[*at] == '-' && text[*at + 1] != ']';
    if (!range || !single(first)) {
      set.Add(first);
      continue;
    }
    const size_t dash = (*at)++;
    AC_ASSIGN_OR_RETURN(const CharacterSet last, item());
    if (!single(last)) return Bad("a range that ends with a class", dash);
    if (last.ranges()[0].first < first.ranges()[0].first) return Bad("a reversed range", dash);
    set.Add(first.ranges()[0].first, last.ranges()[0].first);
  }
  if (*at >= text.size()) return Bad("a class without its end", begin);
  ++*at;
  return negated ? set.Complement() : set;
}

Result<CompiledRegex> CompileRegex(std::string_view pattern, const RegexOptions& options) {
  return RegexParser(pattern, options).Parse();
}

}  // namespace ac::grammar
