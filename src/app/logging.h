// Turns the log settings into the process-wide sink.
#pragma once

#include "app/config.h"
#include "base/status.h"

namespace ac::app {

Status SetUpLogging(const Config& config);

}  // namespace ac::app
