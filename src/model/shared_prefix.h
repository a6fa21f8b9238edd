// Which sequences of a block begin with the same pages, so that attention reads these once.
//
// Pure. Prompts are left out: a chunk of one uses every key many times by itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "model/segment.h"

namespace ac::model {

// Members are indices of `segments`. Only those with at most `max_tokens` tokens are looked at.
std::vector<kernels::SharedPrefix> FindSharedPrefixes(std::span<const Segment> segments,
                                                      int page_tokens, int64_t max_tokens);

}  // namespace ac::model
