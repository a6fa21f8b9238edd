#include "tokenizer/internal/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>
#include <utility>

#include "base/utf8.h"

namespace ac::tokenizer::internal {
namespace {

// A published pattern backtracks over one run of white space; a hostile one may not take for ever.
constexpr uint32_t kMatchLimit = 10'000'000;
// Published files have at most six.
constexpr size_t kMaxRules = 64;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

struct Range {
  size_t begin;
  size_t end;
};

// A text that is not valid UTF-8, with U+FFFD for each bad sequence, and the way back.
struct Repaired {
  std::string text;
  std::vector<size_t> original;  // offset in the original text of each byte of `text`, and its end
};

Repaired Repair(std::string_view bad) {
  Repaired out;
  for (size_t i = 0; i < bad.size();) {
    const Utf8Char c = DecodeUtf8(bad, i);
    AppendUtf8(c.code_point, &out.text);
    out.original.resize(out.text.size(), i);
    i += c.length;
  }
  out.original.push_back(bad.size());
  return out;
}

// Builds the pieces of one text from its matches.
class Pieces {
 public:
  Pieces(const SplitRule& rule, std::string_view text, FunctionRef<void(std::string_view)> emit)
      : rule_(rule), text_(text), emit_(emit) {}

  void Matched(Range match) {
    Section({done_, match.begin}, rule_.invert);
    Section(match, !rule_.invert);
    done_ = match.end;
  }
  void Finish() {
    Section({done_, text_.size()}, rule_.invert);
    Flush();
  }

 private:
  // `separator`: this section plays the part of a match.
  void Section(Range range, bool separator) {
    if (range.begin == range.end) return;
    switch (rule_.mode) {
      case SplitMode::kIsolated:
        Emit(range);
        return;
      case SplitMode::kRemoved:
        if (!separator) Emit(range);
        return;
      case SplitMode::kMergedWithPrevious:
        Extend(range);
        if (separator) Flush();
        return;
      case SplitMode::kMergedWithNext:
        if (separator) Flush();
        Extend(range);
        return;
    }
  }
  void Emit(Range range) { emit_(text_.substr(range.begin, range.end - range.begin)); }
  void Extend(Range range) {
    if (open_.begin == open_.end) open_.begin = range.begin;
    open_.end = range.end;
  }
  void Flush() {
    if (open_.begin < open_.end) Emit(open_);
    open_.begin = open_.end;
  }

  const SplitRule& rule_;
  std::string_view text_;
  FunctionRef<void(std::string_view)> emit_;
  size_t done_ = 0;
  Range open_ = {0, 0};
};

}  // namespace

// Runs one pattern over many texts.
class Splitter::Matcher {
 public:
  // `compiled_to_machine_code`: by the JIT of PCRE2.
  Matcher(const pcre2_code* code, bool compiled_to_machine_code)
      : code_(code),
        jit_(compiled_to_machine_code),
        data_(pcre2_match_data_create_from_pattern(code, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (context_ != nullptr) pcre2_set_match_limit(context_.get(), kMatchLimit);
  }

  // Calls `matched` for every match, from left to right. `text` is valid UTF-8. A search that fails
  // (out of memory, over the limit) ends like one that finds nothing more.
  template <typename Matched>
  void Search(std::string_view text, const Matched& matched) {
    if (data_ == nullptr || context_ == nullptr) return;
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data_.get());
    for (size_t from = 0; from < text.size() && FindFrom(text, from);) {
      if (range[0] < from || range[0] >= text.size()) return;
      matched(Range{range[0], range[1]});
      // An empty match cuts where it stands; the search goes on one character later.
      from = range[1] > range[0] ? range[1] : range[0] + DecodeUtf8(text, range[0]).length;
    }
  }

