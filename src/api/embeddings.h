// POST /v1/embeddings: the OpenAI shape of texts in, vectors out.
//
// Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "chat/chat.h"

namespace ac::api {

struct EmbeddingRequest {
  std::string model;
  std::vector<chat::RawPrompt> inputs;  // texts or token ids, at least one
  bool base64 = false;                  // vectors as base64 of little-endian floats
  int64_t dimensions = 0;               // asked for; 0: the model's own number
};

// `input`: a text, token ids, or a list of either. Failures name the field's path.
Result<EmbeddingRequest> ParseEmbeddings(std::string_view body, const RequestLimits& limits = {});

std::string EncodeEmbeddings(const EmbeddingRequest& request,
                             const std::vector<std::vector<float>>& vectors, int64_t prompt_tokens);

}  // namespace ac::api
