// What a token of prompt costs at each depth of its sequence, as measured.
//
// Depths fall into ranges that double in size. A range that was never measured takes the price of
// the next shallower one, raised as if all of it were attention, or else of a deeper one: both err
// towards smaller chunks. Values only; copies are independent.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ac::engine {

class PromptPrices {
 public:
  struct Part {
    int64_t depth = 0;  // of its first token
    int64_t tokens = 0;
  };

  bool empty() const;
  // Seconds for one token; 0 while nothing was measured.
  double At(int64_t depth) const;
  // How many tokens from `depth` on fit into `seconds`.
  int64_t Fitting(int64_t depth, double seconds) const;
  // A step with these parts took `seconds` in all.
  void Observe(std::span<const Part> parts, double seconds);

 private:
  static constexpr int kRanges = 16;
  static int RangeOf(int64_t depth);

  std::array<double, kRanges> seconds_ = {};  // 0: not measured
};

}  // namespace ac::engine
