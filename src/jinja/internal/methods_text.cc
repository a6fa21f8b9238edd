// The methods of str.
#include <algorithm>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {

Value PadText(Interpreter& in, const Value& text, int64_t width, std::string_view fill,
              Padding padding) {
  const auto length = static_cast<int64_t>(CountCodePoints(text.text()));
  if (width <= length) return text;
  const auto missing = static_cast<size_t>(width - length);
  if (missing > (size_t{1} << 40) || !in.Reserve(missing * fill.size()) ||
      !in.Spend(missing * fill.size())) {
    return in.Fail("the padding is larger than the memory limit", Code::kTooLarge);
  }
  size_t left = padding == Padding::kRight ? 0 : missing;
  // Python puts the odd one to the left when the width is odd, to the right otherwise.
  if (padding == Padding::kCenter) left = missing / 2 + (missing & static_cast<size_t>(width) & 1);
  std::string out;
  out.reserve(text.text().size() + missing * fill.size());
  for (size_t i = 0; i < left; ++i) out += fill;
  out += text.text();
  for (size_t i = left; i < missing; ++i) out += fill;
  return in.NewString(std::move(out)).Safe(text.safe());
}

Value ReplaceText(Interpreter& in, const Value& text, std::string_view from, std::string_view to,
                  int64_t count) {
  const std::string_view source = text.text();
  if (!in.Spend(source.size())) return Value::Failed();
  size_t matches = source.size() + 1;
  if (!from.empty()) {
    matches = 0;
    for (size_t at = source.find(from); at != std::string_view::npos;
         at = source.find(from, at + from.size()))
      ++matches;
    if (matches == 0) return text;
  }
  if (count >= 0) matches = std::min(matches, static_cast<size_t>(count));
  const size_t growth = matches * to.size();
  if ((!to.empty() && growth / to.size() != matches) || !in.Reserve(source.size() + growth) ||
      !in.Spend(growth)) {
    return in.Fail("the replacement is larger than the memory limit", Code::kTooLarge);
  }
  return in.NewString(Replace(source, from, to, count)).Safe(text.safe());
}

Value JoinText(Interpreter& in, const Value& separator, const std::vector<Value>& pieces) {
  size_t size = 0;
  for (const Value& piece : pieces) size += piece.text().size() + separator.text().size();
  if (!in.Reserve(size) || !in.Spend(size)) return Value::Failed();
  std::string out;
  out.reserve(size);
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) out += separator.text();
    const bool escapes = separator.safe() && !pieces[i].safe();
    out += escapes ? EscapeHtml(pieces[i].text()) : std::string(pieces[i].text());
  }
  return in.NewString(std::move(out)).Safe(separator.safe());
}

namespace {

using Names = std::initializer_list<std::string_view>;

bool BindAll(Interpreter& in, const CallArguments& arguments, std::string_view method, Names names,
             size_t required, std::vector<Value>* given) {
  if (!arguments.Bind(in, method, names, given)) return false;
  for (size_t i = 0; i < required; ++i) {
    if (!(*given)[i].missing()) continue;
    in.Fail("TypeError: " + std::string(method) + "() needs at least " + std::to_string(required) +
            " argument(s)");
    return false;
  }
  return true;
}

bool ExpectText(Interpreter& in, const Value& value, std::string_view method) {
  if (value.Is(Kind::kString)) return true;
  if (value.undefined()) {
    in.FailUndefined(value);
  } else {
    in.Fail("TypeError: " + std::string(method) + "() argument must be str, not " +
            std::string(TypeName(value)));
  }
  return false;
}

bool Given(const Value& value) { return !value.missing() && !value.Is(Kind::kNone); }

using TextFunction = std::string (*)(std::string_view);
template <TextFunction function>
Value Convert(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "str method", {}, 0, &given) || !in.Spend(self.text().size()))
    return Value::Failed();
  return in.NewString(function(self.text())).Safe(self.safe());
}

template <bool (*test)(uint32_t)>
bool All(std::string_view text) {
  bool all = !text.empty();
  ForEachCodePoint(text, [&](uint32_t c, std::string_view) { return all = all && test(c); });
  return all;
}
bool IsAlphanumeric(uint32_t c) { return IsAlpha(c) || IsDigit(c) || IsNumeric(c); }
bool IsAsciiText(std::string_view text) { return IsAscii(text); }
bool IsPrintableText(std::string_view text) { return text.empty() || All<IsPrintable>(text); }
bool IsIdentifier(std::string_view text) {
  return All<IsWord>(text) && !IsNumeric(DecodeUtf8(text, 0).code_point);
}

template <bool (*test)(std::string_view)>
Value Check(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "str method", {}, 0, &given)) return Value::Failed();
  return Value::Bool(test(self.text()));
}

