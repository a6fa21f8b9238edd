// Shows a Menu on the terminal and waits for the choice.
#pragma once

#include <cstddef>
#include <optional>

#include "base/status.h"
#include "launch/menu.h"

namespace ac::launch {

// True when both descriptors are a terminal that can show a menu.
bool CanShowMenu(int input, int output);

// The chosen index; nothing when the user left. The terminal's settings are restored in any case.
Result<std::optional<size_t>> RunMenu(Menu menu, int input, int output);

}  // namespace ac::launch
