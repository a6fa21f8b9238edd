#include "backend/prose.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "toolcall/place.h"

namespace ac::backend {
namespace {

using grammar::ByteSet;
using grammar::kNoPc;
using grammar::Pc;
using grammar::ProgramBuilder;
using toolcall::Place;

// What the prose so far decides about its next byte.
struct State {
  Place place;
  size_t of_call = 0;  // bytes of the mark's text that the prose ends with
  size_t of_think = 0;
  friend auto operator<=>(const State&, const State&) = default;
};

class ProseBuilder {
 public:
  ProseBuilder(ProgramBuilder& builder, const ProseOptions& options, Pc end)
      : b_(builder), options_(options), end_(end) {}

  Pc Build() {
    const Pc start = EntryOf({});
    call_entry_ = call_.then ? call_.then(b_, end_) : kNoPc;
    think_entry_ = think_.then ? think_.then(b_, start) : kNoPc;
    FindByteClasses();
    while (!open_.empty()) {
      const State state = open_.front();
      open_.pop_front();
      b_.Resolve(entries_.at(state), WaysFrom(state, {}));
    }
    if (options_.not_first.none()) return start;
    return b_.Split(WaysFrom({}, options_.not_first));
  }

 private:
  static bool CallCounts(const Place& place) {
    return !place.in_fence() && !place.in_inline_code() && !place.behind_quote();
  }
  static bool ThinkCounts(const Place& place) {
    return !place.in_fence() && !place.in_inline_code() && place.at_line_start();
  }

  Pc EntryOf(const State& state) {
    const auto [it, is_new] = entries_.try_emplace(state, kNoPc);
    if (is_new) {
      it->second = b_.Forward();
      open_.push_back(state);
    }
    return it->second;
  }

  // Bytes that lead to the same state from everywhere, by one of them.
  void FindByteClasses() {
    std::string special = "\n\r\t `~\"'\x80\xAB\xC2\xE2" + call_.text + think_.text;
    std::sort(special.begin(), special.end());
    special.erase(std::unique(special.begin(), special.end()), special.end());
    ByteSet others;
    others.set();
    ByteSet quote_ends;
    for (int byte = 0x98; byte <= 0x9F; ++byte) quote_ends.set(static_cast<size_t>(byte));
    for (const char c : special) {
      const auto byte = static_cast<uint8_t>(c);
      others.reset(byte);
      if (quote_ends.test(byte)) quote_ends.reset(byte);
      classes_.emplace_back(c, ByteSet().set(byte));
    }
    others &= ~quote_ends;
    for (const ByteSet& set : {quote_ends, others}) {
      size_t first = 0;
      while (first < 256 && !set.test(first)) ++first;
      if (first < 256) classes_.emplace_back(static_cast<char>(first), set);
    }
  }

  static size_t Progress(const ProseMark& mark, size_t so_far, char c, bool counts) {
    if (so_far > 0 && c == mark.text[so_far]) return so_far + 1;
    return counts && !mark.text.empty() && c == mark.text.front() ? 1 : 0;
  }

  std::vector<Pc> WaysFrom(const State& state, const ByteSet& except) {
    std::map<Pc, ByteSet> sets;
    for (const auto& [byte, set] : classes_) {
      State next = state;
      next.of_call = Progress(call_, state.of_call, byte, CallCounts(state.place));
      next.of_think = Progress(think_, state.of_think, byte, ThinkCounts(state.place));
      next.place.Advance({&byte, 1});
      Pc way = kNoPc;
      if (next.of_call > 0 && next.of_call == call_.text.size()) {
        way = call_entry_;
      } else if (next.of_think > 0 && next.of_think == think_.text.size()) {
        way = think_entry_;
      } else {
        way = EntryOf(next);
      }
      if (way != kNoPc && (set & ~except).any()) sets[way] |= set & ~except;
    }
    std::vector<Pc> ways = {end_};
    for (const auto& [way, set] : sets) ways.push_back(b_.Bytes(set, way));
    State behind_token;  // a special token is in the middle of a line
    behind_token.place = state.place;
    behind_token.place.Advance("|");
    const Pc text = EntryOf(behind_token);
    ways.push_back(b_.AnyToken(text));
    AddToken(call_, CallCounts(state.place) ? call_entry_ : text, &ways);
    AddToken(think_, ThinkCounts(state.place) ? think_entry_ : text, &ways);
    return ways;
  }

  void AddToken(const ProseMark& mark, Pc way, std::vector<Pc>* ways) {
    if (mark.token == tokenizer::kNoToken) return;
    ways->push_back(b_.Token(mark.token, way == kNoPc ? b_.Fail() : way));
  }

  ProgramBuilder& b_;
  const ProseOptions& options_;
  const ProseMark& call_ = options_.call;
  const ProseMark& think_ = options_.think;
  const Pc end_;
  Pc call_entry_ = kNoPc;
  Pc think_entry_ = kNoPc;
  std::vector<std::pair<char, ByteSet>> classes_;
  std::map<State, Pc> entries_;
  std::deque<State> open_;  // whose ways are not found yet
};

}  // namespace

grammar::Piece Prose(ProseOptions options) {
  return [options = std::move(options)](ProgramBuilder& b, Pc next) {
    return ProseBuilder(b, options, next).Build();
  };
}

}  // namespace ac::backend
