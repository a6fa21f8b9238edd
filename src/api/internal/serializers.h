// One serializer per dialect; serialize.cc picks.
#pragma once

#include <string>
#include <utility>

#include "api/api.h"
#include "json/json.h"

namespace ac::api::internal {

std::string SerializeMessages(const chat::ChatRequest& request, const SerializeOptions& options,
                              bool count_only);
std::string SerializeChatCompletions(const chat::ChatRequest& request,
                                     const SerializeOptions& options);

inline json::Value ParsedOr(const std::string& text, json::Value otherwise) {
  Result<json::Value> value = json::Parse(text);
  return value.ok() ? std::move(value).value() : std::move(otherwise);
}

}  // namespace ac::api::internal
