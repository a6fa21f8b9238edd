#include "launch/client_settings.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace ac::launch {
namespace {

// Before it fetches a page the client asks its maker's server about the page's domain. Behind a
// local model nothing should leave the machine but the fetch itself, and without a way to that
// server the fetch would fail.
constexpr std::string_view kSkipPreflight = "skipWebFetchPreflight";

}  // namespace

std::vector<std::string> SettingsWords(const ClientSetup& setup,
                                       const std::vector<std::string>& user_args,
                                       const std::vector<std::string>& files) {
  if (setup.pass_through) return {};
  const bool has_settings =
      std::any_of(user_args.begin(), user_args.end(), [](const std::string& word) {
        return word == "--settings" || word.starts_with("--settings=");
      });
  const bool has_key = std::any_of(files.begin(), files.end(), [](const std::string& text) {
    return text.find(kSkipPreflight) != std::string::npos;
  });
  if (has_settings || has_key) return {};
  return {"--settings", "{\"" + std::string(kSkipPreflight) + "\":true}"};
}

std::vector<std::string> ReadSettingsFiles(FileSystem& files, const std::string& config_folder,
                                           const std::string& folder) {
  std::vector<std::string> texts;
  for (const std::string& path :
       {JoinPath(config_folder, "settings.json"), JoinPath(folder, ".claude/settings.json"),
        JoinPath(folder, ".claude/settings.local.json")}) {
    Result<std::string> text = ReadFile(files, path);
    if (text.ok()) texts.push_back(std::move(text).value());
  }
  return texts;
}

}  // namespace ac::launch
