// /tokenize and /detokenize: what the loaded model's tokenizer makes of a text, a conversation or
// token ids. The shapes are those of llama.cpp's server (content) and vLLM's (prompt, messages).
#include <utility>

#include "api/errors.h"
#include "base/utf8.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "json/json.h"

namespace ac::gateway {
namespace {

using api::Dialect;

Status NoTokenizer() {
  return Unsupported("[gateway] no model is loaded here, so there is no tokenizer to ask");
}

// A text to encode, or the conversation of a chat request.
Result<chat::ChatRequest> WhatToTokenize(std::string_view body) {
  AC_ASSIGN_OR_RETURN(const json::Value root, json::Parse(body));
  if (json::Find(root, "messages") != nullptr) {
    return api::ParseRequest(api::Endpoint::kCountTokens, body);
  }
  for (const std::string_view key : {"content", "prompt"}) {
    if (const auto text = json::GetString(root, key)) {
      chat::ChatRequest request;
      request.prompts.push_back({.text = std::string(*text), .tokens = {}});
      return request;
    }
  }
  return InvalidArgument("content: a text is required (or prompt, or messages)");
}

}  // namespace

void Gateway::HandleTokenize(const http::Request& request, const ExchangePtr& exchange) {
  if (options_.text_tools == nullptr) {
    return RespondError(*exchange, Dialect::kOpenAi, NoTokenizer());
  }
  Result<chat::ChatRequest> asked = WhatToTokenize(request.body);
  if (!asked.ok()) return RespondError(*exchange, Dialect::kOpenAi, asked.status());
  options_.text_tools->Tokenize(std::move(asked).value(), [exchange](
                                                              Result<std::vector<int32_t>> tokens) {
    if (!tokens.ok()) return RespondError(*exchange, Dialect::kOpenAi, tokens.status());
    json::Array ids;
    for (const int32_t id : *tokens) ids.emplace_back(id);
    const size_t count = ids.size();
    RespondJson(*exchange, json::Write(json::Object{{"tokens", std::move(ids)}, {"count", count}}));
  });
}

void Gateway::HandleDetokenize(const http::Request& request, const ExchangePtr& exchange) {
  if (options_.text_tools == nullptr) {
    return RespondError(*exchange, Dialect::kOpenAi, NoTokenizer());
  }
  const Result<json::Value> root = json::Parse(request.body);
  if (!root.ok()) return RespondError(*exchange, Dialect::kOpenAi, root.status());
  const json::Array* ids = json::AsArray(json::Find(*root, "tokens"));
  std::vector<int32_t> tokens;
  for (size_t i = 0; ids != nullptr && i < ids->size(); ++i) {
    const auto id = json::AsInt(&(*ids)[i]);
    if (!id || *id < 0 || *id > INT32_MAX) {
      return RespondError(*exchange, Dialect::kOpenAi,
                          InvalidArgument("tokens." + std::to_string(i) + ": expected a token id"));
    }
    tokens.push_back(static_cast<int32_t>(*id));
  }
  if (ids == nullptr) {
    return RespondError(*exchange, Dialect::kOpenAi,
                        InvalidArgument("tokens: an array of token ids is required"));
  }
  const std::string text = RepairUtf8(options_.text_tools->Detokenize(tokens));
  RespondJson(*exchange, json::Write(json::Object{{"content", text}, {"prompt", text}}));
}

}  // namespace ac::gateway
