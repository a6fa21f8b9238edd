// The short report at the end of a session: measured values only.
#pragma once

#include <optional>
#include <string>

#include "gateway/recorder.h"
#include "gateway/session_totals.h"

namespace ac::app {

// Lines that end in a newline; empty when there was no request.
std::string SessionReport(const gateway::Totals& totals,
                          const std::optional<gateway::Recorder::Costs>& costs);

// 1234567 -> "1,234,567".
std::string Grouped(int64_t number);
// "unknown", "$0.0042", "$1.20 (+ 3 requests of unknown cost)".
std::string CostText(double dollars, int64_t known_requests, int64_t unknown_requests);
// "12 ms", "0.4 s", "12 s", "3 min 5 s".
std::string DurationText(double seconds);

}  // namespace ac::app
