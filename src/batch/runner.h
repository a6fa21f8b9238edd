// Sends a batch's requests to a server, some at a time, and journals each reply as it comes.
//
// Blocks the caller, which owns journal and client for the time of the call. A server that is busy
// (429, 503, 529) or briefly gone is asked again, as late as it says; what still fails then is an
// error of that line and never of the batch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "batch/input.h"
#include "batch/journal.h"
#include "http/client.h"

namespace ac::batch {

struct RunOptions {
  std::string url;      // "http://127.0.0.1:4141"
  std::string api_key;  // empty: none
  int parallel = 16;
  int attempts = 6;
  Nanos first_pause = std::chrono::milliseconds(500);  // doubles with every attempt
};

// After every result. `done` counts those of earlier runs too.
using RunProgress = std::function<void(int64_t done, const Totals& totals)>;

// Runs what the journal does not have. Fails only when the journal cannot be written.
Status RunBatch(http::Client& client, const std::vector<Item>& items, Journal& journal,
                const RunOptions& options, const RunProgress& progress);

}  // namespace ac::batch
