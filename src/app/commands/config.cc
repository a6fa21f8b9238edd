// anyclaude config show: every setting, its value, and where the value came from.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands/all.h"
#include "json/json.h"

namespace ac::app {
namespace {

std::string Shown(const SettingSpec& spec, const Setting& setting) {
  if (setting.value.empty()) return "(not set)";
  return spec.secret ? "(set, hidden)" : setting.value;
}

std::string OriginOf(const Setting& setting) {
  std::string text(Config::SourceName(setting.source));
  if (!setting.origin.empty()) text += " " + setting.origin;
  return text;
}

Status ShowSettings(const Config& config, bool as_json) {
  if (as_json) {
    json::Object settings;
    for (const SettingSpec& spec : Config::Specs()) {
      const Setting& setting = config.Get(spec.key);
      settings[spec.key] = json::Object{{"value", Shown(spec, setting)},
                                        {"source", Config::SourceName(setting.source)},
                                        {"origin", setting.origin}};
    }
    const json::Object report{{"home", config.home()}, {"settings", std::move(settings)}};
    fmt::print("{}\n", json::WritePretty(report));
    return OkStatus();
  }
  fmt::print("home: {}\n\n", config.home());
  for (const SettingSpec& spec : Config::Specs()) {
    const Setting& setting = config.Get(spec.key);
    fmt::print("{:<14} {:<22} {:<14} {}\n", spec.key, Shown(spec, setting), OriginOf(setting),
               spec.help);
  }
  return OkStatus();
}

}  // namespace

void RegisterConfig(CLI::App& app, Action* chosen) {
  CLI::App* config = app.add_subcommand("config", "Settings: what is in force and why");
  config->require_subcommand(1);
  auto as_json = std::make_shared<bool>(false);
  CLI::App* show = AddCommand(
      *config, chosen, "show", "Print every setting, its value and its source",
      [as_json](CommandContext& context) { return ShowSettings(context.config, *as_json); });
  show->add_flag("--json", *as_json, "Print JSON");
}

}  // namespace ac::app
