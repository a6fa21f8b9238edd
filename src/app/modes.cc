#include "app/modes.h"

#include <algorithm>

#include "app/backends.h"
#include "remote/server_kind.h"

namespace ac::app {
std::string ModeNames() {
  std::string names;
  for (const std::string_view mode : remote::AllModes()) {
    if (!names.empty()) names += ", ";
    names += mode;
  }
  return names;
}

Status CheckMode(std::string_view mode) {
  const std::vector<std::string_view> modes = remote::AllModes();
  const bool known = std::find(modes.begin(), modes.end(), mode) != modes.end();
  if (known || remote::ModeForOldName(mode).has_value()) return OkStatus();
  return InvalidArgument("[mode] unknown mode \"" + std::string(mode) +
                         "\"; the modes are: " + ModeNames());
}

std::vector<launch::MenuItem> UsableModes(const Config&) {
  std::vector<launch::MenuItem> items = {
      {"local", "Local engine", "for private work; no key, no cost per token"}};
  for (const std::string_view mode : AnsweringModes(ProcessEnvironment())) {
    const remote::ServerKind& kind = *remote::FindServerKind(mode);
    items.push_back({std::string(mode), std::string(kind.title),
                     kind.cloud ? "for the hardest edits; paid per token"
                                : "found running; as good as its model, no cost per token"});
  }
  return items;
}

}  // namespace ac::app
