// Many clients at once: each asks /v1/messages for a stream, reads it to its end and asks again.
//
// Starts are spread over time, as those of people are, so that requests do not come in waves. One
// thread calls Run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace ac::loadtest {

struct LoadPlan {
  std::string url;  // of the server, without /v1/...
  std::string api_key;
  int streams = 50;   // at the same time
  int requests = 50;  // in all
  Nanos between_starts{0};
  int64_t prompt_bytes = 2000;
  size_t text_bytes = 0;  // of a complete reply
};

struct LoadResult {
  // From the request on the wire to the first byte of the reply's body, and to the first token.
  std::vector<double> first_byte_s;
  std::vector<double> first_token_s;
  int complete = 0;
  int failed = 0;
  std::string first_failure;  // the first one's words; empty: none
  int64_t tokens = 0;
  int most_open = 0;  // streams that had begun and not ended, at the same time
};

LoadResult RunLoad(const LoadPlan& plan);

// The smallest value that a share of them does not exceed; 0 of none.
double Percentile(std::vector<double> values, double share);

}  // namespace ac::loadtest
