// The pre-tokeniser: cuts a text into the words inside which tokens may form.
//
// Runs the rules of a Spec one after the other, each on the pieces of the one before. A single rule
// with a known pattern uses a hand-written scanner; everything else PCRE2 with its JIT. Compiled
// once, then read-only and thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/status.h"
#include "tokenizer/internal/scanners.h"
#include "tokenizer/spec.h"

namespace ac::tokenizer::internal {

class Splitter {
 public:
  // `use_scanners` off: PCRE2 for every pattern (the oracle of the tests).
  static Result<Splitter> Create(std::span<const SplitRule> rules, bool use_scanners = true);
  Splitter();
  Splitter(Splitter&&) noexcept;
  Splitter& operator=(Splitter&&) noexcept;
  ~Splitter();

  template <typename EmitWord>
  void ForEachWord(std::string_view text, const EmitWord& emit) const {
    if (scanner_ != nullptr) {
      for (size_t begin = 0; begin < text.size();) {
        const size_t end = scanner_(text, begin);
        emit(text.substr(begin, end - begin));
        begin = end;
      }
      return;
    }
    if (rules_.empty()) {
      emit(text);
      return;
    }
    Split(text, emit);
  }

 private:
  struct Rule;
  class Matcher;
  // Empty pieces are left out.
  void Split(std::string_view text, FunctionRef<void(std::string_view)> emit) const;
  void SplitFrom(size_t rule, std::string_view text, bool valid, Matcher* matchers,
                 FunctionRef<void(std::string_view)> emit) const;

  Scanner scanner_ = nullptr;
  std::vector<Rule> rules_;
};

}  // namespace ac::tokenizer::internal