template <Side side>
Value StripMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "strip", {"chars"}, 0, &given)) return Value::Failed();
  if (!Given(given[0])) return self.Part(Strip(self.text(), side));
  if (!ExpectText(in, given[0], "strip")) return Value::Failed();
  return self.Part(Strip(self.text(), side, given[0].text()));
}

// The part of the text that the arguments start and end of find, count and the like select, in
// bytes.
struct Window {
  size_t start_characters = 0;
  size_t start = 0;
  std::string_view text;
  bool empty = false;  // start lies behind the end: nothing is found, not even ""
};

bool SelectWindow(Interpreter& in, std::string_view text, const Value& start, const Value& end,
                  Window* out) {
  out->text = text;
  if (!Given(start) && !Given(end)) return true;
  const auto length = static_cast<int64_t>(CountCodePoints(text));
  int64_t from = 0, to = length;
  if (Given(start) && !ToIndex(in, start, &from)) return false;
  if (Given(end) && !ToIndex(in, end, &to)) return false;
  if (from < 0) from = std::max<int64_t>(from + length, 0);
  if (to < 0) to = std::max<int64_t>(to + length, 0);
  to = std::min(to, length);
  out->empty = from > to;
  if (out->empty) return true;
  out->start_characters = static_cast<size_t>(from);
  out->start = ByteOffset(text, static_cast<size_t>(from));
  const std::string_view rest = text.substr(out->start);
  out->text = rest.substr(0, ByteOffset(rest, static_cast<size_t>(to - from)));
  return true;
}

template <bool last, bool must_exist>
Value Find(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Window window;
  if (!BindAll(in, arguments, "find", {"sub", "start", "end"}, 1, &given) ||
      !ExpectText(in, given[0], "find") ||
      !SelectWindow(in, self.text(), given[1], given[2], &window) ||
      !in.Spend(self.text().size())) {
    return Value::Failed();
  }
  const size_t found =
      last ? window.text.rfind(given[0].text()) : window.text.find(given[0].text());
  if (!window.empty && found != std::string_view::npos) {
    const size_t before = CountCodePoints(window.text.substr(0, found));
    return Value::Integer(Int{window.start_characters} + Int{before});
  }
  if (must_exist) return in.Fail("ValueError: substring not found");
  return Value::Integer(-1);
}

Value Count(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Window window;
  if (!BindAll(in, arguments, "count", {"sub", "start", "end"}, 1, &given) ||
      !ExpectText(in, given[0], "count") ||
      !SelectWindow(in, self.text(), given[1], given[2], &window) ||
      !in.Spend(self.text().size())) {
    return Value::Failed();
  }
  if (window.empty) return Value::Integer(0);
  const std::string_view sub = given[0].text();
  if (sub.empty()) return Value::Integer(static_cast<Int>(CountCodePoints(window.text)) + 1);
  Int count = 0;
  for (size_t at = window.text.find(sub); at != std::string_view::npos;
       at = window.text.find(sub, at + sub.size())) {
    ++count;
  }
  return Value::Integer(count);
}

template <bool at_end>
Value Affix(Interpreter& in, const Value& self, CallArguments& arguments) {
  constexpr std::string_view kName = at_end ? "endswith" : "startswith";
  std::vector<Value> given, candidates;
  Window window;
  if (!BindAll(in, arguments, kName, {"affix", "start", "end"}, 1, &given) ||
      !SelectWindow(in, self.text(), given[1], given[2], &window)) {
    return Value::Failed();
  }
  if (given[0].Is(Kind::kTuple)) {
    candidates = given[0].As<ListObject>()->items;
  } else {
    candidates.push_back(given[0]);
  }
  for (const Value& candidate : candidates) {
    if (!ExpectText(in, candidate, kName)) return Value::Failed();
    const std::string_view text = window.text, affix = candidate.text();
    if (window.empty || affix.size() > text.size()) continue;
    if (text.substr(at_end ? text.size() - affix.size() : 0, affix.size()) == affix)
      return Value::Bool(true);
  }
  return Value::Bool(false);
}

template <bool suffix>
Value RemoveAffix(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "removeprefix", {"affix"}, 1, &given) ||
      !ExpectText(in, given[0], "removeprefix")) {
    return Value::Failed();
  }
  const std::string_view text = self.text(), affix = given[0].text();
  if (affix.size() > text.size()) return self;
  const size_t rest = text.size() - affix.size();
  if (suffix) return text.substr(rest) == affix ? self.Part(text.substr(0, rest)) : self;
  return text.substr(0, affix.size()) == affix ? self.Part(text.substr(affix.size())) : self;
}

