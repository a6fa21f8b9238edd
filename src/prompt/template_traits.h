// What a chat template can express, found by rendering small conversations with it.
//
// Templates say nothing about themselves, so they are asked: does a system message in the middle
// show, what does a turn begin with, may users speak twice? Called once per template.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/status.h"
#include "chat/chat.h"
#include "prompt/template_context.h"

namespace ac::prompt {

// Renders a conversation with traits as they are known so far; `turns` as in ContextOptions.
using RenderProbe = std::function<Result<std::string>(
    const chat::ChatRequest& request, const TemplateTraits& traits, bool add_generation_prompt,
    std::span<const uint64_t> turns)>;

TemplateTraits ProbeTemplate(const RenderProbe& render);

}  // namespace ac::prompt
