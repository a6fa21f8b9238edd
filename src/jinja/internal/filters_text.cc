// Filters over text.
#include <algorithm>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

using TextFunction = std::string (*)(std::string_view);

// Filters of one text argument: convert, keep the markup flag.
template <TextFunction function>
Value MapText(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "filter", {}, &given)) return Value::Failed();
  const Value text = ToSoftString(in, self);
  if (text.failed() || !in.Spend(text.text().size())) return Value::Failed();
  return in.NewString(function(text.text())).Safe(text.safe());
}

// Every word starts in upper case; words end at white space, dashes and opening brackets.
std::string TitleWords(std::string_view text) {
  std::string out;
  size_t start = 0;
  const auto flush = [&](size_t end) {
    const std::string_view word = text.substr(start, end - start);
    const size_t first = ByteOffset(word, 1);
    out += Upper(word.substr(0, first)) + Lower(word.substr(first));
  };
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    const bool separates = IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    if (!separates) return true;
    const auto at = static_cast<size_t>(piece.data() - text.data());
    flush(at);
    out += piece;
    start = at + piece.size();
    return true;
  });
  flush(text.size());
  return out;
}

Value String(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "string", {}, &given)) return Value::Failed();
  return ToSoftString(in, self);
}

Value Safe(Interpreter& in, const Value& self, CallArguments& arguments) {
  return String(in, self, arguments).Safe(true);
}

Value Escape(Interpreter& in, const Value& self, CallArguments& arguments) {
  Value text = String(in, self, arguments);
  if (text.failed()) return Value::Failed();
  if (text.safe()) return text;
  return in.NewString(EscapeHtml(text.text())).Safe(true);
}

Value ForceEscape(Interpreter& in, const Value& self, CallArguments& arguments) {
  const Value text = String(in, self, arguments);
  return text.failed() ? Value::Failed() : in.NewString(EscapeHtml(text.text())).Safe(true);
}

Value Trim(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "trim", {"chars"}, &given)) return Value::Failed();
  const Value text = ToSoftString(in, self);
  if (text.failed()) return Value::Failed();
  if (given[0].missing() || given[0].Is(Kind::kNone))
    return text.Part(Strip(text.text(), Side::kBoth));
  if (!given[0].Is(Kind::kString)) return in.Fail("TypeError: strip arg must be None or str");
  return text.Part(Strip(text.text(), Side::kBoth, given[0].text()));
}

Value ReplaceFilter(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "replace", {"old", "new", "count"}, &given)) return Value::Failed();
  if (given[1].missing()) return in.Fail("TypeError: replace needs an old and a new text");
  int64_t count = -1;
  const bool counted = !given[2].missing() && !given[2].Is(Kind::kNone);
  if (counted && !ToIndex(in, given[2], &count)) return Value::Failed();
  const Value text = ToString(in, self), from = ToString(in, given[0]), to = ToString(in, given[1]);
  if (in.failed()) return Value::Failed();
  return ReplaceText(in, text, from.text(), to.text(), count);
}

Value Indent(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "indent", {"width", "first", "blank"}, &given)) return Value::Failed();
  if (self.undefined()) return in.FailUndefined(self);
  if (!self.Is(Kind::kString))
    return in.Fail("TypeError: indent needs text, not " + std::string(TypeName(self)));
  std::string indent(4, ' ');
  if (given[0].Is(Kind::kString)) {
    indent = given[0].text();
  } else if (!given[0].missing()) {
    int64_t width = 0;
    if (!ToIndex(in, given[0], &width) ||
        !in.Reserve(static_cast<size_t>(std::max<int64_t>(width, 0)))) {
      return Value::Failed();
    }
    indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = Truth(given[2]);
  const std::string whole = std::string(self.text()) + "\n";
  const auto lines = SplitLines(whole, false);
  const size_t size = whole.size() + lines.size() * (indent.size() + 1);
  if (!in.Spend(size) || !in.Reserve(size)) return Value::Failed();
  std::string out = Truth(given[1]) ? indent : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\n";
    if (i > 0 && (blank || !lines[i].empty())) out += indent;
    out += lines[i];
  }
  return in.NewString(std::move(out)).Safe(self.safe());
}

Value CenterFilter(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "center", {"width"}, &given)) return Value::Failed();
  int64_t width = 80;
  if (!given[0].missing() && !ToIndex(in, given[0], &width)) return Value::Failed();
  const Value text = ToSoftString(in, self);
  return text.failed() ? text : PadText(in, text, width, " ", Padding::kCenter);
}

