#include "obs/internal/log_format.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <type_traits>

#include "base/utf8.h"
#include "obs/redact.h"

namespace ac::obs::internal {
namespace {

std::string_view LowerName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
    case Level::kOff:
      return "off";
  }
  return "?";
}

std::string_view PaddedName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO ";
    case Level::kWarn:
      return "WARN ";
    case Level::kError:
      return "ERROR";
    case Level::kOff:
      return "OFF  ";
  }
  return "?";
}

// RFC 3339 in UTC with milliseconds.
void AppendTime(Nanos since_epoch, std::string* out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(since_epoch - seconds);
  const std::time_t time = static_cast<std::time_t>(seconds.count());
  std::tm utc = {};
  ::gmtime_r(&time, &utc);
  char text[40];
  const size_t date = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  out->append(text, date);
  std::snprintf(text, sizeof(text), ".%03dZ", static_cast<int>(millis.count()));
  out->append(text);
}

// JSON string escapes, which also serve the text format.
void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          char escape[8];
          std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
          *out += escape;
        } else {
          *out += c;
        }
    }
  }
}

void AppendQuoted(std::string_view text, std::string* out) {
  *out += '"';
  AppendEscaped(text, out);
  *out += '"';
}

std::string Clean(std::string_view text) { return Redact(RepairUtf8(text)); }

// Quotes only around what would not read as one word.
void AppendWord(std::string_view text, std::string* out) {
  bool plain = !text.empty();
  for (const char c : text) {
    plain = plain && static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '"' && c != '\\' &&
            c != '=';
  }
  if (plain) {
    *out += text;
  } else {
    AppendQuoted(text, out);
  }
}

template <typename T>
void AppendNumber(T value, LogFormat format, std::string* out) {
  if constexpr (std::is_floating_point_v<T>) {
    // JSON has no words for these.
    if (!std::isfinite(value) && format == LogFormat::kJson) {
      *out += "null";
      return;
    }
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

void AppendText(std::string_view text, LogFormat format, std::string* out) {
  if (format == LogFormat::kJson) {
    AppendQuoted(text, out);
  } else {
    AppendWord(text, out);
  }
}

void AppendValue(const Field& field, LogFormat format, std::string* out) {
  if (IsSecretName(field.key())) {
    AppendText(kRedacted, format, out);
    return;
  }
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          AppendText(Clean(value), format, out);
        } else if constexpr (std::is_same_v<T, bool>) {
          *out += value ? "true" : "false";
        } else {
          AppendNumber(value, format, out);
        }
      },
      field.value());
}

std::string FormatText(const LogEvent& event) {
  std::string line;
  AppendTime(event.wall_time, &line);
  line += ' ';
  line += PaddedName(event.level);
  line += " [";
  line += event.module;
  line += "] ";
  AppendEscaped(Clean(event.message), &line);
  for (const Field& field : event.fields) {
    line += ' ';
    AppendWord(RepairUtf8(field.key()), &line);
    line += '=';
    AppendValue(field, LogFormat::kText, &line);
  }
  return line;
}

std::string FormatJson(const LogEvent& event) {
  std::string line = "{\"time\":\"";
  AppendTime(event.wall_time, &line);
  line += "\",\"level\":\"";
  line += LowerName(event.level);
  line += "\",\"module\":";
  AppendQuoted(event.module, &line);
  line += ",\"message\":";
  AppendQuoted(Clean(event.message), &line);
  for (const Field& field : event.fields) {
    line += ',';
    AppendQuoted(RepairUtf8(field.key()), &line);
    line += ':';
    AppendValue(field, LogFormat::kJson, &line);
  }
  line += '}';
  return line;
}

}  // namespace

std::string FormatEvent(const LogEvent& event, LogFormat format) {
  return format == LogFormat::kJson ? FormatJson(event) : FormatText(event);
}

}  // namespace ac::obs::internal
