// What several commands read from their arguments: text, files, token ids.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac::app {

// The text argument, or the file's contents; "-" or neither: standard input.
Result<std::string> ReadTextOrFile(const std::string& text, const std::string& file);

// "1,2,3", "[1, 2, 3]" or ids separated by white space.
Result<std::vector<int32_t>> ParseTokenIds(std::string_view text);

}  // namespace ac::app