Value Truncate(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "truncate", {"length", "killwords", "end", "leeway"}, &given))
    return Value::Failed();
  const Value length_of = LengthOrFail(in, self);
  int64_t length = 255, leeway = 5;
  if (!given[0].missing() && !ToIndex(in, given[0], &length)) return Value::Failed();
  if (!given[3].missing() && !given[3].Is(Kind::kNone) && !ToIndex(in, given[3], &leeway))
    return Value::Failed();
  const Value end = given[2].missing() ? Value::Borrowed("...") : given[2];
  if (in.failed()) return Value::Failed();
  if (!end.Is(Kind::kString)) return in.Fail("TypeError: truncate needs a text as end");
  const auto end_length = static_cast<int64_t>(CountCodePoints(end.text()));
  if (length < end_length || leeway < 0) {
    return in.Fail("AssertionError: expected length >= " + std::to_string(end_length) +
                   " and leeway >= 0");
  }
  if (length_of.integer() <= static_cast<Int>(length) + leeway) return self;
  if (!self.Is(Kind::kString))
    return in.Fail("TypeError: truncate needs text, not " + std::string(TypeName(self)));
  std::string_view kept =
      self.text().substr(0, ByteOffset(self.text(), static_cast<size_t>(length - end_length)));
  if (!Truth(given[1])) kept = kept.substr(0, kept.rfind(' '));
  return in.NewString(std::string(kept) + std::string(end.text())).Safe(self.safe());
}

Value WordCount(Interpreter& in, const Value& self, CallArguments& arguments) {
  const Value text = String(in, self, arguments);
  if (text.failed() || !in.Spend(text.text().size())) return Value::Failed();
  Int words = 0;
  bool in_word = false;
  ForEachCodePoint(text.text(), [&](uint32_t c, std::string_view) {
    const bool is_word = IsWord(c);
    words += is_word && !in_word ? 1 : 0;
    in_word = is_word;
    return true;
  });
  return Value::Integer(words);
}

Value Format(Interpreter& in, const Value& self, CallArguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return in.Fail("can't handle positional and keyword arguments at the same time");
  }
  const Value format = ToSoftString(in, self);
  if (format.failed()) return Value::Failed();
  if (arguments.named.empty())
    return FormatPercent(in, format, in.NewTuple(std::move(arguments.positional)));
  auto* dict = in.heap().New<DictObject>(0);
  for (auto& [name, value] : arguments.named) dict->Set(name, std::move(value));
  return FormatPercent(in, format, in.NewDict(dict));
}

void AppendUrlQuoted(std::string_view text, bool query, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      out->push_back(c);
    } else if (c == ' ' && query) {
      out->push_back('+');
    } else {
      out->push_back('%');
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    }
  }
}

Value UrlEncode(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "urlencode", {}, &given)) return Value::Failed();
  std::string out;
  if (self.Is(Kind::kString) || !IsIterable(self)) {
    const Value text = ToString(in, self);
    if (text.failed()) return Value::Failed();
    AppendUrlQuoted(text.text(), false, &out);
    return in.NewString(std::move(out));
  }
  Cursor cursor;
  const bool is_dict = self.Is(Kind::kDict);
  cursor.Start(
      in, is_dict ? Value::Of(Kind::kView, in.heap().New<ViewObject>(0, self, ViewKind::kItems))
                  : self);
  for (Value item; cursor.Next(in, &item);) {
    std::vector<Value> pair;
    if (!Collect(in, item, &pair)) return Value::Failed();
    if (pair.size() != 2) return in.Fail("ValueError: urlencode needs pairs of key and value");
    const Value key = ToString(in, pair[0]), value = ToString(in, pair[1]);
    if (in.failed()) return Value::Failed();
    if (!out.empty()) out.push_back('&');
    AppendUrlQuoted(key.text(), true, &out);
    out.push_back('=');
    AppendUrlQuoted(value.text(), true, &out);
  }
  return in.NewString(std::move(out));
}

Value XmlAttributes(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "xmlattr", {"autospace"}, &given)) return Value::Failed();
  if (!self.Is(Kind::kDict)) return in.Fail("TypeError: xmlattr needs a mapping");
  std::string out;
  for (const auto& [key, value] : self.As<DictObject>()->items) {
    if (value.Is(Kind::kNone) || value.undefined()) continue;
    const Value name = ToSoftString(in, key), text = ToSoftString(in, value);
    if (in.failed()) return Value::Failed();
    if (name.text().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      return in.Fail("ValueError: invalid character in attribute name");
    }
    if (!out.empty()) out.push_back(' ');
    out += name.safe() ? std::string(name.text()) : EscapeHtml(name.text());
    out += "=\"" + (text.safe() ? std::string(text.text()) : EscapeHtml(text.text())) + "\"";
  }
  const bool space = (given[0].missing() || Truth(given[0])) && !out.empty();
  return in.NewString(space ? " " + out : out);
}

constexpr Builtin kTextFilters[] = {
    {"capitalize", MapText<Capitalize>},
    {"center", CenterFilter},
    {"e", Escape},
    {"escape", Escape},
    {"forceescape", ForceEscape},
    {"format", Format},
    {"indent", Indent},
    {"lower", MapText<Lower>},
    {"replace", ReplaceFilter},
    {"safe", Safe},
    {"string", String},
    {"title", MapText<TitleWords>},
    {"trim", Trim},
    {"truncate", Truncate},
    {"upper", MapText<Upper>},
    {"urlencode", UrlEncode},
    {"wordcount", WordCount},
    {"xmlattr", XmlAttributes},
};

}  // namespace

BuiltinTable TextFilters() { return {std::begin(kTextFilters), std::end(kTextFilters)}; }

}  // namespace ac::jinja
