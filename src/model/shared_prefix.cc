#include "model/shared_prefix.h"

#include <algorithm>

namespace ac::model {
namespace {

// Whole pages before the first token: those that may be shared.
std::span<unsigned char* const> FullPages(const Segment& segment, int page_tokens) {
  return {segment.pages, static_cast<size_t>(segment.position / page_tokens)};
}

size_t CommonPages(std::span<unsigned char* const> a, std::span<unsigned char* const> b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

}  // namespace

std::vector<kernels::SharedPrefix> FindSharedPrefixes(std::span<const Segment> segments,
                                                      int page_tokens, int64_t max_tokens) {
  std::vector<size_t> order;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].tokens <= max_tokens && segments[i].position >= page_tokens) order.push_back(i);
  }
  const auto pages = [&](size_t i) { return FullPages(segments[i], page_tokens); };
  // Sorted, sequences with a long common beginning are neighbours.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto x = pages(a);
    const auto y = pages(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(),
                                        std::less<unsigned char* const>());
  });
  std::vector<kernels::SharedPrefix> found;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    size_t common = 0;
    for (; end < order.size(); ++end) {
      const size_t next = CommonPages(pages(order[begin]), pages(order[end]));
      // One that shares much less would cost the others more than it gains.
      if (next == 0 || 2 * next < common) break;
      common = common == 0 ? next : std::min(common, next);
    }
    const int64_t positions =
        static_cast<int64_t>(common) * page_tokens / AC_KV_BLOCK * AC_KV_BLOCK;
    if (end - begin > 1 && positions > 0) {
      found.push_back({{order.begin() + static_cast<std::ptrdiff_t>(begin),
                        order.begin() + static_cast<std::ptrdiff_t>(end)},
                       positions});
    }
    begin = end;
  }
  return found;
}

}  // namespace ac::model
