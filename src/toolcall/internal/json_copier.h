// Copies one JSON value as it arrives and heals what models get wrong: raw line breaks in strings,
// bad escapes, single quotes, Python's literals, commas too many or too few.
//
// The output is valid JSON as soon as done() or after Close(). Not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace ac::toolcall::internal {

class JsonCopier {
 public:
  // Takes bytes until the value is complete or cannot be continued; returns how many.
  size_t Feed(std::string_view text, std::string* out);
  // Adds what is missing at the end.
  void Close(std::string* out);

  bool done() const { return done_; }
  // The next byte cannot belong to JSON: a tag, prose.
  bool stuck() const { return stuck_; }
  bool started() const { return started_; }
  bool in_string() const { return quote_ != 0; }

 private:
  enum class Want { kValue, kValueOrEnd, kKeyOrEnd, kColon, kCommaOrEnd };

  bool Step(char c, std::string* out);  // false: look at the byte again
  void StepString(char c, std::string* out);
  void StepEscape(char c, std::string* out);
  bool StepStructure(char c, std::string* out);
  void OpenString(char quote, bool key, std::string* out);
  void CloseString(std::string* out);
  void PopContainer(char bracket, std::string* out);
  void FlushWord(std::string* out);
  void AfterValue();
  void WriteComma(std::string* out);

  Want want_ = Want::kValue;
  std::string stack_;   // of '{' and '['
  std::string word_;    // a number or literal being read
  std::string escape_;  // "\" or "\u12": an escape being read
  char quote_ = 0;      // of the open string
  bool key_ = false;    // the open string is a key
  std::string comma_;   // read and not written, with the blanks after it: it may be one too many
  bool started_ = false;
  bool done_ = false;
  bool stuck_ = false;
};

}  // namespace ac::toolcall::internal
