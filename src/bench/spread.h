// Several measurements of one thing: what is reported is the median, with the extremes beside it.
//
// Plain values.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/function_ref.h"

namespace ac::bench {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// Of at least one value; the mean of the two middle ones when their number is even.
Spread SpreadOf(std::vector<double> values);

// Seconds of `repetitions` runs, after one that is not counted.
Spread TimeOf(int repetitions, FunctionRef<void()> run, const Clock& clock = Clock::Real());

}  // namespace ac::bench