// Runs of white space separate; those at the ends do not count. After `most` cuts the rest stays
// whole.
void SplitSpace(std::string_view text, int64_t most, std::vector<std::string_view>* out) {
  text = Strip(text, Side::kLeft);
  while (!text.empty()) {
    if (most == 0) {
      out->push_back(text);
      return;
    }
    size_t end = text.size();
    ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
      if (!IsSpace(c)) return true;
      end = static_cast<size_t>(piece.data() - text.data());
      return false;
    });
    out->push_back(text.substr(0, end));
    text = Strip(text.substr(end), Side::kLeft);
    --most;
  }
}

// The same from the right, last piece first.
void SplitSpaceBackwards(std::string_view text, int64_t most, std::vector<std::string_view>* out) {
  std::vector<std::string_view> pieces;
  SplitSpace(text, -1, &pieces);
  if (most < 0 || static_cast<size_t>(most) >= pieces.size()) {
    out->assign(pieces.rbegin(), pieces.rend());
    return;
  }
  for (int64_t i = 0; i < most; ++i) {
    out->push_back(pieces.back());
    pieces.pop_back();
  }
  const auto& last = pieces.back();
  out->push_back(text.substr(0, static_cast<size_t>(last.data() - text.data()) + last.size()));
}

void SplitAt(std::string_view text, std::string_view separator, int64_t most, bool backwards,
             std::vector<std::string_view>* out) {
  while (most != 0) {
    const size_t found = backwards ? text.rfind(separator) : text.find(separator);
    if (found == std::string_view::npos) break;
    const std::string_view after = text.substr(found + separator.size());
    out->push_back(backwards ? after : text.substr(0, found));
    text = backwards ? text.substr(0, found) : after;
    --most;
  }
  out->push_back(text);
}

template <bool backwards>
Value Split(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "split", {"sep", "maxsplit"}, 0, &given)) return Value::Failed();
  int64_t most = -1;
  if (!given[1].missing() && !ToIndex(in, given[1], &most)) return Value::Failed();
  std::vector<std::string_view> pieces;
  if (!in.Spend(self.text().size()) || !in.Reserve(self.text().size())) return Value::Failed();
  if (Given(given[0])) {
    if (!ExpectText(in, given[0], "split")) return Value::Failed();
    if (given[0].text().empty()) return in.Fail("ValueError: empty separator");
    SplitAt(self.text(), given[0].text(), most, backwards, &pieces);
  } else {
    backwards ? SplitSpaceBackwards(self.text(), most, &pieces)
              : SplitSpace(self.text(), most, &pieces);
  }
  if (backwards) std::reverse(pieces.begin(), pieces.end());
  if (!in.Spend(pieces.size() * sizeof(Value)) || !in.Reserve(pieces.size() * sizeof(Value)))
    return Value::Failed();
  std::vector<Value> items;
  items.reserve(pieces.size());
  for (const std::string_view piece : pieces) items.push_back(self.Part(piece));
  return in.NewList(std::move(items));
}

Value SplitLinesMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items;
  if (!BindAll(in, arguments, "splitlines", {"keepends"}, 0, &given) ||
      !in.Spend(self.text().size())) {
    return Value::Failed();
  }
  for (const std::string_view line : SplitLines(self.text(), Truth(given[0])))
    items.push_back(self.Part(line));
  return in.NewList(std::move(items));
}

template <bool backwards>
Value Partition(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!BindAll(in, arguments, "partition", {"sep"}, 1, &given) ||
      !ExpectText(in, given[0], "partition") || !in.Spend(self.text().size())) {
    return Value::Failed();
  }
  const std::string_view text = self.text(), separator = given[0].text();
  if (separator.empty()) return in.Fail("ValueError: empty separator");
  const size_t found = backwards ? text.rfind(separator) : text.find(separator);
  const Value empty = self.Part(text.substr(0, 0));
  if (found == std::string_view::npos) {
    return backwards ? in.NewTuple({empty, empty, self}) : in.NewTuple({self, empty, empty});
  }
  return in.NewTuple({self.Part(text.substr(0, found)),
                      self.Part(text.substr(found, separator.size())),
                      self.Part(text.substr(found + separator.size()))});
}

Value JoinMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, pieces;
  if (!BindAll(in, arguments, "join", {"iterable"}, 1, &given) || !Collect(in, given[0], &pieces))
    return Value::Failed();
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].Is(Kind::kString)) continue;
    return in.Fail("TypeError: sequence item " + std::to_string(i) + ": expected str instance, " +
                   std::string(TypeName(pieces[i])) + " found");
  }
  return JoinText(in, self, pieces);
}

Value ReplaceMethod(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  int64_t count = -1;
  if (!BindAll(in, arguments, "replace", {"old", "new", "count"}, 2, &given) ||
      !ExpectText(in, given[0], "replace") || !ExpectText(in, given[1], "replace") ||
      (!given[2].missing() && !ToIndex(in, given[2], &count))) {
    return Value::Failed();
  }
  const auto side = [&](const Value& value) {
    return self.safe() && !value.safe() ? EscapeHtml(value.text()) : std::string(value.text());
  };
  return ReplaceText(in, self, side(given[0]), side(given[1]), count);
}

