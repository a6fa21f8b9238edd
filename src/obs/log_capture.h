// For tests: keeps log lines in memory while it lives, then puts the previous log back.
//
// Own it on the stack. One at a time; lines() is safe while other threads log.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "obs/log.h"

namespace ac::obs {

class LogCapture {
 public:
  explicit LogCapture(Level level = Level::kDebug, LogFormat format = LogFormat::kText,
                      const Clock* clock = nullptr)
      : lines_(std::make_shared<Lines>()), previous_(SetLog({lines_, level, format, clock})) {}
  ~LogCapture() { SetLog(std::move(previous_)); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<std::string> lines() const {
    MutexLock lock(lines_->mutex);
    return lines_->lines;
  }

 private:
  struct Lines : LogSink {
    void Write(Level, std::string_view line) override {
      MutexLock lock(mutex);
      lines.emplace_back(line);
    }
    Mutex mutex;
    std::vector<std::string> lines AC_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Lines> lines_;
  LogSetup previous_;
};

}  // namespace ac::obs
