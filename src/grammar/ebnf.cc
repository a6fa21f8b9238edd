#include "grammar/ebnf.h"

#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "grammar/pieces.h"
#include "grammar/regex.h"

namespace ac::grammar {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr int kMaxNesting = 100;
constexpr uint64_t kMaxRepeat = 1'000'000;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

class EbnfParser {
 public:
  EbnfParser(std::string_view text, ProgramBuilder& builder) : text_(text), builder_(builder) {}

  Result<RuleId> Parse() {
    SkipBlanks();
    while (at_ < text_.size()) AC_RETURN_IF_ERROR(ParseRule());
    for (const auto& [name, rule] : rules_) {
      if (!rule.defined) {
        at_ = rule.first_use;
        return Error("rule \"" + name + "\" is used and never defined");
      }
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) {
      return InvalidArgument("[grammar] EBNF: there is no rule named \"root\"");
    }
    return root->second.id;
  }

 private:
  struct RuleState {
    RuleId id = 0;
    bool defined = false;
    size_t first_use = 0;
  };

  Status Error(const std::string& what) const {
    const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t start = before.rfind('\n');
    const size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return InvalidArgument("[grammar] EBNF line " + std::to_string(line) + ", column " +
                           std::to_string(column) + ": " + what);
  }

  bool At(std::string_view token) const { return text_.substr(at_).starts_with(token); }

  void SkipBlanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string Name() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsNameChar(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Does `name ::=` begin here?
  bool AtRuleHead() {
    const size_t begin = at_;
    const bool named = !Name().empty();
    SkipBlanks();
    const bool head = named && (At("::=") || At(":=") || At("=") || At(":"));
    at_ = begin;
    return head;
  }

  RuleState& RuleNamed(const std::string& name) {
    const auto [it, is_new] = rules_.try_emplace(name);
    if (is_new) it->second = {builder_.DeclareRule(), false, at_};
    return it->second;
  }

  Status ParseRule() {
    if (!AtRuleHead()) return Error("expected the beginning of a rule: name ::= ...");
    const std::string name = Name();
    RuleState& rule = RuleNamed(name);
    if (rule.defined) return Error("rule \"" + name + "\" is defined twice");
    rule.defined = true;
    const RuleId id = rule.id;
    SkipBlanks();
    for (const std::string_view sign : {"::=", ":=", "=", ":"}) {
      if (!At(sign)) continue;
      at_ += sign.size();
      break;
    }
    AC_ASSIGN_OR_RETURN(const Piece body, Alternatives(0));
    builder_.DefineRule(id, body);
    SkipBlanks();
    if (At(";")) ++at_;
    SkipBlanks();
    return OkStatus();
  }

  Result<Piece> Alternatives(int nesting) {
    if (nesting > kMaxNesting) return Error("too many nested groups");
    std::vector<Piece> branches;
    for (;;) {
      std::vector<Piece> parts;
      for (SkipBlanks(); !EndsBranch(); SkipBlanks()) {
        AC_ASSIGN_OR_RETURN(Piece part, Part(nesting));
        parts.push_back(std::move(part));
      }
      branches.push_back(parts.size() == 1 ? parts[0] : Sequence(std::move(parts)));
      if (!At("|")) break;
      ++at_;
    }
    return branches.size() == 1 ? branches[0] : OneOf(std::move(branches));
  }

  bool EndsBranch() { return at_ >= text_.size() || At("|") || At(")") || At(";") || AtRuleHead(); }

  Result<Piece> Part(int nesting) {
    bool one_character = false;
    AC_ASSIGN_OR_RETURN(Piece part, Atom(nesting, &one_character));
    // Blanks before a quantifier are allowed; in front of "(" they are not one.
    const size_t behind = at_;
    SkipBlanks();
    uint64_t min = 0;
    uint64_t max = kUnlimited;
    if (At("*") || At("+") || At("?")) {
      const char c = text_[at_++];
      if (c == '+') min = 1;
      if (c == '?') max = 1;
    } else if (At("{")) {
      AC_RETURN_IF_ERROR(Braces(&min, &max));
    } else {
      at_ = behind;
      return part;
    }
    return Times(min, max, std::move(part), one_character);
  }

  Status Braces(uint64_t* min, uint64_t* max) {
    const auto number = [&](uint64_t otherwise) {
      SkipBlanks();
      const size_t begin = at_;
      uint64_t value = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
        value = std::min(value * 10 + static_cast<uint64_t>(text_[at_] - '0'), kMaxRepeat + 1);
      }
      SkipBlanks();
      return begin == at_ ? otherwise : value;
    };
    ++at_;
    *min = number(0);
    *max = *min;
    if (At(",")) {
      ++at_;
      *max = number(kUnlimited);
    }
    if (!At("}")) return Error("a repetition looks like {2}, {2,} or {2,5}");
    ++at_;
    if (*max < *min) return Error("the bounds of a repetition are reversed");
    if (*min > kMaxRepeat || (*max != kUnlimited && *max > kMaxRepeat)) {
      return Error("a repetition of more than a million");
    }
    return OkStatus();
  }

