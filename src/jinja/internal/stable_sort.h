// A merge sort that stays in bounds whatever the comparison answers.
//
// Templates sort their own values: a NaN or a failure in the middle makes an order inconsistent,
// which the standard algorithms do not allow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace ac::jinja {

template <typename T, typename Less>
void StableSort(std::vector<T>* items, Less less) {
  const size_t count = items->size();
  std::vector<T> merged(count);
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t start = 0; start < count; start += 2 * width) {
      size_t left = start, right = std::min(start + width, count);
      const size_t left_end = right, right_end = std::min(start + 2 * width, count);
      for (size_t out = start; out < right_end; ++out) {
        const bool take_right =
            right < right_end && (left == left_end || less((*items)[right], (*items)[left]));
        merged[out] = std::move((*items)[take_right ? right++ : left++]);
      }
    }
    items->swap(merged);
  }
}

}  // namespace ac::jinja
