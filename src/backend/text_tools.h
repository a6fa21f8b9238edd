// What the loaded model's own tokenizer can say: /tokenize and /detokenize.
//
// Implemented by backends that hold a tokenizer. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat.h"

namespace ac::backend {

class TextTools {
 public:
  using TokensCallback = std::function<void(Result<std::vector<int32_t>>)>;
  virtual ~TextTools() = default;

  // The prompt of a conversation, or the tokens of the request's first raw prompt. The callback may
  // run on another thread.
  virtual void Tokenize(chat::ChatRequest request, TokensCallback done) = 0;
  // Perhaps not valid UTF-8: tokens may be parts of characters.
  virtual std::string Detokenize(std::span<const int32_t> tokens) const = 0;
};

}  // namespace ac::backend
