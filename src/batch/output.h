// A reply as the line of the output file that belongs to its input's shape.
//
// Pure functions, thread-safe.
#pragma once

#include <string>

#include "base/status.h"
#include "batch/input.h"
#include "batch/journal.h"
#include "http/message.h"

namespace ac::batch {

// A reply of any HTTP status.
Outcome OutcomeOfReply(const Item& item, const http::Response& reply);
// No reply at all.
Outcome OutcomeOfFailure(const Item& item, const Status& status);

}  // namespace ac::batch
