// A JSON value that arrives in pieces: the arguments of a tool call while a model writes them.
//
// PartialParser takes bytes split anywhere (inside escapes and UTF-8 sequences too), says whether
// the value is complete, and can at any time give the longest valid JSON text of what arrived. It
// accepts what json::Parse accepts (but no exponent over five digits), so a completion always
// parses.
// Owns its copy of the text. Not thread-safe; one object per value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::json {

class PartialParser {
 public:
  explicit PartialParser(const ParseLimits& limits = {}) : limits_(limits) {}

  // Takes the next bytes and returns how many belong to the value (with white space before it).
  // Fewer than given means that the value ended; the rest was not looked at. A bare number ends
  // only at the byte after it, or by Finish. Fails at the first byte that no JSON text could have
  // there; every later call fails in the same way.
  Result<size_t> Feed(std::string_view bytes);

  // Says that no more bytes come: ok when the value is complete.
  Status Finish();

  bool complete() const { return state_ == State::kDone; }
  // Everything taken so far.
  const std::string& text() const { return text_; }

  // What arrived, cut back to the last place where it can be closed, and closed there: open
  // strings, arrays and objects are ended, literals completed ("tr" -> "true"), a key without a
  // value and a number without digits left out. Empty while nothing of the value has arrived.
  std::string Completed() const;

 private:
  enum class State : uint8_t {
    kValue,      // a value must come
    kFirstItem,  // after '[': a value or ']'
    kFirstKey,   // after '{': a key or '}'
    kKey,        // after ',' in an object
    kColon,
    kAfterValue,  // in a container: ',' or its end
    kString,
    kNumber,
    kLiteral,
    kDone,
  };
  enum class InString : uint8_t { kPlain, kUtf8, kEscape, kHex, kLowBackslash, kLowU };
  enum class InNumber : uint8_t {
    kMinus,
    kZero,
    kInteger,
    kPoint,
    kFraction,
    kE,
    kSign,
    kExponent
  };

  // Each takes the byte at text_.back(); kAgain means it belongs to what follows.
  enum class Step : uint8_t { kTaken, kAgain, kError };
  Step Take(char c);
  Step TakeStructure(char c);
  Step BeginValue(char c);
  Step TakeInString(char c);
  Step TakeEscape(char c);
  Step TakeHex(char c);
  Step TakeInNumber(char c);
  Step TakeLiteral(char c);

  Step Open(char bracket);
  Step Close(char bracket);
  void EndString();
  void EndValue();
  void MarkSafe() { safe_ = text_.size(); }
  bool NumberCanEnd() const;

  ParseLimits limits_;
  std::string text_;
  std::string open_;  // the brackets that are open, outermost first
  size_t safe_ = 0;   // text_ up to here, plus the closing text of Completed, is valid JSON
  State state_ = State::kValue;
  bool is_key_ = false;  // in kString
  InString in_string_ = InString::kPlain;
  InNumber in_number_ = InNumber::kMinus;
  int exponent_ = 0;  // its magnitude so far
  int hex_digits_ = 0;
  uint32_t hex_value_ = 0;
  bool low_half_ = false;     // the escape being read is the second of a surrogate pair
  size_t char_begin_ = 0;     // of the multi-byte character being read
  std::string_view literal_;  // "true", "false" or "null"
  size_t literal_taken_ = 0;
  Status failure_;
};

}  // namespace ac::json
