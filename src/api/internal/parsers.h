// One function per request shape; parse.cc picks one. Failures are left in the context.
#pragma once

#include "api/internal/reader.h"
#include "chat/chat.h"
#include "json/json.h"

namespace ac::api::internal {

inline constexpr double kMaxTemperature = 100;  // samplers accept more than the APIs allow
inline constexpr double kMaxPenalty = 100;
inline constexpr int64_t kMaxTokens = int64_t{1} << 40;  // any wish is fine: backends clamp

// The body's JSON within the limits; errors name line and column.
Result<json::Value> ParseBody(std::string_view body, const RequestLimits& limits);

void ParseMessages(ParseContext* context, const json::Value& body, chat::ChatRequest* request);
void ParseChatCompletions(ParseContext* context, const json::Value& body,
                          chat::ChatRequest* request);
void ParseCompletions(ParseContext* context, const json::Value& body, chat::ChatRequest* request);
void ParseResponses(ParseContext* context, const json::Value& body, chat::ChatRequest* request);

// Shared by the two OpenAI shapes.
chat::Image ImageFromUrl(std::string_view url);  // data: URLs are taken apart
void ParseSampling(ObjectReader* reader, chat::Sampling* sampling);
// Moves the system messages before the first other one to request->system.
void HoistLeadingSystem(chat::ChatRequest* request);

}  // namespace ac::api::internal