  Result<Piece> Atom(int nesting, bool* one_character) {
    const char c = text_[at_];
    if (c == '"' || c == '\'') return Quoted(c);
    if (c == '(') {
      ++at_;
      AC_ASSIGN_OR_RETURN(Piece inside, Alternatives(nesting + 1));
      if (!At(")")) return Error("expected )");
      ++at_;
      return inside;
    }
    if (c == '[' || c == '.') {
      *one_character = true;
      ++at_;
      if (c == '.') return Character(CharacterSet::All(), Spelling::kPlain);
      Result<CharacterSet> set = ParseCharacterClass(text_, &at_);
      if (!set.ok()) return Error(set.status().message());
      return Character(*set, Spelling::kPlain);
    }
    if (c == '/') return Regex();
    if (IsNameChar(c)) {
      const size_t begin = at_;
      const std::string name = Name();
      RuleState& rule = RuleNamed(name);
      if (!rule.defined && rule.first_use == at_) rule.first_use = begin;
      return Rule(rule.id);
    }
    return Error(std::string("unexpected character '") + c + "'");
  }

  Result<Piece> Quoted(char quote) {
    std::string literal;
    for (++at_; at_ < text_.size() && text_[at_] != quote;) {
      if (text_[at_] == '\n') break;
      if (text_[at_] != '\\') {
        literal += text_[at_++];
        continue;
      }
      // One escape, read as a class of one character.
      const std::string escape = "\\" + std::string(text_.substr(at_ + 1, 11)) + "]";
      size_t used = 0;
      AC_ASSIGN_OR_RETURN(const uint32_t code, Escape(escape, &used));
      AppendUtf8(code, &literal);
      at_ += used;
    }
    if (!At(std::string_view(&quote, 1))) return Error("a literal without its closing quote");
    ++at_;
    return Text(literal);
  }

  Result<uint32_t> Escape(std::string_view text, size_t* used) const {
    constexpr std::string_view kUnits = "xuU";
    size_t length = 2;
    if (text.size() > 1 && kUnits.find(text[1]) != std::string_view::npos) {
      length = text[1] == 'x' ? 4 : text[1] == 'u' ? 6 : 10;
    }
    if (text.size() <= length) return Error("an incomplete escape");
    *used = length;
    if (text[1] == 'U') {
      return static_cast<uint32_t>(
          std::strtoul(std::string(text.substr(2, 8)).c_str(), nullptr, 16));
    }
    size_t at = 0;
    const std::string one = std::string(text.substr(0, length)) + "]";
    const Result<CharacterSet> set = ParseCharacterClass(one, &at);
    if (!set.ok()) return Error(set.status().message());
    if (set->ranges().size() != 1 || set->ranges()[0].first != set->ranges()[0].second) {
      return Error("this escape is no single character");
    }
    return set->ranges()[0].first;
  }

  Result<Piece> Regex() {
    const size_t begin = ++at_;
    bool in_class = false;
    while (at_ < text_.size() && text_[at_] != '\n' && (in_class || text_[at_] != '/')) {
      if (text_[at_] == '[') in_class = true;
      if (text_[at_] == ']') in_class = false;
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (!At("/")) return Error("a regular expression without its closing /");
    const Result<CompiledRegex> regex = CompileRegex(text_.substr(begin, at_ - begin), {});
    if (!regex.ok()) return Error(regex.status().message());
    ++at_;
    return regex->piece;
  }

  const std::string_view text_;
  ProgramBuilder& builder_;
  size_t at_ = 0;
  std::map<std::string, RuleState> rules_;
};

}  // namespace

Result<Piece> CompileEbnf(ProgramBuilder& builder, std::string_view text) {
  if (text.size() > kMaxBytes) {
    return Status(Code::kTooLarge, "[grammar] EBNF of more than a megabyte");
  }
  AC_ASSIGN_OR_RETURN(const RuleId root, EbnfParser(text, builder).Parse());
  AC_RETURN_IF_ERROR(builder.CheckLeftRecursion());
  return Rule(root);
}

}  // namespace ac::grammar
