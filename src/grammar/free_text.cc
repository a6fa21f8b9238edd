#include "grammar/free_text.h"

#include <algorithm>
#include <map>
#include <queue>

#include "grammar/characters.h"

namespace ac::grammar {
namespace {

// The automaton of Aho and Corasick: a state is the longest beginning of a mark that the text ends
// with.
class MarkFinder {
 public:
  explicit MarkFinder(const std::vector<TextMark>& marks) {
    for (size_t i = 0; i < marks.size(); ++i) {
      int state = 0;
      states_[0].begins_ending = true;
      for (const char c : marks[i].text) {
        int& next = states_[static_cast<size_t>(state)].next[static_cast<uint8_t>(c)];
        if (next < 0) {
          next = static_cast<int>(states_.size());
          const size_t depth = states_[static_cast<size_t>(state)].depth + 1;
          states_.emplace_back();
          states_.back().depth = depth;
        }
        state = states_[static_cast<size_t>(state)].next[static_cast<uint8_t>(c)];
        if (marks[i].then) states_[static_cast<size_t>(state)].begins_ending = true;
      }
      if (state != 0) states_[static_cast<size_t>(state)].mark = static_cast<int>(i);
    }
    FollowFailures();
  }

  struct State {
    State() { std::fill(std::begin(next), std::end(next), -1); }
    int next[256];
    int failure = 0;
    int mark = -1;
    size_t depth = 0;
    bool begins_ending = false;  // its text begins a mark that may appear
    // How much of the text may still turn out to belong to such a mark. Everything before it, and
    // the beginnings of marks that must not appear, are text for certain.
    size_t open = 0;
  };
  const std::vector<State>& states() const { return states_; }

 private:
  void FollowFailures() {
    std::queue<int> queue;
    for (int& next : states_[0].next) {
      if (next < 0) next = 0;
      if (next > 0) queue.push(next);
    }
    while (!queue.empty()) {
      const auto at = static_cast<size_t>(queue.front());
      queue.pop();
      const State& fallback = states_[static_cast<size_t>(states_[at].failure)];
      if (states_[at].mark < 0) states_[at].mark = fallback.mark;
      states_[at].open = states_[at].begins_ending ? states_[at].depth : fallback.open;
      for (size_t byte = 0; byte < 256; ++byte) {
        int& next = states_[at].next[byte];
        if (next < 0) {
          next = fallback.next[byte];
        } else {
          states_[static_cast<size_t>(next)].failure = fallback.next[byte];
          queue.push(next);
        }
      }
    }
  }

  std::vector<State> states_ = std::vector<State>(1);
};

class FreeTextBuilder {
 public:
  FreeTextBuilder(ProgramBuilder& builder, const FreeTextOptions& options)
      : b_(builder), options_(options), finder_(options.marks) {}

  // `inside`: what follows a mark's own piece, where the text's frame is still open.
  Pc Build(Pc after_mark, Pc after_stop) {
    for (size_t i = 0; i < finder_.states().size(); ++i) entries_.push_back(b_.Forward());
    for (const TextMark& mark : options_.marks) {
      after_.push_back(mark.then ? mark.then(b_, after_mark) : kNoPc);
    }
    std::vector<Pc> everywhere;
    if (options_.may_stop) everywhere.push_back(after_stop);
    for (const auto& [id, then] : options_.tokens) {
      const Pc follow = then ? then(b_, after_mark) : b_.Fail();
      everywhere.push_back(b_.Token(id, follow));
    }
    if (options_.special_tokens) everywhere.push_back(b_.AnyToken(entries_[0]));
    for (size_t i = 0; i < entries_.size(); ++i) {
      std::vector<Pc> ways = everywhere;
      AddBytes(finder_.states()[i], &ways);
      b_.Resolve(entries_[i], std::move(ways));
    }
    return entries_[0];
  }

 private:
  bool counted() const { return options_.min > 0 || options_.max != kUnlimited; }

  Pc Counted(size_t characters, Pc next) {
    if (!counted() || characters == 0) return next;
    return b_.Emit(OpKind::kCount, static_cast<uint32_t>(characters), next);
  }

  void AddBytes(const MarkFinder::State& state, std::vector<Pc>* ways) {
    // By where the byte leads, and how many characters are certain to be text with it.
    std::map<std::pair<Pc, size_t>, ByteSet> sets;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte >= 0x80 && options_.well_formed) break;
      const auto next = static_cast<size_t>(state.next[byte]);
      const MarkFinder::State& target = finder_.states()[next];
      if (target.mark < 0) {
        sets[{entries_[next], state.open + 1 - target.open}].set(byte);
        continue;
      }
      const auto mark = static_cast<size_t>(target.mark);
      const size_t length = options_.marks[mark].text.size();
      if (after_[mark] != kNoPc) sets[{after_[mark], state.open + 1 - length}].set(byte);
    }
    for (const auto& [way, set] : sets) {
      ways->push_back(b_.Bytes(set, Counted(way.second, way.first)));
    }
    if (!options_.well_formed) return;
    const Piece other = Character({{0x80, 0x10FFFF}}, Spelling::kPlain);
    // Counted before its first byte: a character that has no room must not begin.
    ways->push_back(Counted(state.open + 1, other(b_, entries_[0])));
  }

  ProgramBuilder& b_;
  const FreeTextOptions& options_;
  const MarkFinder finder_;
  std::vector<Pc> entries_;
  std::vector<Pc> after_;
};

}  // namespace

Piece FreeText(FreeTextOptions options) {
  return [options = std::move(options)](ProgramBuilder& b, Pc next) {
    if (options.min == 0 && options.max == kUnlimited) {
      return FreeTextBuilder(b, options).Build(next, next);
    }
    const Piece inside = [&](ProgramBuilder& builder, Pc end) {
      return FreeTextBuilder(builder, options).Build(end, end);
    };
    LoopSpec bounds{.min = options.min, .max = options.max, .of_characters = true};
    for (const TextMark& mark : options.marks) {
      bounds.held_back = std::max<uint64_t>(bounds.held_back, mark.text.size());
    }
    return b.CountedText(bounds, inside, next);
  };
}

}  // namespace ac::grammar
