// The lexer of jinja2 with trim_blocks and lstrip_blocks, rule by rule.
#include <array>
#include <charconv>

#include "base/utf8.h"
#include "jinja/internal/program.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

bool IsDigitChar(char c) { return c >= '0' && c <= '9'; }

int DigitValue(char c) {
  if (IsDigitChar(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// All line ends become \n, and one at the very end is dropped.
std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out.push_back(source[i]);
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& name) : text_(std::move(source)), name_(name) {}

  Result<std::vector<Token>> Run() {
    while (position_ < text_.size()) {
      const size_t tag = FindTag();
      if (tag == std::string::npos) {
        AddData(text_.substr(position_));
        break;
      }
      AC_RETURN_IF_ERROR(LexTag(tag));
    }
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  Status Error(std::string_view what) const { return SyntaxError(name_, line_, what); }
  bool At(std::string_view wanted, size_t offset = 0) const {
    return text_.compare(position_ + offset, wanted.size(), wanted) == 0;
  }
  void Add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  void AddData(std::string data) {
    if (data.empty()) return;
    Add(TokenKind::kData, std::move(data));
  }
  void Advance(size_t count) {
    for (size_t i = 0; i < count; ++i) line_ += text_[position_ + i] == '\n' ? 1 : 0;
    position_ += count;
  }
  // The rest of the line counts as its start when the last tag swallowed the line end.
  void EndTag() { line_starting_ = position_ > 0 && text_[position_ - 1] == '\n'; }

  size_t FindTag() const {
    for (size_t i = text_.find('{', position_); i != std::string::npos;
         i = text_.find('{', i + 1)) {
      const char next = i + 1 < text_.size() ? text_[i + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return std::string::npos;
  }

  // The text before a tag, stripped as the tag's sign and lstrip_blocks ask for.
  void AddDataBefore(size_t tag, char sign, bool is_variable) {
    std::string_view data = std::string_view(text_).substr(position_, tag - position_);
    if (sign == '-') {
      data = Strip(data, Side::kRight);
    } else if (sign != '+' && !is_variable) {
      const size_t newline = data.rfind('\n');
      const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || line_starting_) && Strip(data.substr(line), Side::kLeft).empty()) {
        data = data.substr(0, line);
      }
    }
    AddData(std::string(data));
    Advance(tag - position_);
  }

  Status LexTag(size_t tag) {
    const char type = text_[tag + 1];
    if (type == '%') {
      if (const size_t length = MatchRaw(tag); length > 0) return LexRaw(tag, length);
    }
    char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
    if (sign != '-' && sign != '+') sign = '\0';
    AddDataBefore(tag, sign, type == '{');
    if (type != '#') Add(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    Advance(sign == '\0' ? 2 : 3);
    if (type == '#') return SkipComment();
    return LexCode(type == '{' ? "}}" : "%}", type == '{');
  }

  size_t SkipSpace(size_t at) const {
    return text_.size() - Strip(std::string_view(text_).substr(at), Side::kLeft).size();
  }

  // After `at`, the length of an end mark with its sign, and of the space it swallows; 0 if none.
  size_t MatchEnd(size_t at, std::string_view mark, bool plus_allowed, bool trims) const {
    if (at >= text_.size()) return 0;
    if (text_[at] == '-' && text_.compare(at + 1, 2, mark) == 0) return SkipSpace(at + 3) - at;
    if (plus_allowed && text_[at] == '+' && text_.compare(at + 1, 2, mark) == 0) return 3;
    if (text_.compare(at, 2, mark) != 0) return 0;
    return trims && at + 2 < text_.size() && text_[at + 2] == '\n' ? 3 : 2;
  }

  Status SkipComment() {
    for (size_t i = position_; i < text_.size(); ++i) {
      if (const size_t length = MatchEnd(i, "#}", true, true); length > 0) {
        Advance(i + length - position_);
        EndTag();
        return OkStatus();
      }
    }
    return Error("Missing end of comment tag");
  }

  // The length of "{% raw %}" with its signs at `tag`, or 0.
  size_t MatchRaw(size_t tag) const { return MatchWordTag(tag, "raw", false, false); }

  size_t MatchWordTag(size_t tag, std::string_view word, bool plus_allowed, bool trims) const {
    size_t i = tag + 2;
    if (i < text_.size() && (text_[i] == '-' || text_[i] == '+')) ++i;
    i = SkipSpace(i);
    if (text_.compare(i, word.size(), word) != 0) return 0;
    i = SkipSpace(i + word.size());
    const size_t end = MatchEnd(i, "%}", plus_allowed, trims);
    return end == 0 ? 0 : i + end - tag;
  }

  Status LexRaw(size_t tag, size_t length) {
    AddDataBefore(tag, text_[tag + 2], false);
    Advance(length);
    EndTag();
    for (size_t i = text_.find("{%", position_); i != std::string::npos;
         i = text_.find("{%", i + 1)) {
      if (const size_t end = MatchWordTag(i, "endraw", true, true); end > 0) {
        AddDataBefore(i, text_[i + 2], false);
        Advance(end);
        EndTag();
        return OkStatus();
      }
    }
    return Error("Missing end of raw directive");
  }

  // Expressions and statements up to the end mark.
  Status LexCode(std::string_view mark, bool is_variable) {
    std::string open;  // closers still expected
    while (position_ < text_.size()) {
      if (open.empty()) {
        if (const size_t length = MatchEnd(position_, mark, !is_variable, !is_variable);
            length > 0) {
          Add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
          Advance(length);
          EndTag();
          return OkStatus();
        }
      }
      if (const size_t next = SkipSpace(position_); next > position_) {
        Advance(next - position_);
        continue;
      }
      const char c = text_[position_];
      if (IsDigitChar(c)) {
        AC_RETURN_IF_ERROR(LexNumber());
      } else if (c == '\'' || c == '"') {
        AC_RETURN_IF_ERROR(LexString());
      } else if (const size_t length = NameLength(); length > 0) {
        Add(TokenKind::kName, text_.substr(position_, length));
        Advance(length);
      } else {
        AC_RETURN_IF_ERROR(LexOperator(&open));
      }
    }
    return OkStatus();  // the parser reports the unexpected end
  }

  size_t NameLength() const {
    size_t length = 0;
    while (position_ + length < text_.size()) {
      const Utf8Char c = DecodeUtf8(text_, position_ + length);
      if (!c.valid || !IsWord(c.code_point)) break;
      length += c.length;
    }
    return length;
  }

  // The end of digits with single underscores between them, from `at`; `at` when there are none.
  size_t DigitsEnd(size_t at) const {
    size_t i = at;
    while (i < text_.size() &&
           (IsDigitChar(text_[i]) || (text_[i] == '_' && i > at && i + 1 < text_.size() &&
                                      IsDigitChar(text_[i - 1]) && IsDigitChar(text_[i + 1])))) {
      ++i;
    }
    return i;
  }

  // The end of a float literal at the position, or 0. After a dot, "0.1" is two subscripts.
  size_t FloatEnd() const {
    if (position_ > 0 && text_[position_ - 1] == '.') return 0;
    size_t end = DigitsEnd(position_);
    bool is_float = false;
    if (end < text_.size() && text_[end] == '.') {
      const size_t fraction = DigitsEnd(end + 1);
      if (fraction > end + 1) {
        end = fraction;
        is_float = true;
      }
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t digits = end + 1;
      if (digits < text_.size() && (text_[digits] == '+' || text_[digits] == '-')) ++digits;
      const size_t exponent = DigitsEnd(digits);
      if (exponent > digits) return exponent;
    }
    return is_float ? end : 0;
  }

  Status LexNumber() {
    if (const size_t end = FloatEnd(); end > 0) {
      std::string digits;
      for (size_t i = position_; i < end; ++i) {
        if (text_[i] != '_') digits.push_back(text_[i]);
      }
      Add(TokenKind::kFloat, digits);
      tokens_.back().real = ParseDouble(digits);
      Advance(end - position_);
      return OkStatus();
    }
    return LexInteger();
  }

  static double ParseDouble(const std::string& digits) {
    double value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec == std::errc::result_out_of_range) return std::strtod(digits.c_str(), nullptr);
    return value;
  }

  Status LexInteger() {
    int base = 10;
    size_t i = position_;
    if (text_[i] == '0' && i + 1 < text_.size()) {
      const char prefix = static_cast<char>(text_[i + 1] | 0x20);
      const int wanted = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 10;
      const size_t digits = i + 2 + (i + 2 < text_.size() && text_[i + 2] == '_' ? 1 : 0);
      if (wanted != 10 && digits < text_.size() && DigitValue(text_[digits]) < wanted) {
        base = wanted;
        i = digits;
      }
    }
    // A decimal literal that starts with zero is zeros only.
    const int limit = base == 10 && text_[i] == '0' ? 1 : base;
    Int value = 0;
    while (i < text_.size()) {
      if (text_[i] == '_' && i + 1 < text_.size() && DigitValue(text_[i + 1]) < limit) ++i;
      const int digit = DigitValue(text_[i]);
      if (digit >= limit) break;
      if (__builtin_mul_overflow(value, Int{base}, &value) ||
          __builtin_add_overflow(value, Int{digit}, &value)) {
        return Error("integer literal needs more than 128 bits");
      }
      ++i;
    }
    Add(TokenKind::kInteger, "");
    tokens_.back().integer = value;
    Advance(i - position_);
    return OkStatus();
  }

  Status LexString() {
    const char quote = text_[position_];
    size_t end = position_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size())
      return Error("unexpected char " + std::string(1, quote) + ": the string has no end");
    std::string value;
    AC_RETURN_IF_ERROR(
        Unescape(std::string_view(text_).substr(position_ + 1, end - position_ - 1), &value));
    Add(TokenKind::kString, std::move(value));
    Advance(end + 1 - position_);
    return OkStatus();
  }

  Status Unescape(std::string_view raw, std::string* out) const {
    for (size_t i = 0; i < raw.size();) {
      if (raw[i] != '\\') {
        out->push_back(raw[i++]);
        continue;
      }
      AC_ASSIGN_OR_RETURN(const size_t length, UnescapeOne(raw.substr(i), out));
      i += length;
    }
    return OkStatus();
  }

  // One escape at the start of `raw`; returns how much it took. Unknown escapes stay as they are.
  Result<size_t> UnescapeOne(std::string_view raw, std::string* out) const {
    static constexpr std::string_view kNames = "\\'\"abfnrtv";
    static constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
    const char c = raw[1];
    if (c == '\n') return size_t{2};
    if (const size_t known = kNames.find(c); known != std::string_view::npos) {
      out->push_back(kValues[known]);
      return size_t{2};
    }
    if (c >= '0' && c <= '7') {
      uint32_t value = 0;
      size_t i = 1;
      while (i < 4 && i < raw.size() && raw[i] >= '0' && raw[i] <= '7') {
        value = value * 8 + static_cast<uint32_t>(raw[i++] - '0');
      }
      AppendUtf8(value, out);
      return i;
    }
    if (c == 'x' || c == 'u' || c == 'U') return UnescapeHex(raw, out);
    if (c == 'N') return Error("\\N{...} escapes are not supported; use \\u");
    if ((c & 0x80) != 0) return UnescapeBeforeNonAscii(raw, out);
    out->push_back('\\');
    out->push_back(c);
    return size_t{2};
  }

  Result<size_t> UnescapeHex(std::string_view raw, std::string* out) const {
    const size_t digits = raw[1] == 'x' ? 2 : raw[1] == 'u' ? 4 : 8;
    const auto read = [&](std::string_view at, uint32_t* value) {
      if (at.size() < digits + 2) return false;
      *value = 0;
      for (size_t i = 2; i < digits + 2; ++i) {
        if (DigitValue(at[i]) > 15) return false;
        *value = *value * 16 + static_cast<uint32_t>(DigitValue(at[i]));
      }
      return true;
    };
    uint32_t value = 0;
    if (!read(raw, &value))
      return Error("truncated \\" + std::string(1, raw[1]) + " escape in a string");
    size_t length = digits + 2;
    uint32_t low = 0;
    if (value >= 0xD800 && value < 0xDC00 && raw[1] == 'u' && raw.substr(length, 2) == "\\u" &&
        read(raw.substr(length), &low) && low >= 0xDC00 && low < 0xE000) {
      value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
      length *= 2;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
      return Error("a string escape names no Unicode character");
    }
    AppendUtf8(value, out);
    return length;
  }

  // The reference turns the character into an escape first, whose backslash then escapes ours: a
  // backslash before e-acute yields the five characters \xe9.
  static Result<size_t> UnescapeBeforeNonAscii(std::string_view raw, std::string* out) {
    const Utf8Char c = DecodeUtf8(raw, 1);
    char escape[16];
    const char* format = c.code_point < 0x100     ? "\\x%02x"
                         : c.code_point < 0x10000 ? "\\u%04x"
                                                  : "\\U%08x";
    std::snprintf(escape, sizeof escape, format, c.code_point);
    *out += escape;
    return size_t{1} + c.length;
  }

  Status LexOperator(std::string* open) {
    static constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!At(op)) continue;
      if (op == "(" || op == "[" || op == "{")
        open->push_back(op == "(" ? ')' : op == "[" ? ']' : '}');
      if (op == ")" || op == "]" || op == "}") {
        if (open->empty()) return Error("unexpected '" + std::string(op) + "'");
        if (open->back() != op[0]) {
          return Error("unexpected '" + std::string(op) + "', expected '" + open->back() + "'");
        }
        open->pop_back();
      }
      Add(TokenKind::kOperator, std::string(op));
      Advance(op.size());
      return OkStatus();
    }
    const size_t length = DecodeUtf8(text_, position_).length;
    return Error("unexpected char '" + text_.substr(position_, length) + "'");
  }

  const std::string text_;
  const std::string& name_;
  size_t position_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Status SyntaxError(const std::string& name, int line, std::string_view what) {
  return InvalidArgument("[jinja] '" + name + "' line " + std::to_string(line) + ": " +
                         std::string(what));
}

Result<std::vector<Token>> Tokenize(std::string_view source, const std::string& name) {
  if (!IsValidUtf8(source)) return SyntaxError(name, 1, "the template is not UTF-8");
  return Lexer(NormalizeNewlines(source), name).Run();
}

}  // namespace ac::jinja
