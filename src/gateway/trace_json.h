// The JSON of a trace (docs/formats/trace.md): who asked what, what was answered, when.
//
// Pure functions. The text may hold secrets: it must pass through obs::Redact before it is stored.
// Events are kept as time, kind and size; the words are in the reply as a whole, so that a secret
// cut into pieces is redacted too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/reply.h"
#include "gateway/request_measure.h"
#include "http/message.h"

namespace ac::gateway {

struct TracedRequest {
  std::string id;
  int64_t wall_ms = 0;
  std::string method;
  std::string path;
  http::Headers headers;
  std::string body;  // valid JSON, as received
  std::string model;
  std::string session;
  std::string agent;
};

struct TracedEvent {
  double ms = 0;  // since the request
  std::string_view kind;
  int64_t size = 0;  // bytes of text; of a ping: prompt tokens read
};

// Beyond this many, events are counted but not listed: a runaway reply must not fill the memory.
inline constexpr size_t kMaxTracedEvents = 200'000;

void AddTracedEvent(const chat::ChatEvent& event, double ms, std::vector<TracedEvent>* events);

struct TraceContext {
  std::string version;
  std::string mode;
  std::optional<double> cost;
};

std::string TraceJson(const TraceContext& context, const TracedRequest& request,
                      const RequestMeasure& measure, const chat::Reply& reply,
                      const std::vector<TracedEvent>& events);

}  // namespace ac::gateway
