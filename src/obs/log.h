// Structured log: one line per event, a message and typed fields, secrets taken out.
//
//   obs::Info("kv", "restored prefix", {{"tokens", 18490}, {"ms", 12.5}});
//
// Messages name an event and are constant; what varies goes into fields. Every message and field
// passes through Redact. The log sink is one of the two mutable globals of the program (the other
// is Metrics::Default()). Thread-safe. A disabled level costs one relaxed load; fields borrow their
// strings until the call returns.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/status.h"

namespace ac::obs {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat {
  kText,  // 2026-01-31T12:00:00.123Z INFO  [kv] restored prefix tokens=18490 ms=12.5
  kJson,  // {"time":"2026-...","level":"info","module":"kv","message":"...","tokens":18490,...}
};

class Field {
 public:
  using Value = std::variant<int64_t, uint64_t, double, bool, std::string_view>;

  template <std::signed_integral T>
  Field(std::string_view key, T value) : key_(key), value_(int64_t{value}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view key, T value)
      : key_(key), value_(uint64_t{value}) {}
  template <std::floating_point T>
  Field(std::string_view key, T value) : key_(key), value_(static_cast<double>(value)) {}
  template <std::same_as<bool> T>
  Field(std::string_view key, T value) : key_(key), value_(value) {}
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}

  std::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  std::string_view key_;
  Value value_;
};

struct LogOptions {
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kText;
  // Empty = stderr. Otherwise a file of mode 0600; missing directories are made with mode 0700.
  // A full file moves to NAME.1.EXT and so on, the oldest is deleted.
  std::string file;
  uint64_t max_file_bytes = 10 << 20;
  int max_files = 5;
};

// Directs the log from here on. Until the first call, warnings and errors go to stderr.
Status StartLog(const LogOptions& options);

// What a value of ANYCLAUDE_DEBUG asks for: 0 warnings and errors only, 1 the events of a request
// (kInfo), 2 details (kDebug), 3 also whole request and reply bodies. Empty is 0, other text that
// is no number is 1, numbers are clamped.
struct DebugLevel {
  int number = 0;
  Level level = Level::kWarn;
  bool bodies = false;
};
DebugLevel ParseDebugLevel(std::string_view value);

// Takes finished lines (without the line end); called by many threads at once.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(Level level, std::string_view line) = 0;
};

// Everything the log depends on; SetLog returns what was set before.
struct LogSetup {
  std::shared_ptr<LogSink> sink;
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kText;
  const Clock* clock = nullptr;  // of the time stamps; null = the real one
};
LogSetup SetLog(LogSetup setup);

namespace internal {
extern constinit std::atomic<Level> log_level;
}

inline bool LogEnabled(Level level) {
  return level >= internal::log_level.load(std::memory_order_relaxed);
}

void Log(Level level, std::string_view module, std::string_view message,
         std::span<const Field> fields);

using Fields = std::initializer_list<Field>;
inline void Debug(std::string_view module, std::string_view message, Fields fields = {}) {
  if (LogEnabled(Level::kDebug))
    Log(Level::kDebug, module, message, {fields.begin(), fields.size()});
}
inline void Info(std::string_view module, std::string_view message, Fields fields = {}) {
  if (LogEnabled(Level::kInfo)) Log(Level::kInfo, module, message, {fields.begin(), fields.size()});
}
inline void Warn(std::string_view module, std::string_view message, Fields fields = {}) {
  if (LogEnabled(Level::kWarn)) Log(Level::kWarn, module, message, {fields.begin(), fields.size()});
}
inline void Error(std::string_view module, std::string_view message, Fields fields = {}) {
  if (LogEnabled(Level::kError))
    Log(Level::kError, module, message, {fields.begin(), fields.size()});
}

}  // namespace ac::obs
