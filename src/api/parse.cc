#include "api/api.h"
#include "api/internal/parsers.h"
#include "api/internal/reader.h"
#include "json/json.h"

namespace ac::api {

Result<json::Value> internal::ParseBody(std::string_view body, const RequestLimits& limits) {
  Result<json::Value> value =
      json::Parse(body, {.max_depth = limits.max_depth, .max_bytes = limits.max_bytes});
  if (value.ok()) return value;
  constexpr std::string_view kJsonTag = "[json] ";
  std::string reason = value.status().message();
  if (reason.starts_with(kJsonTag)) reason.erase(0, kJsonTag.size());
  return Status(value.status().code(), "[api] the body is not valid JSON: " + reason);
}

namespace {

void ApplyHeaders(const RequestHeaders& headers, chat::RequestMetadata* metadata) {
  if (!headers.session_id.empty()) metadata->session_id = headers.session_id;
  if (!headers.agent_id.empty()) metadata->agent_id = headers.agent_id;
  if (!headers.parent_agent_id.empty()) metadata->parent_agent_id = headers.parent_agent_id;
}

}  // namespace

Dialect DialectOf(Endpoint endpoint) {
  const bool anthropic = endpoint == Endpoint::kMessages || endpoint == Endpoint::kCountTokens;
  return anthropic ? Dialect::kAnthropic : Dialect::kOpenAi;
}

Result<chat::ChatRequest> ParseRequest(Endpoint endpoint, std::string_view body,
                                       const RequestHeaders& headers, const RequestLimits& limits) {
  AC_ASSIGN_OR_RETURN(const json::Value value, internal::ParseBody(body, limits));
  internal::ParseContext context(limits);
  chat::ChatRequest request;
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
      internal::ParseMessages(&context, value, &request);
      break;
    case Endpoint::kChatCompletions:
      internal::ParseChatCompletions(&context, value, &request);
      break;
    case Endpoint::kCompletions:
      internal::ParseCompletions(&context, value, &request);
      break;
    case Endpoint::kResponses:
      internal::ParseResponses(&context, value, &request);
      break;
  }
  AC_RETURN_IF_ERROR(context.status());
  request.unknown_fields = context.TakeUnknown();
  ApplyHeaders(headers, &request.metadata);
  return request;
}

}  // namespace ac::api
