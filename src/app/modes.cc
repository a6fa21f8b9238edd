#include "app/modes.h"

#include <algorithm>

namespace ac::app {
namespace {

struct Mode {
  std::string_view name;
  std::string_view title;
  std::string_view purpose;
};

constexpr Mode kModes[] = {
    {"local", "Local engine", "private, no key, no cost per token"},
};

}  // namespace

std::string ModeNames() {
  std::string names;
  for (const Mode& mode : kModes) {
    if (!names.empty()) names += ", ";
    names += mode.name;
  }
  return names;
}

Status CheckMode(std::string_view mode) {
  const bool known = std::any_of(std::begin(kModes), std::end(kModes),
                                 [&](const Mode& m) { return m.name == mode; });
  if (known) return OkStatus();
  return InvalidArgument("[mode] unknown mode \"" + std::string(mode) +
                         "\"; the modes are: " + ModeNames());
}

std::vector<launch::MenuItem> UsableModes(const Config&) {
  std::vector<launch::MenuItem> items;
  for (const Mode& mode : kModes) {
    items.push_back({std::string(mode.name), std::string(mode.title), std::string(mode.purpose)});
  }
  return items;
}

}  // namespace ac::app
