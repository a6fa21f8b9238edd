// How many tokens to guess ahead: what guesses were worth so far, what computing them costs.
//
// Values only. The engine thread owns one Acceptance for each sequence and one DraftCosts.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace ac::speculation {

// How often a guessed token turned out right, by how much of the text before it agreed. Guesses are
// judged whether or not they were computed, so a sequence that stopped guessing notices when its
// text begins to repeat.
class Acceptance {
 public:
  // `agreement`: tokens before the guessed one that agree with its source, earlier guesses of the
  // same draft among them.
  double Probability(int agreement) const;
  void Observe(int agreement, bool right);

 private:
  static constexpr int kClasses = 6;
  static size_t ClassOf(int agreement);

  // Before anything is known, half of the guesses are expected to be right.
  std::array<double, kClasses> right_ = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
  std::array<int, kClasses> seen_ = {};
};

// How long a step without prompts takes by the number of its tokens. The first step of a size also
// grows buffers, and any step can be disturbed: what was measured once is believed only where it is
// less than what its neighbours let expect, so that it is measured again.
class DraftCosts {
 public:
  // 0 while nothing was measured.
  double Seconds(int tokens) const;
  void Observe(int tokens, double seconds);

 private:
  static constexpr int kRanges = 15;
  static size_t RangeOf(int tokens);

  struct Measured {
    double seconds = 0;
    int64_t at = 0;  // observation number
    int times = 0;
  };
  bool Known(size_t range) const;
  double Expected(int tokens) const;  // from the other ranges; 0: there are none
  std::array<Measured, kRanges> measured_ = {};
  int64_t observations_ = 0;
};

// One sequence's guesses: the probability of each to be right, given that those before it are.
using GuessProbabilities = std::vector<double>;

// Whether asking a draft model pays for one sequence. Its guesses cost time before they are known,
// so what they were worth so far decides, and now and then a few are asked for to see whether that
// has changed.
class DraftYield {
 public:
  // That a guess is right when those before it are.
  double Probability() const { return right_; }
  void Observe(bool right);
  // Called once for each step that asks for none because it would not pay: true from when it is
  // time to try a few until they were asked for.
  bool TimeToTry();
  // Guesses came, because it pays or as a try.
  void Asked(bool paid);

 private:
  static constexpr int kFirstPause = 32;
  static constexpr int kLongestPause = 512;

  double right_ = 0.7;
  int seen_ = 0;
  int pause_ = kFirstPause;
  int waited_ = kFirstPause;  // the first step tries
};

// How many guesses to ask of a draft model for each of `asking` sequences, out of `decoding` that
// share the step; each guess of all of them takes `guess_seconds`. 0: it does not pay.
int ChooseDraftLength(double probability, int asking, int decoding, double guess_seconds,
                      const DraftCosts& costs, int most);

// How many guesses of each sequence to compute, so that a second of computing gives the most
// tokens. `sequences` decode in this step; each gets its next token anyway.
std::vector<int> ChooseDraftLengths(std::span<const GuessProbabilities> sequences,
                                    const DraftCosts& costs, int max_tokens);

}  // namespace ac::speculation
