#include "web/page_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace ac::web {
namespace {

constexpr size_t kMaxTitleBytes = 300;
constexpr size_t kMaxLinkBytes = 500;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Their content is not for reading.
bool IsSkipped(std::string_view tag) {
  return IsOneOf(tag, {"script", "style", "noscript", "template", "svg", "iframe", "object",
                       "canvas", "select", "textarea"});
}
bool IsParagraph(std::string_view tag) {
  return IsOneOf(tag,
                 {"p",       "pre",  "blockquote", "table",  "ul",  "ol",    "dl",     "section",
                  "article", "main", "header",     "footer", "nav", "aside", "figure", "hr",
                  "form",    "h1",   "h2",         "h3",     "h4",  "h5",    "h6"});
}
bool IsLine(std::string_view tag) {
  return IsOneOf(tag, {"br", "div", "li", "tr", "dt", "dd", "figcaption", "address", "option",
                       "caption", "summary", "details", "body", "head"});
}

struct NamedCharacter {
  std::string_view name;
  uint32_t code_point;
};
constexpr std::array kNamed = std::to_array<NamedCharacter>(
    {{"amp", '&'},       {"lt", '<'},       {"gt", '>'},       {"quot", '"'},
     {"apos", '\''},     {"nbsp", ' '},     {"mdash", 0x2014}, {"ndash", 0x2013},
     {"hellip", 0x2026}, {"copy", 0xA9},    {"reg", 0xAE},     {"trade", 0x2122},
     {"laquo", 0xAB},    {"raquo", 0xBB},   {"lsquo", 0x2018}, {"rsquo", 0x2019},
     {"ldquo", 0x201C},  {"rdquo", 0x201D}, {"bull", 0x2022},  {"middot", 0xB7},
     {"times", 0xD7},    {"deg", 0xB0},     {"euro", 0x20AC},  {"pound", 0xA3},
     {"larr", 0x2190},   {"rarr", 0x2192},  {"le", 0x2264},    {"ge", 0x2265},
     {"ne", 0x2260},     {"auml", 0xE4},    {"ouml", 0xF6},    {"uuml", 0xFC},
     {"Auml", 0xC4},     {"Ouml", 0xD6},    {"Uuml", 0xDC},    {"szlig", 0xDF},
     {"eacute", 0xE9},   {"egrave", 0xE8},  {"agrave", 0xE0},  {"ccedil", 0xE7}});

// What "&name;" or "&#123;" at the beginning of `text` stands for, and its length; 0: nothing.
size_t ReadReference(std::string_view text, std::string* out) {
  const size_t end = text.substr(0, 12).find(';');
  if (end == std::string_view::npos || end < 2) return 0;
  const std::string_view name = text.substr(1, end - 1);
  if (name.front() != '#') {
    const auto found = std::find_if(kNamed.begin(), kNamed.end(), [&](const NamedCharacter& known) {
      return known.name == name;
    });
    if (found == kNamed.end()) return 0;
    AppendUtf8(found->code_point, out);
    return end + 1;
  }
  const bool hex = name.size() > 1 && Lower(name[1]) == 'x';
  uint32_t value = 0;
  for (const char c : name.substr(hex ? 2 : 1)) {
    const char low = Lower(c);
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(hex && low >= 'a' && low <= 'f')) return 0;
    value = value * (hex ? 16 : 10) + static_cast<uint32_t>(digit ? c - '0' : low - 'a' + 10);
    if (value > 0x10FFFF) return 0;
  }
  // Control characters are no text.
  if (value < 0x20 || (value >= 0x7F && value < 0xA0)) {
    out->push_back(' ');
  } else {
    AppendUtf8(value, out);
  }
  return end + 1;
}

// Neither a place within the page nor "mailto:", "javascript:" and the like.
bool IsPageLink(std::string_view href) {
  const size_t colon = href.find_first_of(":/?#");
  const bool has_scheme = colon != std::string_view::npos && href[colon] == ':';
  return !href.starts_with('#') &&
         (!has_scheme || href.starts_with("http:") || href.starts_with("https:"));
}

