// Decimal numbers between two bounds, digit by digit.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "grammar/json_pieces.h"
#include "grammar/pieces.h"

namespace ac::grammar {
namespace {

// Numbers of up to this many digits are different doubles when they are written differently.
constexpr size_t kMaxDigits = 15;
constexpr size_t kMaxFraction = 9;
// Beyond this a bound says nothing about numbers of so many digits.
constexpr double kLargest = 1e15;

struct Decimal {
  std::string whole = "0";
  std::string fraction;

  int digit(size_t i) const { return i < whole.size() ? whole[i] - '0' : 0; }
  int fraction_digit(size_t i) const { return i < fraction.size() ? fraction[i] - '0' : 0; }
  bool fraction_ends(size_t i) const {
    return i >= fraction.size() || fraction.find_first_not_of('0', i) == std::string::npos;
  }
};

Decimal DecimalOf(double value) {
  std::array<char, 400> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  const std::string_view text(buffer.data(), static_cast<size_t>(end.ptr - buffer.data()));
  const size_t dot = std::min(text.find('.'), text.size());
  Decimal decimal{std::string(text.substr(0, dot)), ""};
  if (dot < text.size()) decimal.fraction = text.substr(dot + 1);
  return decimal;
}

// Numbers >= 0 from `low` to `high`.
class RangeBuilder {
 public:
  RangeBuilder(ProgramBuilder& builder, const NumberRange& range, Pc next)
      : b_(builder),
        range_(range),
        low_(DecimalOf(range.min.value_or(0))),
        high_(DecimalOf(range.max.value_or(0))),
        next_(next) {}

  Pc Build() {
    std::vector<Pc> ways;
    const size_t longest = range_.max ? high_.whole.size() : kMaxDigits;
    for (size_t length = low_.whole.size(); length <= longest; ++length) {
      length_ = length;
      ways.push_back(
          Whole(0, length == low_.whole.size(), range_.max && length == high_.whole.size()));
    }
    return ways.empty() ? b_.Fail() : b_.Split(std::move(ways));
  }

 private:
  // The next digit; at_low: all digits so far are those of the lower bound.
  Pc Whole(size_t at, bool at_low, bool at_high) {
    if (at == length_) return Fraction(0, at_low, at_high);
    const int first = at == 0 && length_ > 1 ? 1 : 0;
    const int low = at_low ? std::max(low_.digit(at), first) : first;
    const int high = at_high ? high_.digit(at) : 9;
    return Digits(low, high, at_low ? low_.digit(at) : -1, at_high ? high_.digit(at) : -1,
                  [&](bool l, bool h) { return Whole(at + 1, l, h); });
  }

  // Before digit `at` of the fraction; 0: the dot is not there yet.
  Pc Fraction(size_t at, bool at_low, bool at_high) {
    std::vector<Pc> ways;
    const bool below = at_low && (!low_.fraction_ends(at) || range_.min_exclusive);
    const bool above = at_high && high_.fraction_ends(at) && range_.max_exclusive;
    if (!below && !above) ways.push_back(next_);
    const size_t room = std::min(kMaxFraction, kMaxDigits - std::min(kMaxDigits, length_));
    if (!range_.integer && at < room) {
      Pc digit = kNoPc;
      if (!at_low && !at_high) {
        digit = b_.Repeat(1, room - at, ByteRange('0', '9'), next_);
      } else {
        digit =
            Digits(at_low ? low_.fraction_digit(at) : 0, at_high ? high_.fraction_digit(at) : 9,
                   at_low ? low_.fraction_digit(at) : -1, at_high ? high_.fraction_digit(at) : -1,
                   [&](bool l, bool h) { return Fraction(at + 1, l, h); });
      }
      ways.push_back(at == 0 ? b_.Literal(".", digit) : digit);
    }
    return ways.empty() ? b_.Fail() : b_.Split(std::move(ways));
  }

  // A digit from `low` to `high`, then what follows depending on which bounds it still touches.
  template <typename Next>
  Pc Digits(int low, int high, int low_bound, int high_bound, const Next& next) {
    std::vector<Pc> ways;
    ByteSet between;
    for (int digit = low; digit <= high; ++digit) {
      const bool at_low = digit == low_bound;
      const bool at_high = digit == high_bound;
      if (!at_low && !at_high) {
        between.set(static_cast<size_t>('0' + digit));
        continue;
      }
      ByteSet one;
      one.set(static_cast<size_t>('0' + digit));
      ways.push_back(b_.Bytes(one, next(at_low, at_high)));
    }
    if (between.any()) ways.push_back(b_.Bytes(between, next(false, false)));
    return ways.empty() ? b_.Fail() : b_.Split(std::move(ways));
  }

  ProgramBuilder& b_;
  const NumberRange& range_;
  const Decimal low_;
  const Decimal high_;
  const Pc next_;
  size_t length_ = 0;
};

}  // namespace

Piece JsonNumberIn(const NumberRange& asked) {
  return [asked](ProgramBuilder& b, Pc next) {
    NumberRange range = asked;
    if (range.min && *range.min <= -kLargest) range.min.reset();
    if (range.max && *range.max >= kLargest) range.max.reset();
    std::vector<Pc> ways;
    if (!range.max || *range.max >= 0) {
      NumberRange positive = range;
      if (!positive.min || *positive.min < 0) {
        positive.min = 0;
        positive.min_exclusive = false;
      }
      if (*positive.min < kLargest) ways.push_back(RangeBuilder(b, positive, next).Build());
    }
    if (!range.min || *range.min < 0) {
      NumberRange mirrored = range;
      mirrored.min = range.max && *range.max < 0 ? -*range.max : 0;
      mirrored.min_exclusive = range.max && *range.max < 0 ? range.max_exclusive : true;
      mirrored.max.reset();
      if (range.min) mirrored.max = -*range.min;
      mirrored.max_exclusive = range.min_exclusive;
      if (*mirrored.min < kLargest) {
        ways.push_back(b.Literal("-", RangeBuilder(b, mirrored, next).Build()));
      }
    }
    return ways.empty() ? b.Fail() : b.Split(std::move(ways));
  };
}

}  // namespace ac::grammar
