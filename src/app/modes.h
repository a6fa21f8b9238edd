// The modes: their names, and which of them would work right now.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/status.h"
#include "launch/menu.h"

namespace ac::app {

// "local, ..."
std::string ModeNames();
// Lists the modes when there is none of that name.
Status CheckMode(std::string_view mode);
// For the menu: title, and what it costs and how fast it was where that is known.
std::vector<launch::MenuItem> UsableModes(const Config& config);

}  // namespace ac::app