std::string Decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t used = text[i] == '&' ? ReadReference(text.substr(i), &out) : 0;
    if (used == 0) out.push_back(text[i]);
    i += std::max<size_t>(used, 1);
  }
  return out;
}

class HtmlReader {
 public:
  HtmlReader(std::string_view html, const http::Url& page, size_t max_bytes)
      : html_(html), page_(page), max_bytes_(max_bytes) {}

  PageText Read() {
    while (at_ < html_.size() && out_.text.size() <= max_bytes_) {
      if (html_[at_] == '<' && ReadMarkup()) continue;
      const size_t next = std::min(html_.find('<', at_ + 1), html_.size());
      AddText(html_.substr(at_, next - at_));
      at_ = next;
    }
    if (out_.text.size() > max_bytes_) {
      out_.text = CutText(out_.text, max_bytes_);
      out_.cut = true;
    }
    return std::move(out_);
  }

 private:
  // False: this '<' is text.
  bool ReadMarkup() {
    const std::string_view rest = html_.substr(at_);
    if (rest.starts_with("<!--")) {
      SkipPast("-->", 4);
      return true;
    }
    if (rest.starts_with("<!") || rest.starts_with("<?")) {
      SkipPast(">", 2);
      return true;
    }
    const bool closing = rest.size() > 1 && rest[1] == '/';
    size_t name = closing ? 2 : 1;
    if (name >= rest.size() || !IsLetter(rest[name])) return false;
    std::string tag;
    for (; name < rest.size() && !IsSpace(rest[name]) && rest[name] != '>' && rest[name] != '/';
         ++name) {
      tag.push_back(Lower(rest[name]));
    }
    at_ += name;
    const std::string href = ReadAttributes(tag == "a" && !closing);
    if (closing) {
      Close(tag);
    } else {
      Open(tag, href);
    }
    return true;
  }

  // Past the tag's '>'. The value of href, when it is wanted.
  std::string ReadAttributes(bool wants_link) {
    std::string href;
    while (at_ < html_.size() && html_[at_] != '>') {
      const size_t begin = at_;
      while (at_ < html_.size() && !IsSpace(html_[at_]) && html_[at_] != '=' && html_[at_] != '>') {
        ++at_;
      }
      const std::string_view name = html_.substr(begin, at_ - begin);
      while (at_ < html_.size() && IsSpace(html_[at_])) ++at_;
      if (at_ >= html_.size() || html_[at_] != '=') continue;
      ++at_;
      const std::string_view value = ReadValue();
      const bool is_link = name.size() == 4 && Lower(name[0]) == 'h' && Lower(name[1]) == 'r' &&
                           Lower(name[2]) == 'e' && Lower(name[3]) == 'f';
      if (wants_link && is_link && value.size() <= kMaxLinkBytes) href = Decoded(value);
    }
    if (at_ < html_.size()) ++at_;
    return href;
  }

  std::string_view ReadValue() {
    while (at_ < html_.size() && IsSpace(html_[at_])) ++at_;
    if (at_ >= html_.size()) return {};
    const char quote = html_[at_];
    size_t begin = at_;
    if (quote == '"' || quote == '\'') {
      ++begin;
      at_ = std::min(html_.find(quote, begin), html_.size());
      const std::string_view value = html_.substr(begin, at_ - begin);
      if (at_ < html_.size()) ++at_;
      return value;
    }
    while (at_ < html_.size() && !IsSpace(html_[at_]) && html_[at_] != '>') ++at_;
    return html_.substr(begin, at_ - begin);
  }

  void Open(const std::string& tag, const std::string& href) {
    if (IsSkipped(tag)) return SkipElement(tag);
    if (tag == "title" && out_.title.empty()) {
      const size_t begin = at_;
      SkipElement(tag);
      out_.title = TitleOf(html_.substr(begin, at_ - begin));
      return;
    }
    Break(tag);
    if (tag.size() == 2 && tag[0] == 'h' && tag[1] >= '1' && tag[1] <= '6') {
      lead_ = std::string(static_cast<size_t>(tag[1] - '0'), '#') + " ";
    } else if (tag == "li") {
      lead_ = "- ";
    } else if ((tag == "td" || tag == "th") && newlines_ == 0 && !out_.text.empty()) {
      lead_ = "| ";
      space_ = true;
    } else if (tag == "pre") {
      preformatted_ = true;
    } else if (tag == "a") {
      link_ = href;
    }
  }

