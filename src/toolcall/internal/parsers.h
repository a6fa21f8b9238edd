// One parser for gpt-oss, whose messages have a format of their own, one for all other families.
#pragma once

#include <memory>

#include "toolcall/internal/body.h"
#include "toolcall/toolcall.h"

namespace ac::toolcall::internal {

std::unique_ptr<ToolCallParser> MakeHarmonyParser(const ParserOptions& options);
// All other families.
std::unique_ptr<ToolCallParser> MakeScanner(Family family, const ParserOptions& options);

}  // namespace ac::toolcall::internal
