#include "engine/prompt_prices.h"

#include <algorithm>
#include <bit>

namespace ac::engine {
namespace {

// The first range ends here; each further one is as long as all before it.
constexpr int64_t kFirstRange = 512;
// Until something was measured, start small: the first chunk also finds the speed.
constexpr int64_t kUnmeasuredTokens = 64;
// Weight of a new measurement. High: the depth moves on with every chunk.
constexpr double kNewWeight = 0.5;

}  // namespace

int PromptPrices::RangeOf(int64_t depth) {
  const auto doubled = static_cast<uint64_t>(std::max<int64_t>(depth, 0) / kFirstRange);
  return std::min(static_cast<int>(std::bit_width(doubled)), kRanges - 1);
}

bool PromptPrices::empty() const {
  return std::all_of(seconds_.begin(), seconds_.end(), [](double s) { return s == 0; });
}

double PromptPrices::At(int64_t depth) const {
  const int range = RangeOf(depth);
  for (int shallower = range; shallower >= 0; --shallower) {
    const double known = seconds_[static_cast<size_t>(shallower)];
    if (known > 0) return known * static_cast<double>(int64_t{1} << (range - shallower));
  }
  for (int deeper = range + 1; deeper < kRanges; ++deeper) {
    if (const double known = seconds_[static_cast<size_t>(deeper)]; known > 0) return known;
  }
  return 0;
}

int64_t PromptPrices::Fitting(int64_t depth, double seconds) const {
  const double price = At(depth);
  if (price == 0) return kUnmeasuredTokens;
  constexpr double kMost = 1e9;
  return static_cast<int64_t>(std::min(seconds / price, kMost));
}

void PromptPrices::Observe(std::span<const Part> parts, double seconds) {
  double expected = 0;
  int64_t tokens = 0;
  for (const Part& part : parts) {
    expected += At(part.depth) * static_cast<double>(part.tokens);
    tokens += part.tokens;
  }
  if (tokens == 0 || seconds <= 0) return;
  // The difference to what was expected is shared in proportion. All prices are read before the
  // first is changed: parts may fall into one range.
  std::array<double, kRanges> sums = {};
  std::array<int64_t, kRanges> counts = {};
  for (const Part& part : parts) {
    const double now =
        expected > 0 ? At(part.depth) * seconds / expected : seconds / static_cast<double>(tokens);
    const auto range = static_cast<size_t>(RangeOf(part.depth));
    sums[range] += now * static_cast<double>(part.tokens);
    counts[range] += part.tokens;
  }
  for (size_t range = 0; range < sums.size(); ++range) {
    if (counts[range] == 0) continue;
    const double now = sums[range] / static_cast<double>(counts[range]);
    double& known = seconds_[range];
    known = known == 0 ? now : (1 - kNewWeight) * known + kNewWeight * now;
  }
}

}  // namespace ac::engine
