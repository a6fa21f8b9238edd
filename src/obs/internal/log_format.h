// Turns one log event into one line. Pure functions; the only place where fields become text, so
// the only place that must redact.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "obs/log.h"

namespace ac::obs::internal {

struct LogEvent {
  Nanos wall_time{0};
  Level level = Level::kInfo;
  std::string_view module;
  std::string_view message;
  std::span<const Field> fields;
};

// No control characters and only valid UTF-8, whatever the fields hold: text from a client cannot
// forge a second line.
std::string FormatEvent(const LogEvent& event, LogFormat format);

}  // namespace ac::obs::internal
