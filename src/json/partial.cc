#include "json/partial.h"

#include "base/utf8.h"

namespace ac::json {
namespace {

// Far beyond what a double holds, far below what overflows the whole parser's counters.
constexpr int kMaxExponent = 99'999;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<size_t> PartialParser::Feed(std::string_view bytes) {
  if (!failure_.ok()) return failure_;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (complete()) return i;
    if (text_.size() == limits_.max_bytes) {
      failure_ = Status(Code::kTooLarge, "[json] the streamed value exceeds the limit of " +
                                             std::to_string(limits_.max_bytes) + " bytes");
      return failure_;
    }
    text_ += bytes[i];
    Step step = Take(bytes[i]);
    if (step == Step::kAgain && !complete()) step = Take(bytes[i]);
    if (step == Step::kAgain) {  // the byte after a bare number
      text_.pop_back();
      return i;
    }
    if (step == Step::kError) {
      if (failure_.ok()) {
        failure_ = InvalidArgument("[json] byte " + std::to_string(text_.size()) +
                                   " of the streamed value cannot stand there");
      }
      text_.pop_back();
      return failure_;
    }
  }
  return bytes.size();
}

Status PartialParser::Finish() {
  if (!failure_.ok()) return failure_;
  if (state_ == State::kNumber && open_.empty() && NumberCanEnd()) EndValue();
  if (complete()) return OkStatus();
  return InvalidArgument("[json] the streamed value ends early, after " +
                         std::to_string(text_.size()) + " bytes");
}

std::string PartialParser::Completed() const {
  std::string out = text_.substr(0, safe_);
  if (state_ == State::kString && !is_key_) out += '"';
  if (state_ == State::kLiteral) out += literal_.substr(literal_taken_);
  for (size_t i = open_.size(); i > 0; --i) out += open_[i - 1] == '{' ? '}' : ']';
  return out;
}

PartialParser::Step PartialParser::Take(char c) {
  switch (state_) {
    case State::kString:
      return TakeInString(c);
    case State::kNumber:
      return TakeInNumber(c);
    case State::kLiteral:
      return TakeLiteral(c);
    default:
      return IsSpace(c) ? Step::kTaken : TakeStructure(c);
  }
}

PartialParser::Step PartialParser::TakeStructure(char c) {
  switch (state_) {
    case State::kFirstItem:
      return c == ']' ? Close(c) : BeginValue(c);
    case State::kValue:
      return BeginValue(c);
    case State::kFirstKey:
    case State::kKey:
      if (c == '}' && state_ == State::kFirstKey) return Close(c);
      if (c != '"') return Step::kError;
      state_ = State::kString;
      is_key_ = true;
      return Step::kTaken;
    case State::kColon:
      if (c != ':') return Step::kError;
      state_ = State::kValue;
      return Step::kTaken;
    case State::kAfterValue:
      if (c != ',') return Close(c);
      state_ = open_.back() == '{' ? State::kKey : State::kValue;
      return Step::kTaken;
    default:
      return Step::kError;
  }
}

PartialParser::Step PartialParser::BeginValue(char c) {
  switch (c) {
    case '{':
    case '[':
      return Open(c);
    case '"':
      state_ = State::kString;
      is_key_ = false;
      MarkSafe();
      return Step::kTaken;
    case 't':
      literal_ = "true";
      break;
    case 'f':
      literal_ = "false";
      break;
    case 'n':
      literal_ = "null";
      break;
    default:
      if (c != '-' && !IsDigit(c)) return Step::kError;
      state_ = State::kNumber;
      in_number_ = c == '-' ? InNumber::kMinus : c == '0' ? InNumber::kZero : InNumber::kInteger;
      if (c != '-') MarkSafe();
      return Step::kTaken;
  }
  state_ = State::kLiteral;
  literal_taken_ = 1;
  MarkSafe();
  return Step::kTaken;
}

PartialParser::Step PartialParser::TakeInString(char c) {
  const auto byte = static_cast<unsigned char>(c);
  switch (in_string_) {
    case InString::kPlain:
      if (c == '"') {
        EndString();
      } else if (c == '\\') {
        in_string_ = InString::kEscape;
        low_half_ = false;
      } else if (byte < 0x20) {
        return Step::kError;
      } else if (byte < 0x80) {
        if (!is_key_) MarkSafe();
      } else {
        char_begin_ = text_.size() - 1;
        in_string_ = InString::kUtf8;
        return TakeInString(c);
      }
      return Step::kTaken;
    case InString::kUtf8: {
      const std::string_view character = std::string_view(text_).substr(char_begin_);
      if (IncompleteUtf8Suffix(character) == character.size()) return Step::kTaken;
      const Utf8Char decoded = DecodeUtf8(character, 0);
      if (!decoded.valid || decoded.length != character.size()) return Step::kError;
      in_string_ = InString::kPlain;
      if (!is_key_) MarkSafe();
      return Step::kTaken;
    }
    case InString::kHex:
      return TakeHex(c);
    default:
      return TakeEscape(c);
  }
}

