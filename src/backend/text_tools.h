// What the loaded model can say about texts without answering them: /tokenize, /detokenize and
// /v1/embeddings.
//
// Implemented by backends that hold a model. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/status.h"
#include "chat/chat.h"

namespace ac::backend {

class TextTools {
 public:
  using TokensCallback = std::function<void(Result<std::vector<int32_t>>)>;
  struct Embeddings {
    std::vector<std::vector<float>> vectors;  // of length 1, in the order of the texts
    int64_t prompt_tokens = 0;
  };
  using EmbeddingsCallback = std::function<void(Result<Embeddings>)>;
  virtual ~TextTools() = default;

  // The prompt of a conversation, or the tokens of the request's first raw prompt. The callback may
  // run on another thread.
  virtual void Tokenize(chat::ChatRequest request, TokensCallback done) = 0;
  // Perhaps not valid UTF-8: tokens may be parts of characters.
  virtual std::string Detokenize(std::span<const int32_t> tokens) const = 0;
  // The mean hidden state of each text (at least one), normalised. The callback runs once, perhaps
  // on another thread. Destroying the Call stops the work and forgets the callback.
  virtual std::unique_ptr<Call> Embed(std::vector<chat::RawPrompt> texts,
                                      EmbeddingsCallback done) = 0;
};

}  // namespace ac::backend
