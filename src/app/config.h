// Settings: one table of keys, filled from defaults, files, environment and flags.
//
// Priority, strongest first: flag > environment > project file (.anyclauderc.json in the working
// directory) > user file (config.json in the home, or $ANYCLAUDE_CONFIG) > default. Every value
// remembers where it came from, which `anyclaude config show` prints. A value object; copies are
// independent; const access is thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"

namespace ac::app {

enum class ValueKind { kText, kInteger, kNumber, kBoolean };

enum class Source { kDefault, kUserFile, kProjectFile, kEnvironment, kFlag };

// One key a user may set. `env` is empty for most: configuration is files and flags, and only the
// contract's few variables exist.
struct SettingSpec {
  std::string_view key;
  ValueKind kind;
  std::string_view default_value;
  std::string_view env;
  bool secret;           // masked wherever it is printed
  bool allowed_in_repo;  // a cloned repository's project file may set it
  std::string_view help;
};

struct Setting {
  std::string value;
  Source source = Source::kDefault;
  std::string origin;  // file path, variable or flag name
};

// The process environment as a function, so that tests can give their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

class Config {
 public:
  // Reads defaults, both files and the environment. Errors name file, line and column, or the key.
  static Result<Config> Load(const Environment& environment, FileSystem& fs,
                             const std::string& working_directory);

  // A command-line flag; the strongest source.
  Status SetFlag(std::string_view key, std::string value);

  // `key` must exist in Specs(); the value has already been checked against its kind.
  const std::string& Text(std::string_view key) const;
  int64_t Integer(std::string_view key) const;
  double Number(std::string_view key) const;
  bool Boolean(std::string_view key) const;
  const Setting& Get(std::string_view key) const;

  // The folder for everything we write: $ANYCLAUDE_HOME or ~/.anyclaude.
  const std::string& home() const { return home_; }
  std::string HomePath(std::string_view name) const { return JoinPath(home_, name); }
  // Things worth telling the user once, e.g. an unknown key with the nearest known one.
  const std::vector<std::string>& warnings() const { return warnings_; }

  static const std::vector<SettingSpec>& Specs();
  static std::string_view SourceName(Source source);

 private:
  Status Set(std::string_view key, std::string value, Source source, std::string origin);
  Status SetFromFile(const std::string& key, std::string value, Source source,
                     const std::string& path);
  Status LoadFile(FileSystem& fs, const std::string& path, Source source);

  std::map<std::string, Setting, std::less<>> settings_;
  std::string home_;
  std::vector<std::string> warnings_;
};

}  // namespace ac::app
