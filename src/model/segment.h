// Some consecutive tokens of one sequence inside a block. Data.
#pragma once

#include <cstdint>

namespace ac::model {

struct Segment {
  int64_t row = 0;  // of its first token in the block
  int64_t tokens = 0;
  int64_t position = 0;
  unsigned char* const* pages = nullptr;  // of the whole sequence
};

}  // namespace ac::model
