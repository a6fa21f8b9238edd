#include "obs/redact.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "obs/internal/secret_names.h"

namespace ac::obs {
namespace {

using internal::ClassifyName;
using internal::IsPlaceholderWord;
using internal::IsSecretQueryName;
using internal::SecretName;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlnum(char c) { return IsDigit(c) || IsUpper(c) || IsLower(c); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsSpace(char c) { return IsBlank(c) || c == '\n' || c == '\r'; }
bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool IsNameChar(char c) { return IsAlnum(c) || c == '_' || c == '-'; }
bool IsOneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// Where an unquoted value ends. Quotes and backslashes are among them, so a replacement inside a
// JSON string can neither swallow its end nor split an escape.
bool EndsValue(char c) { return IsSpace(c) || IsOneOf(c, "\"'`\\,;&<>(){}[]|"); }
bool EndsLine(char c) { return IsOneOf(c, "\n\r\"'\\"); }

bool EqualsIgnoreCase(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
    return (IsUpper(x) ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

// Tells keys from words: a digit, capitals in odd places, or too long for a word.
bool LooksRandom(std::string_view value) {
  constexpr size_t kShortestKey = 5;
  constexpr size_t kLongestWord = 24;
  if (value.size() < kShortestKey) return false;
  if (value.size() > kLongestWord) return true;
  int humps = 0;  // "GitHub" has one
  for (size_t i = 1; i < value.size(); ++i) humps += IsLower(value[i - 1]) && IsUpper(value[i]);
  return humps >= 2 || std::any_of(value.begin(), value.end(), IsDigit);
}

// "$KEY" and "${KEY}" in a shell script.
bool LooksLikeVariable(std::string_view value, char next) {
  return value[0] == '$' && (value.size() == 1 ? next == '{' : !IsDigit(value[1]));
}

// "os.environ[", "process.env.KEY", "api_key=api_key": source code that names a secret without
// holding it.
bool LooksLikeCode(std::string_view value, char next) {
  if (next == '(' || next == '[') return true;
  const bool path = std::all_of(value.begin(), value.end(), [](char c) {
    return IsUpper(c) || IsLower(c) || c == '_' || c == '.';
  });
  if (path && value.find('.') != std::string_view::npos && value.back() != '.') return true;
  return ClassifyName(value) != SecretName::kNo;
}

// Keys that announce themselves by their first characters.
struct KeyPrefix {
  std::string_view prefix;
  std::string_view extra;  // characters of the body besides letters and digits
  size_t min_body;
};
constexpr KeyPrefix kKeyPrefixes[] = {
    {"sk-ant-", "-_", 8}, {"sk-", "-_", 16},  {"sk_live_", "", 10},     {"sk_test_", "", 10},
    {"rk_live_", "", 10}, {"ghp_", "", 20},   {"gho_", "", 20},         {"ghu_", "", 20},
    {"ghs_", "", 20},     {"ghr_", "", 20},   {"github_pat_", "_", 20}, {"glpat-", "-_", 16},
    {"gsk_", "", 20},     {"hf_", "", 20},    {"npm_", "", 30},         {"nvapi-", "-_", 20},
    {"pplx-", "", 20},    {"r8_", "", 20},    {"xai-", "", 20},         {"xoxa-", "-", 10},
    {"xoxb-", "-", 10},   {"xoxp-", "-", 10}, {"xoxr-", "-", 10},       {"xoxs-", "-", 10},
    {"AIza", "-_", 30},   {"AKIA", "", 16},   {"ASIA", "", 16},         {"ya29.", "-_", 20},
};

class Redactor {
 public:
  explicit Redactor(std::string_view text) : text_(text) {}

  std::string Run() {
    while (pos_ < text_.size()) {
      if (SkipEscape()) continue;
      if (before_ != Before::kAlnum && (TryKeyPrefix() || TryJwt() || TryPrivateKey())) continue;
      if (before_ == Before::kBoundary && TryWord()) continue;
      if (TryUrlPassword()) continue;
      Advance(1);
    }
    out_.append(text_.substr(copied_));
    return std::move(out_);
  }

 private:
  // A quotation mark with the backslashes before it: none in plain text and JSON, one in JSON
  // inside a JSON string, then 3, 7...
  struct Quote {
    char mark = '\0';  // '\0' = none
    size_t backslashes = 0;
    size_t end = 0;  // one past the mark
    explicit operator bool() const { return mark != '\0'; }
  };

  // The separator of ?name=value and &name=value, whose values end at a '#'.
  static constexpr char kQuery = '?';

  // What stands before pos_, for "a key starts here" and "a name starts here".
  enum class Before { kBoundary, kNamePunctuation, kAlnum };

  char At(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  std::string_view Slice(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin);
  }
  template <typename Predicate>
  size_t SkipWhile(size_t i, Predicate predicate) const {
    while (i < text_.size() && predicate(text_[i])) ++i;
    return i;
  }
  template <typename Predicate>
  size_t SkipUntil(size_t i, Predicate predicate) const {
    return SkipWhile(i, [&](char c) { return !predicate(c); });
  }
  size_t SkipBackslashes(size_t i) const {
    return SkipWhile(i, [](char c) { return c == '\\'; });
  }

  void Advance(size_t n) {
    pos_ += n;
    last_ = text_[pos_ - 1];
    before_ = IsAlnum(last_)      ? Before::kAlnum
              : IsNameChar(last_) ? Before::kNamePunctuation
                                  : Before::kBoundary;
  }
  void MoveTo(size_t end) { Advance(end - pos_); }

  bool Replace(size_t begin, size_t end) {
    out_.append(text_.substr(copied_, begin - copied_));
    out_.append(kRedacted);
    copied_ = end;
    pos_ = end;
    last_ = ']';
    before_ = Before::kBoundary;
    return true;
  }

  bool SkipEscape();
  bool TryKeyPrefix();
  bool TryJwt();
  bool TryPrivateKey();
  bool TryUrlPassword();
  bool TryWord();
  bool TryScheme(size_t name_end);
  bool TryNamedValue(size_t name_end);
  Quote QuoteAt(size_t i) const;
  bool OpensValue(const Quote& quote, const Quote& name_quote) const;
  bool RedactValueAt(size_t i, SecretName kind, char separator, const Quote& name_quote);
  bool RedactQuoted(const Quote& quote);
  bool RedactArray(size_t i, const Quote& name_quote);
  bool RedactBare(size_t i, SecretName kind, char separator);
  bool RedactAuthorization(size_t i, char separator);
  bool RedactCookie(size_t i);
  size_t QuotedEnd(size_t content, size_t backslashes) const;
  size_t SingleQuotedEnd(size_t content, char quote) const;

  const std::string_view text_;
  size_t pos_ = 0;
  size_t copied_ = 0;  // text before it is in out_
  Before before_ = Before::kBoundary;
  char last_ = '\0';  // the character before pos_, decoded where it was an escape
  std::string out_;
};

// In JSON text "\nsk-ant-..." the letter n belongs to the escape, not to the key; nested JSON
// doubles the backslashes. The same for %0A in a URL.
bool Redactor::SkipEscape() {
  const char c = text_[pos_];
  size_t end = 0;
  char decoded = '\n';
  if (c == '%' && IsHex(At(pos_ + 1)) && IsHex(At(pos_ + 2))) {
    end = pos_ + 3;
    if (Slice(pos_, end) == "%26") decoded = '&';
  } else if (c == '\\') {
    end = SkipBackslashes(pos_);
    const size_t hex_end = SkipWhile(end + 1, IsHex);
    if (At(end) == 'u' && hex_end >= end + 5) {
      if (Slice(end + 1, end + 5) == "0026") decoded = '&';
      end += 5;
    } else if (IsOneOf(At(end), "nrtbf")) {
      end += 1;
    }
  } else {
    return false;
  }
  MoveTo(end);
  before_ = Before::kBoundary;
  last_ = decoded;
  return true;
}

bool Redactor::TryKeyPrefix() {
  // Longer than any word; also keeps "sk-sk-sk-..." linear, as it is consumed at once.
  constexpr size_t kSurelyAKey = 64;
  if (!IsOneOf(text_[pos_], "sghnprxAy")) return false;
  const std::string_view rest = text_.substr(pos_);
  for (const KeyPrefix& key : kKeyPrefixes) {
    if (!rest.starts_with(key.prefix)) continue;
    const size_t begin = pos_ + key.prefix.size();
    const size_t end =
        SkipWhile(begin, [&](char c) { return IsAlnum(c) || IsOneOf(c, key.extra); });
    const std::string_view body = Slice(begin, end);
    if (body.size() < key.min_body) continue;
    const bool random =
        std::any_of(body.begin(), body.end(), [](char c) { return IsDigit(c) || IsUpper(c); });
    if (random || body.size() >= kSurelyAKey) return Replace(pos_, end);
  }
  return false;
}

// header.payload.signature, each base64url; the header is JSON, hence "eyJ".
bool Redactor::TryJwt() {
  constexpr size_t kMaxHeader = 512;
  constexpr size_t kMinPart = 8;
  if (!text_.substr(pos_).starts_with("eyJ")) return false;
  const size_t limit = std::min(text_.size(), pos_ + kMaxHeader);
  size_t dot = pos_;
  while (dot < limit && IsNameChar(text_[dot])) ++dot;
  if (At(dot) != '.' || dot - pos_ < kMinPart || !IsNameChar(At(dot + 1))) return false;
  const size_t end = SkipWhile(dot + 1, [](char c) { return IsNameChar(c) || c == '.'; });
  return end - dot > kMinPart && Replace(pos_, end);
}

bool Redactor::TryPrivateKey() {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kKind = "PRIVATE KEY-----";
  constexpr size_t kMaxAlgorithm = 32;  // "RSA ", "OPENSSH ", "ENCRYPTED "
  const std::string_view rest = text_.substr(pos_);
  if (!rest.starts_with(kBegin)) return false;
  const size_t kind = rest.substr(0, kBegin.size() + kMaxAlgorithm + kKind.size()).find(kKind);
  if (kind == std::string_view::npos) return false;
  const size_t begin = pos_ + kind + kKind.size();
  size_t end = std::min(text_.find('"', begin), text_.size());
  const size_t footer = Slice(begin, end).find("-----END ");
  if (footer != std::string_view::npos) {
    end = begin + footer;
  } else {
    while (end > begin && text_[end - 1] == '\\') --end;
  }
  return end > begin && Replace(begin, end);
}

// scheme://user:password@host
bool Redactor::TryUrlPassword() {
  if (!text_.substr(pos_).starts_with("://")) return false;
  const auto ends = [](char c) { return IsSpace(c) || IsOneOf(c, "/@?#:\"'`\\<>"); };
  const size_t colon = SkipUntil(pos_ + 3, ends);
  if (At(colon) != ':') return false;
  const size_t at = SkipUntil(colon + 1, [&](char c) { return c != ':' && ends(c); });
  return At(at) == '@' && at > colon + 1 && Replace(colon + 1, at);
}

// A word at pos_: an authentication scheme, or a name with a value. Otherwise only its first
// character is passed, so that keys inside it are still found.
bool Redactor::TryWord() {
  if (!IsNameChar(text_[pos_])) return false;
  const size_t end = SkipWhile(pos_, IsNameChar);
  return TryScheme(end) || TryNamedValue(end);
}

bool IsBase64WithColon(std::string_view text) {
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = IsUpper(c)   ? c - 'A'
                      : IsLower(c) ? c - 'a' + 26
                      : IsDigit(c) ? c - '0' + 52
                      : c == '+'   ? 62
                                   : 63;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (((bits >> count) & 0xff) == ':') return true;
  }
  return false;
}

bool Redactor::TryScheme(size_t name_end) {
  constexpr size_t kShortestToken = 8;
  const std::string_view word = Slice(pos_, name_end);
  const bool bearer = EqualsIgnoreCase(word, "bearer");
  if (!bearer && !EqualsIgnoreCase(word, "basic")) return false;
  const size_t begin = SkipWhile(name_end, IsBlank);
  if (begin == name_end) return false;
  const size_t end = SkipWhile(
      begin, [&](char c) { return IsAlnum(c) || IsOneOf(c, bearer ? "._~+/=-" : "+/="); });
  const std::string_view token = Slice(begin, end);
  if (token.size() < kShortestToken) return false;
  // "Bearer certificates" and "basic JavaScript" are prose; credentials decode to user:password.
  if (!(bearer ? LooksRandom(token) : IsBase64WithColon(token))) return false;
  return Replace(begin, end);
}

Redactor::Quote Redactor::QuoteAt(size_t i) const {
  const size_t mark = SkipBackslashes(i);
  if (!IsQuote(At(mark))) return Quote();
  return {At(mark), mark - i, mark + 1};
}

// name: value, name=value, "name": value, --name value, ?name=value
bool Redactor::TryNamedValue(size_t name_end) {
  const std::string_view name = Slice(pos_, name_end);
  const Quote quote = QuoteAt(name_end);
  const size_t separator_at = quote ? SkipWhile(quote.end, IsSpace) : SkipWhile(name_end, IsBlank);
  char separator = At(separator_at);
  size_t i = separator_at;
  if (separator == ':' || separator == '=') {
    ++i;
    if (separator == '=' && At(i) == '=') return false;  // a comparison
    if ((separator == ':' && At(i) == '=') || (separator == '=' && At(i) == '>')) ++i;
  } else if (quote || !name.starts_with("--") || separator_at == name_end) {
    return false;
  }
  SecretName kind = ClassifyName(name);
  if (separator == '=' && IsOneOf(last_, "?&")) {
    separator = kQuery;
    if (kind == SecretName::kNo && IsSecretQueryName(name)) kind = SecretName::kKey;
  }
  if (kind == SecretName::kNo) return false;
  i = quote ? SkipWhile(i, IsSpace) : SkipWhile(i, IsBlank);
  return RedactValueAt(i, kind, separator, quote);
}

bool Redactor::RedactValueAt(size_t i, SecretName kind, char separator, const Quote& name_quote) {
  if (text_.substr(std::min(i, text_.size())).starts_with(kRedacted)) {
    MoveTo(i + kRedacted.size());
    return true;
  }
  if (const Quote quote = QuoteAt(i)) return OpensValue(quote, name_quote) && RedactQuoted(quote);
  // What follows a quoted name without quotes is a JSON number, a list, or source code.
  if (name_quote) return At(i) == '[' && RedactArray(i + 1, name_quote);
  if (kind == SecretName::kAuthorization) return RedactAuthorization(i, separator);
  if (kind == SecretName::kCookie && separator == ':') return RedactCookie(i);
  return RedactBare(i, kind, separator);
}

// Whether the quote begins a value. It may as well end the JSON string that the name stands in:
// {"label": "Password:", ...
bool Redactor::OpensValue(const Quote& quote, const Quote& name_quote) const {
  if (quote.mark != '"') return true;
  if (name_quote.mark == '"') return quote.backslashes == name_quote.backslashes;
  const char next = At(quote.end);
  return quote.end < text_.size() && !IsSpace(next) && !IsOneOf(next, ",:]}");
}

// The end of a double-quoted string. Its closing quote carries as many backslashes as the opening
// one, after whole pairs of escaped backslashes; fewer means that an outer string ends here.
size_t Redactor::QuotedEnd(size_t content, size_t backslashes) const {
  const size_t level = backslashes + 1;
  for (size_t i = content; i < text_.size(); ++i) {
    const size_t run = i;
    i = SkipBackslashes(i);
    if (At(i) != '"') continue;
    const size_t carried = (i - run) % (2 * level);
    if (carried == backslashes) return i - backslashes;
    if (carried != 2 * level - 1) return run;
  }
  return text_.size();
}

// The same for '...' and `...`, which may themselves stand inside a JSON string.
size_t Redactor::SingleQuotedEnd(size_t content, char mark) const {
  for (size_t i = content; i < text_.size(); ++i) {
    const size_t run = i;
    i = SkipBackslashes(i);
    if (At(i) == '"') return run;
    if (i == run && (At(i) == mark || At(i) == '\n')) return i;
  }
  return text_.size();
}

bool Redactor::RedactQuoted(const Quote& quote) {
  const size_t end = quote.mark == '"' ? QuotedEnd(quote.end, quote.backslashes)
                                       : SingleQuotedEnd(quote.end, quote.mark);
  if (end > quote.end) return Replace(quote.end, end);
  MoveTo(quote.end);
  return true;
}

// "Set-Cookie": ["a=1", "b=2"]
bool Redactor::RedactArray(size_t i, const Quote& name_quote) {
  bool replaced = false;
  while (true) {
    i = SkipWhile(i, [](char c) { return IsSpace(c) || c == ','; });
    const Quote quote = QuoteAt(i);
    if (!quote || quote.mark != name_quote.mark || quote.backslashes != name_quote.backslashes) {
      return replaced;
    }
    RedactQuoted(quote);
    replaced = true;
    // Past the closing quote; an unterminated string was consumed to the end.
    const Quote closing = QuoteAt(pos_);
    if (!closing) return true;
    i = closing.end;
  }
}

bool Redactor::RedactBare(size_t i, SecretName kind, char separator) {
  const size_t end =
      SkipUntil(i, [&](char c) { return EndsValue(c) || (c == '#' && separator == kQuery); });
  const std::string_view value = Slice(std::min(i, end), end);
  if (value.empty() || IsPlaceholderWord(value)) return false;
  if (LooksLikeVariable(value, At(end))) return false;
  if (kind == SecretName::kAuthorization) return Replace(i, end);
  if (LooksLikeCode(value, At(end))) return false;
  const bool assigned =
      separator == '=' || separator == kQuery || (separator == ':' && kind == SecretName::kKey);
  return (assigned || LooksRandom(value)) && Replace(i, end);
}

bool Redactor::RedactAuthorization(size_t i, char separator) {
  const size_t end = SkipUntil(i, EndsValue);
  const std::string_view first = Slice(std::min(i, end), end);
  const size_t second = SkipWhile(end, IsBlank);
  for (const std::string_view scheme : {"bearer", "basic", "token", "apikey", "negotiate", "key"}) {
    if (EqualsIgnoreCase(first, scheme)) {
      return RedactBare(second, SecretName::kAuthorization, separator);
    }
  }
  // Schemes whose parameters fill the line.
  for (const std::string_view scheme :
       {"digest", "aws4-hmac-sha256", "signature", "oauth", "hawk", "ntlm"}) {
    if (EqualsIgnoreCase(first, scheme) && second > end) {
      const size_t line_end = SkipUntil(second, EndsLine);
      return line_end > second && Replace(second, line_end);
    }
  }
  return RedactBare(i, SecretName::kAuthorization, separator);
}

// A cookie is name=value pairs; without one it is a biscuit.
bool Redactor::RedactCookie(size_t i) {
  constexpr size_t kMaxCookieName = 256;
  size_t equals = i;
  while (equals < i + kMaxCookieName && !EndsLine(At(equals)) && At(equals) != '=') ++equals;
  return At(equals) == '=' && Replace(i, SkipUntil(equals, EndsLine));
}

}  // namespace

std::string Redact(std::string_view text) { return Redactor(text).Run(); }

bool IsSecretName(std::string_view name) { return ClassifyName(name) != SecretName::kNo; }

std::string RedactValue(std::string_view name, std::string_view value) {
  return IsSecretName(name) ? std::string(kRedacted) : Redact(value);
}

}  // namespace ac::obs