  void Close(const std::string& tag) {
    if (tag == "pre") preformatted_ = false;
    if (tag == "a" && !link_.empty()) {
      const std::string href = std::exchange(link_, {});
      const Result<http::Url> target = page_.Resolve(href);
      if (IsPageLink(href) && target.ok() && target->password.empty() && !space_ &&
          newlines_ == 0) {
        out_.text += " (" + target->Origin() + target->target + ")";
      }
    }
    Break(tag);
  }

  void Break(const std::string& tag) {
    if (IsParagraph(tag)) newlines_ = std::max(newlines_, 2);
    if (IsLine(tag)) newlines_ = std::max(newlines_, 1);
  }

  // To behind the end of the element whose start tag was just read.
  void SkipElement(const std::string& tag) {
    for (size_t found = html_.find("</", at_); found != std::string_view::npos;
         found = html_.find("</", found + 2)) {
      const std::string_view name = html_.substr(found + 2, tag.size());
      if (!std::equal(name.begin(), name.end(), tag.begin(), tag.end(),
                      [](char a, char b) { return Lower(a) == b; })) {
        continue;
      }
      at_ = found;
      return;
    }
    at_ = html_.size();
  }

  void SkipPast(std::string_view end, size_t from) {
    const size_t found = html_.find(end, std::min(at_ + from, html_.size()));
    at_ = found == std::string_view::npos ? html_.size() : found + end.size();
  }

  static std::string TitleOf(std::string_view raw) {
    std::string title;
    for (const char c : Decoded(raw)) {
      if (!IsSpace(c)) {
        title.push_back(c);
      } else if (!title.empty() && title.back() != ' ') {
        title.push_back(' ');
      }
    }
    while (title.ends_with(' ')) title.pop_back();
    return std::string(CutText(title, kMaxTitleBytes));
  }

  void AddText(std::string_view raw) {
    for (const char c : Decoded(raw)) {
      if (out_.text.size() > max_bytes_) return;
      if (preformatted_ && c == '\n') {
        newlines_ = std::min(newlines_ + 1, 2);
      } else if (preformatted_ ? c == '\r' : IsSpace(c)) {
        space_ = true;
      } else if (static_cast<unsigned char>(c) >= ' ' || c == '\t') {
        FlushBreaks();
        out_.text.push_back(c);
      }
    }
  }

  void FlushBreaks() {
    if (!out_.text.empty() && newlines_ > 0) {
      out_.text.append(static_cast<size_t>(newlines_), '\n');
    } else if (!out_.text.empty() && space_) {
      out_.text.push_back(' ');
    }
    out_.text += lead_;
    lead_.clear();
    newlines_ = 0;
    space_ = false;
  }

  const std::string_view html_;
  const http::Url& page_;
  const size_t max_bytes_;
  size_t at_ = 0;
  PageText out_;
  int newlines_ = 0;  // to be written before the next character
  bool space_ = false;
  std::string lead_;  // to be written before the next character: "- ", "## "
  std::string link_;  // the open link's
  bool preformatted_ = false;
};

}  // namespace

std::string_view CutText(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string ToUtf8(std::string_view bytes, std::string_view charset) {
  std::string name;
  for (const char c : charset) name.push_back(Lower(c));
  if (!IsOneOf(name, {"iso-8859-1", "latin1", "windows-1252", "us-ascii"})) {
    return RepairUtf8(bytes);
  }
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) AppendUtf8(static_cast<unsigned char>(c), &out);
  return out;
}

PageText ReadHtml(std::string_view html, const http::Url& page, size_t max_bytes) {
  const std::string repaired = RepairUtf8(html);
  return HtmlReader(repaired, page, max_bytes).Read();
}

}  // namespace ac::web
