// What one sequence guesses about its own continuation. Data; engine/speculation.cc fills and
// judges it.
#pragma once

#include <cstdint>
#include <vector>

#include "speculation/draft_control.h"
#include "speculation/ngram_index.h"

namespace ac::speculation {

struct Draft {
  enum class Source : uint8_t { kText, kModel };

  NgramIndex index;
  Acceptance acceptance;  // of guesses from the text
  DraftYield yield;       // of guesses from a draft model

  std::vector<int32_t> guesses;  // of the tokens behind the known ones
  Source source = Source::kText;
  int agreement = 0;  // kText: tokens before guesses[0] that agree with their source
  int chosen = 0;     // so many of them are computed in this step

  // The chunk of this step: the last known token, then the chosen guesses.
  std::vector<int32_t> input;
};

}  // namespace ac::speculation
