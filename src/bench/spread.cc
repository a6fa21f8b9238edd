#include "bench/spread.h"

#include <algorithm>
#include <cassert>

namespace ac::bench {

Spread SpreadOf(std::vector<double> values) {
  assert(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread TimeOf(int repetitions, FunctionRef<void()> run, const Clock& clock) {
  run();
  std::vector<double> seconds;
  for (int i = 0; i < std::max(repetitions, 1); ++i) {
    const Nanos start = clock.Now();
    run();
    seconds.push_back(Seconds(clock.Now() - start));
  }
  return SpreadOf(std::move(seconds));
}

}  // namespace ac::bench
