// A batch's input: one request per line, in any of the shapes people have.
//
//   {"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{...}}   OpenAI batch
//   {"custom_id":"a","params":{"model":...,"messages":[...]}}                     Anthropic batch
//   {"messages":[...],"max_tokens":100}                                           a bare body
//   "Why is the sky blue?"   or   Why is the sky blue?                            a prompt
//
// Each line becomes a request to our own server. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac::batch {

// Decides how the result is written.
enum class Shape { kOpenAiBatch, kAnthropicBatch, kOpenAiBody, kAnthropicBody, kPrompt };

struct Item {
  int64_t line = 0;       // of the input, from 1; empty lines count but are no items
  uint64_t digest = 0;    // of the line's bytes and of what the defaults add to it
  std::string custom_id;  // "line-N" when the line names none
  Shape shape = Shape::kPrompt;
  std::string path;  // "/v1/messages"
  std::string body;  // never asks for a stream
};

// What lines leave open.
struct Defaults {
  std::string model = "default";
  int64_t max_tokens = 512;
  std::string system;  // of prompts
};

// Every line; a mistake names its line and what is wrong with it. kAlreadyExists: two lines with
// one custom_id.
Result<std::vector<Item>> ReadItems(std::string_view text, const Defaults& defaults);

}  // namespace ac::batch
