// Turns the log settings into the process-wide sink.
#pragma once

#include "app/config.h"
#include "base/status.h"

namespace ac::app {

// kFile: without a log file of the user's own, one in the home; the screen belongs to the client.
enum class LogPlace { kConfigured, kFile };

Status SetUpLogging(const Config& config, LogPlace place = LogPlace::kConfigured);

}  // namespace ac::app
