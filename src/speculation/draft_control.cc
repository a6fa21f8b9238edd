#include "speculation/draft_control.h"

#include <algorithm>

namespace ac::speculation {
namespace {

// Upper ends of the ranges. Kernels change their loops in between, so the cost is no straight line.
constexpr std::array<int, 15> kRangeEnds = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64};
// Measurements this many steps old say little: the context has grown, others came and went.
constexpr int64_t kStaleAfter = 300;
// What one more token is thought to cost while it was not measured, as a share of a step with one.
constexpr double kAssumedShare = 0.12;
// A gain smaller than what measurements waver by is no gain.
constexpr double kWorthwhile = 1.05;
// Guesses less likely than this only stretch the step.
constexpr double kUnlikely = 0.05;

}  // namespace

size_t Acceptance::ClassOf(int agreement) {
  size_t index = 0;
  for (int end = 3; index + 1 < kClasses && agreement > end; end *= 2) ++index;
  return index;
}

double Acceptance::Probability(int agreement) const { return right_[ClassOf(agreement)]; }

void Acceptance::Observe(int agreement, bool right) {
  const size_t index = ClassOf(agreement);
  int& seen = seen_[index];
  // The mean of the first few, then the latest matter most.
  constexpr int kWindow = 12;
  seen = std::min(seen + 1, kWindow);
  right_[index] += ((right ? 1.0 : 0.0) - right_[index]) / (seen + 1);
}

size_t DraftCosts::RangeOf(int tokens) {
  const auto at = std::lower_bound(kRangeEnds.begin(), kRangeEnds.end() - 1, tokens);
  return static_cast<size_t>(at - kRangeEnds.begin());
}

bool DraftCosts::Known(size_t range) const {
  const Measured& m = measured_[range];
  return m.seconds > 0 && (range == 0 || observations_ - m.at <= kStaleAfter);
}

double DraftCosts::Seconds(int tokens) const {
  const Measured& m = measured_[RangeOf(tokens)];
  if (!Known(RangeOf(tokens))) return Expected(tokens);
  if (m.times > 1) return m.seconds;
  const double expected = Expected(tokens);
  return expected > 0 ? std::min(m.seconds, expected) : m.seconds;
}

double DraftCosts::Expected(int tokens) const {
  const size_t range = RangeOf(tokens);
  const auto known = [&](size_t i) { return i != range && Known(i); };
  size_t below = range;
  while (below > 0 && !known(below)) --below;
  size_t above = range;
  while (above < kRanges && !known(above)) ++above;
  if (!known(below)) return above < kRanges ? measured_[above].seconds : 0;
  const double base = measured_[below].seconds;
  const double more = tokens - kRangeEnds[below];
  const double single = measured_[0].seconds > 0 ? measured_[0].seconds : base / kRangeEnds[below];
  if (above == kRanges) return base + kAssumedShare * single * more;
  const double width = kRangeEnds[above] - kRangeEnds[below];
  return base + (measured_[above].seconds - base) * more / width;
}

void DraftCosts::Observe(int tokens, double seconds) {
  ++observations_;
  Measured& m = measured_[RangeOf(tokens)];
  const bool fresh = m.seconds > 0 && observations_ - m.at <= kStaleAfter;
  const bool first_was_slow = m.times == 1 && seconds < m.seconds;
  const double mean = first_was_slow ? seconds : 0.7 * m.seconds + 0.3 * seconds;
  m = {fresh ? mean : seconds, observations_, fresh ? m.times + 1 : 1};
}

void DraftYield::Observe(bool right) {
  constexpr int kWindow = 24;
  seen_ = std::min(seen_ + 1, kWindow);
  right_ += ((right ? 1.0 : 0.0) - right_) / (seen_ + 1);
}

bool DraftYield::TimeToTry() { return ++waited_ > pause_; }

void DraftYield::Asked(bool paid) {
  waited_ = 0;
  // What keeps failing is tried less and less often.
  pause_ = paid ? kFirstPause : std::min(2 * pause_, kLongestPause);
}

int ChooseDraftLength(double probability, int asking, int decoding, double guess_seconds,
                      const DraftCosts& costs, int most) {
  const double alone = costs.Seconds(decoding);
  if (alone <= 0 || guess_seconds <= 0 || asking == 0) return 0;
  double best_rate = kWorthwhile * decoding / alone;
  double expected = decoding;
  double all = 1;
  int best = 0;
  for (int length = 1; length <= most; ++length) {
    all *= probability;
    expected += all * asking;
    const double rate =
        expected / (costs.Seconds(decoding + length * asking) + length * guess_seconds);
    if (rate > best_rate) {
      best_rate = rate;
      best = length;
    }
  }
  return best;
}

std::vector<int> ChooseDraftLengths(std::span<const GuessProbabilities> sequences,
                                    const DraftCosts& costs, int max_tokens) {
  struct Guess {
    double probability;  // that it and all before it are right
    size_t sequence;
  };
  std::vector<Guess> guesses;
  for (size_t s = 0; s < sequences.size(); ++s) {
    double all = 1;
    for (const double probability : sequences[s]) {
      all *= probability;
      if (all < kUnlikely) break;
      guesses.push_back({all, s});
    }
  }
  // The likeliest first; within a sequence they already fall, so none comes before its forerunner.
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });

  std::vector<int> lengths(sequences.size(), 0);
  auto tokens = static_cast<int>(sequences.size());
  const double alone = costs.Seconds(tokens);
  if (alone <= 0) return lengths;  // one step without guesses comes first
  double expected = tokens;
  double best_rate = kWorthwhile * expected / alone;
  size_t best = 0;
  for (size_t i = 0; i < guesses.size() && tokens < max_tokens; ++i) {
    ++tokens;
    expected += guesses[i].probability;
    const double rate = expected / costs.Seconds(tokens);
    if (rate > best_rate) {
      best_rate = rate;
      best = i + 1;
    }
  }
  for (size_t i = 0; i < best; ++i) ++lengths[guesses[i].sequence];
  return lengths;
}

}  // namespace ac::speculation
