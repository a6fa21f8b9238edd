// The starter model's hyper-parameters, read from tools/starter/shape.json.
#pragma once

#include <string>

#include "base/file_system.h"
#include "base/status.h"
#include "weights/model_config.h"

namespace ac::starter {

// kInvalidArgument when a number is missing or does not fit the others.
Result<weights::ModelConfig> ReadShape(const std::string& path, FileSystem& fs);

}  // namespace ac::starter
