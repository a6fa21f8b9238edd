// /v1/embeddings: texts to vectors with the model that is loaded here.
#include <utility>

#include "api/embeddings.h"
#include "api/errors.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"

namespace ac::gateway {

using api::Dialect;
using backend::TextTools;
using Embeddings = TextTools::Embeddings;

void Gateway::HandleEmbeddings(const http::Request& request, const ExchangePtr& exchange) {
  Result<api::EmbeddingRequest> asked = api::ParseEmbeddings(request.body);
  if (!asked.ok()) return RespondError(*exchange, Dialect::kOpenAi, asked.status());
  if (options_.text_tools == nullptr) {
    return RespondError(
        *exchange, Dialect::kOpenAi,
        Unsupported("[gateway] embeddings come from the embedded engine: start with "
                    "--mode local, or ask the other server itself"));
  }
  if (draining_) {
    return RespondError(*exchange, Dialect::kOpenAi,
                        Unavailable("[gateway] the server is shutting down"));
  }
  std::vector<chat::RawPrompt> inputs = asked->inputs;
  auto shared = std::make_shared<const api::EmbeddingRequest>(std::move(asked).value());
  auto work = options_.text_tools->Embed(std::move(inputs), [exchange,
                                                             shared](Result<Embeddings> result) {
    if (!result.ok()) return RespondError(*exchange, Dialect::kOpenAi, result.status());
    const auto size = static_cast<int64_t>(result->vectors.front().size());
    if (shared->dimensions != 0 && shared->dimensions != size) {
      return RespondError(*exchange, Dialect::kOpenAi,
                          InvalidArgument("dimensions: this model gives " + std::to_string(size) +
                                          ", leave the field out"));
    }
    RespondJson(*exchange, api::EncodeEmbeddings(*shared, result->vectors, result->prompt_tokens));
  });
  // The exchange keeps the work, and a client that leaves ends it.
  exchange->OnClientGone([held = std::make_shared<std::unique_ptr<backend::Call>>(
                              std::move(work))] { held->reset(); });
}

}  // namespace ac::gateway