PartialParser::Step PartialParser::TakeEscape(char c) {
  if (in_string_ == InString::kLowBackslash) {
    if (c != '\\') return Step::kError;
    in_string_ = InString::kLowU;
    return Step::kTaken;
  }
  if (c == 'u') {
    low_half_ = in_string_ == InString::kLowU;
    in_string_ = InString::kHex;
    hex_digits_ = 0;
    hex_value_ = 0;
    return Step::kTaken;
  }
  if (in_string_ == InString::kLowU) return Step::kError;
  if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return Step::kError;
  in_string_ = InString::kPlain;
  if (!is_key_) MarkSafe();
  return Step::kTaken;
}

PartialParser::Step PartialParser::TakeHex(char c) {
  const int digit = HexDigit(c);
  if (digit < 0) return Step::kError;
  hex_value_ = hex_value_ * 16 + static_cast<uint32_t>(digit);
  if (++hex_digits_ < 4) return Step::kTaken;
  const bool high = hex_value_ >= 0xD800 && hex_value_ < 0xDC00;
  const bool low = hex_value_ >= 0xDC00 && hex_value_ < 0xE000;
  if (low != low_half_) return Step::kError;  // half of a pair without the other
  in_string_ = high ? InString::kLowBackslash : InString::kPlain;
  if (!high && !is_key_) MarkSafe();
  return Step::kTaken;
}

PartialParser::Step PartialParser::TakeInNumber(char c) {
  const bool e = c == 'e' || c == 'E';
  InNumber next = in_number_;
  bool valid = false;
  switch (in_number_) {
    case InNumber::kMinus:
      valid = IsDigit(c);
      next = c == '0' ? InNumber::kZero : InNumber::kInteger;
      break;
    case InNumber::kZero:
    case InNumber::kInteger:
      valid = c == '.' || e || (in_number_ == InNumber::kInteger && IsDigit(c));
      next = c == '.' ? InNumber::kPoint : e ? InNumber::kE : InNumber::kInteger;
      break;
    case InNumber::kPoint:
    case InNumber::kFraction:
      valid = IsDigit(c) || (e && in_number_ == InNumber::kFraction);
      next = e ? InNumber::kE : InNumber::kFraction;
      break;
    case InNumber::kE:
      valid = IsDigit(c) || c == '+' || c == '-';
      next = IsDigit(c) ? InNumber::kExponent : InNumber::kSign;
      break;
    case InNumber::kSign:
    case InNumber::kExponent:
      valid = IsDigit(c);
      next = InNumber::kExponent;
      break;
  }
  if (valid) {
    exponent_ = next == InNumber::kExponent ? exponent_ * 10 + (c - '0') : 0;
    if (exponent_ > kMaxExponent) {
      failure_ = Status(Code::kTooLarge, "[json] a number's exponent exceeds 99999");
      return Step::kError;
    }
    in_number_ = next;
    if (NumberCanEnd()) MarkSafe();
    return Step::kTaken;
  }
  // A bare number takes no notice of what follows it; in a container the next byte must fit.
  if (!NumberCanEnd()) return Step::kError;
  EndValue();
  return Step::kAgain;
}

PartialParser::Step PartialParser::TakeLiteral(char c) {
  if (c != literal_[literal_taken_]) return Step::kError;
  ++literal_taken_;
  MarkSafe();
  if (literal_taken_ == literal_.size()) EndValue();
  return Step::kTaken;
}

PartialParser::Step PartialParser::Open(char bracket) {
  if (open_.size() == limits_.max_depth) {
    failure_ = Status(Code::kTooLarge,
                      "[json] nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    return Step::kError;
  }
  open_ += bracket;
  state_ = bracket == '{' ? State::kFirstKey : State::kFirstItem;
  MarkSafe();
  return Step::kTaken;
}

PartialParser::Step PartialParser::Close(char bracket) {
  if (open_.back() != (bracket == '}' ? '{' : bracket == ']' ? '[' : '\0')) return Step::kError;
  open_.pop_back();
  MarkSafe();
  EndValue();
  return Step::kTaken;
}

void PartialParser::EndString() {
  if (is_key_) {
    state_ = State::kColon;
    return;
  }
  MarkSafe();
  EndValue();
}

void PartialParser::EndValue() { state_ = open_.empty() ? State::kDone : State::kAfterValue; }

bool PartialParser::NumberCanEnd() const {
  return in_number_ == InNumber::kZero || in_number_ == InNumber::kInteger ||
         in_number_ == InNumber::kFraction || in_number_ == InNumber::kExponent;
}

}  // namespace ac::json
