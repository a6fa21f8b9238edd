#include "obs/log.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <utility>

#include "base/file_system.h"
#include "base/mutex.h"
#include "obs/internal/log_format.h"
#include "obs/metrics.h"

namespace ac::obs {

namespace internal {
constinit std::atomic<Level> log_level{Level::kWarn};
}

namespace {

// spdlog does what it is best at, getting lines out: locking, rotation, reopening.
class SpdlogSink : public LogSink {
 public:
  explicit SpdlogSink(std::shared_ptr<spdlog::sinks::sink> sink)
      : logger_("anyclaude", std::move(sink)),
        dropped_(Metrics::Default().GetCounter("anyclaude_log_lines_dropped_total",
                                               "Log lines lost to a full disk or a closed pipe.")) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
    // Every line: a crash must not take the lines that explain it with it.
    logger_.flush_on(spdlog::level::trace);
    logger_.set_error_handler([this](const std::string&) { dropped_.Add(); });
  }

  void Write(Level, std::string_view line) override {
    logger_.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  spdlog::logger logger_;
  Counter dropped_;
};

std::shared_ptr<LogSink> StderrSink() {
  return std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::stderr_sink_mt>());
}

// spdlog opens files with the process's umask. Making the file first closes the moment in which
// it would be readable by others; fchmod narrows one that an older program left.
spdlog::file_event_handlers PrivateFileHandlers() {
  constexpr mode_t kOwnerOnly = 0600;
  spdlog::file_event_handlers handlers;
  handlers.before_open = [](const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kOwnerOnly);
    if (fd >= 0) ::close(fd);
  };
  handlers.after_open = [](const std::string&, std::FILE* file) {
    ::fchmod(::fileno(file), kOwnerOnly);
  };
  return handlers;
}

Result<std::shared_ptr<LogSink>> FileSink(const LogOptions& options) {
  AC_RETURN_IF_ERROR(FileSystem::Real()
                         .CreateDirectories(DirName(options.file))
                         .WithPrefix("[obs] log file " + options.file));
  // Tried here because spdlog would retry for a while and say less.
  const int fd = ::open(options.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    return FromErrno(errno, "[obs] cannot write the log file " + options.file +
                                "; set log.file to a writable place");
  }
  ::close(fd);
  try {
    const size_t bytes = static_cast<size_t>(std::max<uint64_t>(options.max_file_bytes, 4096));
    const size_t kept = static_cast<size_t>(std::clamp(options.max_files - 1, 0, 1000));
    return std::shared_ptr<LogSink>(
        std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            options.file, bytes, kept, false, PrivateFileHandlers())));
  } catch (const std::exception& error) {
    return Unavailable("[obs] cannot open the log file " + options.file + ": " + error.what() +
                       "; set log.file to a writable place");
  }
}

struct Global {
  Mutex mutex;
  LogSetup setup AC_GUARDED_BY(mutex);
};

// Never destroyed: threads may log while the program exits.
Global& TheLog() {
  static Global& global = *new Global{{}, {StderrSink(), Level::kWarn, LogFormat::kText, nullptr}};
  return global;
}

}  // namespace

LogSetup SetLog(LogSetup setup) {
  Global& global = TheLog();
  MutexLock lock(global.mutex);
  internal::log_level.store(setup.level, std::memory_order_relaxed);
  std::swap(global.setup, setup);
  return setup;
}

Status StartLog(const LogOptions& options) {
  std::shared_ptr<LogSink> sink;
  if (options.file.empty()) {
    sink = StderrSink();
  } else {
    AC_ASSIGN_OR_RETURN(sink, FileSink(options));
  }
  SetLog({std::move(sink), options.level, options.format, nullptr});
  return OkStatus();
}

DebugLevel ParseDebugLevel(std::string_view value) {
  int number = 0;
  if (!value.empty()) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc::result_out_of_range) number = value.front() == '-' ? 0 : 3;
    const bool is_number =
        error != std::errc::invalid_argument && end == value.data() + value.size();
    if (!is_number) number = 1;
  }
  DebugLevel debug;
  debug.number = std::clamp(number, 0, 3);
  if (debug.number == 1) debug.level = Level::kInfo;
  if (debug.number >= 2) debug.level = Level::kDebug;
  debug.bodies = debug.number == 3;
  return debug;
}

void Log(Level level, std::string_view module, std::string_view message,
         std::span<const Field> fields) {
  if (!LogEnabled(level) || level == Level::kOff) return;
  LogSetup setup;
  {
    Global& global = TheLog();
    MutexLock lock(global.mutex);
    setup = global.setup;
  }
  if (setup.sink == nullptr) return;
  const Clock& clock = setup.clock != nullptr ? *setup.clock : Clock::Real();
  setup.sink->Write(level, internal::FormatEvent({clock.WallNow(), level, module, message, fields},
                                                 setup.format));
}

}  // namespace ac::obs
