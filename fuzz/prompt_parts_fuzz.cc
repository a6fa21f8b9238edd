// Whatever client and template wrote: parts lie in the text, in order. The first five lines are the
// texts of a conversation, the rest is what a template made of them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "prompt/prompt_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string lines[5];
  for (std::string& line : lines) {
    const size_t end = text.find('\n');
    line = text.substr(0, end);
    text.erase(0, end == std::string::npos ? end : end + 1);
  }
  using namespace ac::chat;
  ChatRequest request;
  request.system = {{Text{lines[0]}, ""}};
  request.tools = {{.name = lines[1], .description = lines[2]},
                   {.name = lines[2], .description = lines[1]}};
  request.messages = {
      {Role::kUser, {{Text{lines[3]}, "5m"}}},
      {Role::kAssistant, {{Text{lines[4]}, ""}, {ToolUse{"t", lines[1], "{}"}, ""}}},
      {Role::kUser, {{ToolResult{"t", {{Text{lines[0]}, ""}}, false}, ""}}}};
  size_t before = 0;
  for (const ac::prompt::PromptPart& part : ac::prompt::FindParts(request, text)) {
    if (part.byte < before || part.byte > text.size() || part.name.empty()) std::abort();
    before = part.byte;
  }
  return 0;
}
