// Marks inside a rendered prompt that tell what a client wrote from what the template wrote.
//
// A chat template mixes its own control tokens with text of users and tools. Where that text spells
// a control token, a mark breaks the spelling before the template sees it, so that the rendered
// prompt has control tokens only where the template put them; the marks are taken out again when
// the text between control tokens is encoded. Marks are made of a Unicode noncharacter; one that is
// in the text already is escaped. Pure functions and immutable data; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/json_fwd.h"
#include "tokenizer/tokenizer.h"

namespace ac::prompt {

class ContentMarks {
 public:
  explicit ContentMarks(const tokenizer::Tokenizer& tokenizer);

  // The text in a form in which no control token can be found, alone or with what follows it.
  std::string Guard(std::string text) const;
  // The same for every string inside.
  void GuardStrings(json::Value* value) const;

  // A guarded text as it was; a view of `text` itself when it has no marks, of `buffer` otherwise.
  static std::string_view Clean(std::string_view text, std::string* buffer);

  // Stands for an assistant turn whose tokens are known; `number` tells which.
  static std::string TurnMark(size_t number);
  struct FoundTurn {
    size_t begin = std::string_view::npos;  // npos: none
    size_t end = 0;
    size_t number = 0;
  };
  static FoundTurn FindTurn(std::string_view text, size_t from);

  // In front of the text of a system message that the template is shown as a user's.
  static std::string_view SystemMark();

 private:
  bool CouldGoOn(std::string_view end_of_text) const;

  const tokenizer::Tokenizer& tokenizer_;
  std::vector<std::string> controls_;  // sorted
};

}  // namespace ac::prompt
