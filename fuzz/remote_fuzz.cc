// What other servers say about themselves and about our requests: model lists, refusals; and the
// schemas that clients send and that are simplified for them.
#include <cstdlib>

#include "json/json.h"
#include "remote/discovery.h"
#include "remote/failure.h"
#include "remote/request_shape.h"
#include "remote/schema_subset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ac;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto models = remote::ReadModelList(text);
  std::vector<api::ModelInfo> list;
  if (models.ok()) list = *models;
  for (const api::ModelInfo& model : list) {
    if (model.id.empty()) std::abort();
  }
  for (const auto source : {remote::ContextSource::kLlamaCpp, remote::ContextSource::kOllama}) {
    remote::ReadContext(source, text, &list);
  }
  // A simplified schema is an object.
  const std::string subset = remote::SubsetSchema(text);
  const auto parsed = json::Parse(subset, {.max_depth = 256});
  if (!parsed.ok() || !parsed->is_object()) std::abort();
  // Whatever a refusal says, adapting ends.
  chat::ChatRequest request;
  request.max_tokens = 32000;
  request.tools = {{.name = "Bash", .input_schema = subset}};
  remote::Learned learned;
  int adaptations = 0;
  const std::string refusal = remote::RefusalText(400, text);
  while (
      remote::AdaptToRefusal(400, refusal, api::Endpoint::kChatCompletions, &request, &learned)) {
    if (++adaptations > 100) std::abort();
    if (request.max_tokens.value_or(1) <= 0) std::abort();
  }
  return 0;
}