 private:
  bool FindFrom(std::string_view text, size_t from) {
    const auto match = [&](auto function, uint32_t options) {
      return function(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options,
                      data_.get(), context_.get());
    };
    int found = PCRE2_ERROR_JIT_STACKLIMIT;
    if (jit_) found = match(pcre2_jit_match, 0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = match(pcre2_match, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    }
    return found >= 0;
  }

  const pcre2_code* code_;
  bool jit_;
  std::unique_ptr<pcre2_match_data, FreeMatch> data_;
  std::unique_ptr<pcre2_match_context, FreeContext> context_;
};

struct Splitter::Rule {
  SplitRule rule;
  Scanner scanner = nullptr;
  std::unique_ptr<pcre2_code, FreeCode> code;
  bool jit = false;

  // `valid`: the text is known to be UTF-8.
  void Split(std::string_view text, bool valid, Matcher* matcher,
             FunctionRef<void(std::string_view)> emit) const;
};

Splitter::Splitter() = default;
Splitter::Splitter(Splitter&&) noexcept = default;
Splitter& Splitter::operator=(Splitter&&) noexcept = default;
Splitter::~Splitter() = default;

Result<Splitter> Splitter::Create(std::span<const SplitRule> rules, bool use_scanners) {
  if (rules.size() > kMaxRules) {
    return InvalidArgument("[tokenizer] the pre-tokeniser has " + std::to_string(rules.size()) +
                           " steps; at most " + std::to_string(kMaxRules) + " are supported");
  }
  Splitter splitter;
  for (const SplitRule& rule : rules) {
    Rule compiled;
    compiled.rule = rule;
    if (use_scanners && rule.mode == SplitMode::kIsolated) {
      compiled.scanner = ScannerFor(rule.regex);
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    compiled.code.reset(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rule.regex.data()), rule.regex.size(),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                      &offset, nullptr));
    if (compiled.code == nullptr) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(error, message, sizeof(message));
      return InvalidArgument("[tokenizer] pre-tokeniser pattern \"" + rule.regex +
                             "\" is not usable: " + reinterpret_cast<const char*>(message) +
                             " at offset " + std::to_string(offset));
    }
    // Without a JIT for this machine the interpreter gives the same answers.
    compiled.jit = pcre2_jit_compile(compiled.code.get(), PCRE2_JIT_COMPLETE) == 0;
    splitter.rules_.push_back(std::move(compiled));
  }
  if (splitter.rules_.size() == 1) splitter.scanner_ = splitter.rules_[0].scanner;
  return splitter;
}

void Splitter::Split(std::string_view text, FunctionRef<void(std::string_view)> emit) const {
  std::vector<Matcher> matchers;
  matchers.reserve(rules_.size());
  for (const Rule& rule : rules_) matchers.emplace_back(rule.code.get(), rule.jit);
  SplitFrom(0, text, IsValidUtf8(text), matchers.data(), emit);
}

// Each piece goes through all further rules before the next one is cut: it is still in the cache.
void Splitter::SplitFrom(size_t rule, std::string_view text, bool valid, Matcher* matchers,
                         FunctionRef<void(std::string_view)> emit) const {
  if (rule == rules_.size()) {
    emit(text);
    return;
  }
  rules_[rule].Split(text, valid, &matchers[rule], [&](std::string_view piece) {
    SplitFrom(rule + 1, piece, valid, matchers, emit);
  });
}

void Splitter::Rule::Split(std::string_view text, bool valid, Matcher* matcher,
                           FunctionRef<void(std::string_view)> emit) const {
  if (scanner != nullptr) {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = scanner(text, begin);
      emit(text.substr(begin, end - begin));
      begin = end;
    }
    return;
  }
  Pieces pieces(rule, text, emit);
  if (valid || IsValidUtf8(text)) {
    matcher->Search(text, [&](Range match) { pieces.Matched(match); });
  } else {
    const Repaired repaired = Repair(text);
    matcher->Search(repaired.text, [&](Range match) {
      pieces.Matched({repaired.original[match.begin], repaired.original[match.end]});
    });
  }
  pieces.Finish();
}

}  // namespace ac::tokenizer::internal
