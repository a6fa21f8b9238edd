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

// How long a step without prompts takes by the number of its tokens.
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
  };
  std::array<Measured, kRanges> measured_ = {};
  int64_t observations_ = 0;
};

// One sequence's guesses: the probability of each to be right, given that those before it are.
using GuessProbabilities = std::vector<double>;

// How many guesses of each sequence to compute, so that a second of computing gives the most
// tokens. `sequences` decode in this step; each gets its next token anyway.
std::vector<int> ChooseDraftLengths(std::span<const GuessProbabilities> sequences,
                                    const DraftCosts& costs, int max_tokens);

}  // namespace ac::speculation