template <Padding padding>
Value Pad(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  int64_t width = 0;
  if (!BindAll(in, arguments, "center", {"width", "fillchar"}, 1, &given) ||
      !ToIndex(in, given[0], &width)) {
    return Value::Failed();
  }
  std::string_view fill = " ";
  if (!given[1].missing()) {
    if (!ExpectText(in, given[1], "center")) return Value::Failed();
    fill = given[1].text();
    if (CountCodePoints(fill) != 1)
      return in.Fail("TypeError: The fill character must be exactly one character long");
  }
  return PadText(in, self, width, fill, padding);
}

Value ZeroFill(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  int64_t width = 0;
  if (!BindAll(in, arguments, "zfill", {"width"}, 1, &given) || !ToIndex(in, given[0], &width))
    return Value::Failed();
  const std::string_view text = self.text();
  const bool sign = !text.empty() && (text[0] == '+' || text[0] == '-');
  const Value padded = PadText(in, self.Part(text.substr(sign ? 1 : 0)), width - (sign ? 1 : 0),
                               "0", Padding::kLeft);
  if (padded.failed()) return Value::Failed();
  if (!sign) return padded.Part(padded.text());
  return in.NewString(text[0] + std::string(padded.text())).Safe(self.safe());
}

Value ExpandTabs(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  int64_t size = 8;
  if (!BindAll(in, arguments, "expandtabs", {"tabsize"}, 0, &given) ||
      (!given[0].missing() && !ToIndex(in, given[0], &size))) {
    return Value::Failed();
  }
  constexpr int64_t kMaxTab = 1000;
  if (size > kMaxTab) return in.Fail("expandtabs: tabs wider than 1000 are not supported");
  const auto tabs = static_cast<size_t>(std::count(self.text().begin(), self.text().end(), '\t'));
  if (!in.Reserve(self.text().size() + tabs * kMaxTab) ||
      !in.Spend(self.text().size() + tabs * kMaxTab)) {
    return Value::Failed();
  }
  std::string out;
  int64_t column = 0;
  ForEachCodePoint(self.text(), [&](uint32_t c, std::string_view piece) {
    if (c == '\t') {
      const int64_t spaces = size <= 0 ? 0 : size - column % size;
      out.append(static_cast<size_t>(spaces), ' ');
      column += spaces;
    } else {
      out += piece;
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
    return true;
  });
  return in.NewString(std::move(out)).Safe(self.safe());
}

constexpr Builtin kMethods[] = {
    {"capitalize", Convert<Capitalize>},
    {"casefold", Convert<CaseFold>},
    {"center", Pad<Padding::kCenter>},
    {"count", Count},
    {"endswith", Affix<true>},
    {"expandtabs", ExpandTabs},
    {"find", Find<false, false>},
    {"format", FormatMethod},
    {"format_map", FormatMapMethod},
    {"index", Find<false, true>},
    {"isalnum", Check<All<IsAlphanumeric>>},
    {"isalpha", Check<All<IsAlpha>>},
    {"isascii", Check<IsAsciiText>},
    {"isdecimal", Check<All<IsDecimal>>},
    {"isdigit", Check<All<IsDigit>>},
    {"isidentifier", Check<IsIdentifier>},
    {"islower", Check<IsLowerText>},
    {"isnumeric", Check<All<IsNumeric>>},
    {"isprintable", Check<IsPrintableText>},
    {"isspace", Check<All<IsSpace>>},
    {"istitle", Check<IsTitleText>},
    {"isupper", Check<IsUpperText>},
    {"join", JoinMethod},
    {"ljust", Pad<Padding::kRight>},
    {"lower", Convert<Lower>},
    {"lstrip", StripMethod<Side::kLeft>},
    {"partition", Partition<false>},
    {"removeprefix", RemoveAffix<false>},
    {"removesuffix", RemoveAffix<true>},
    {"replace", ReplaceMethod},
    {"rfind", Find<true, false>},
    {"rindex", Find<true, true>},
    {"rjust", Pad<Padding::kLeft>},
    {"rpartition", Partition<true>},
    {"rsplit", Split<true>},
    {"rstrip", StripMethod<Side::kRight>},
    {"split", Split<false>},
    {"splitlines", SplitLinesMethod},
    {"startswith", Affix<false>},
    {"strip", StripMethod<Side::kBoth>},
    {"swapcase", Convert<SwapCase>},
    {"title", Convert<Title>},
    {"upper", Convert<Upper>},
    {"zfill", ZeroFill},
};

}  // namespace

BuiltinTable TextMethods() { return {std::begin(kMethods), std::end(kMethods)}; }

}  // namespace ac::jinja
