// What the prompt of a traced request is made of, and where two prompts part.
//
// Works on the request body that the trace holds, Anthropic or OpenAI. Parts come in the order in
// which chat templates render them: tools, system, messages. What is no part of the prompt
// (cache_control, deferred tools) is left out. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "json/json_fwd.h"

namespace ac::store {

struct PromptPart {
  std::string section;  // "tools", "system", "messages"
  std::string name;     // "Read", "block 2", "3 user text"
  std::string text;     // canonical JSON or plain text
};

// Empty when the body is none we know.
std::vector<PromptPart> PromptParts(const json::Value& trace);

// Prompt tokens as the reply's usage says; 0: not known.
int64_t PromptTokens(const json::Value& trace);

// A part's tokens in proportion to its bytes: the measured total is exact, the split is not.
int64_t ShareOfTokens(size_t bytes, size_t total_bytes, int64_t prompt_tokens);

size_t TotalBytes(const std::vector<PromptPart>& parts);

struct Divergence {
  size_t common_bytes = 0;  // from the start of both prompts
  bool identical = false;
  // The first part that differs; when one prompt ends there, its side is empty.
  size_t part = 0;
  size_t offset = 0;  // within that part's text
  std::string left;   // what stands there, shortened
  std::string right;
};

Divergence Compare(const std::vector<PromptPart>& a, const std::vector<PromptPart>& b);

}  // namespace ac::store
