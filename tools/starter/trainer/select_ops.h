// Which table of ops.h this machine runs.
#pragma once

#include <span>

#include "ops.h"

namespace ac::starter {

// Those that run here, the best last.
std::span<const ac_train_ops* const> UsableOps();

}  // namespace ac::starter
