#include "app/logging.h"

#include "obs/log.h"

namespace ac::app {

Status SetUpLogging(const Config& config, LogPlace place) {
  const std::string& format = config.Text("log.format");
  if (format != "text" && format != "json") {
    return InvalidArgument("[config] log.format takes text or json, not \"" + format + "\"");
  }
  obs::LogOptions options;
  options.level = obs::ParseDebugLevel(config.Text("debug")).level;
  options.format = format == "json" ? obs::LogFormat::kJson : obs::LogFormat::kText;
  options.file = config.Text("log.file");
  if (options.file.empty() && place == LogPlace::kFile) {
    options.file = config.HomePath("logs/anyclaude.log");
  }
  return obs::StartLog(options);
}

}  // namespace ac::app
