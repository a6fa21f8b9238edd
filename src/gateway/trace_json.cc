#include "gateway/trace_json.h"

#include <cmath>
#include <ctime>

#include "chat/dump.h"
#include "json/json.h"
#include "obs/redact.h"
#include "store/trace_file.h"

namespace ac::gateway {
namespace {

// A tenth of a millisecond is more than the clock of a busy machine can tell.
double Rounded(double ms) { return std::round(ms * 10) / 10; }

json::Value MaybeMs(const std::optional<double>& ms) {
  if (!ms.has_value()) return nullptr;
  return Rounded(*ms);
}

std::string IsoTime(int64_t wall_ms) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(wall_ms % 1000));
  return text;
}

json::Object ReplyJson(const chat::Reply& reply) {
  json::Array choices;
  for (const chat::ReplyChoice& choice : reply.choices) {
    json::Array content;
    for (const chat::Block& block : choice.blocks) content.push_back(chat::ToJson(block));
    choices.push_back(json::Object{{"content", std::move(content)},
                                   {"stop_reason", chat::StopReasonName(choice.stop_reason)}});
  }
  return {{"id", reply.id}, {"choices", std::move(choices)}, {"complete", reply.complete}};
}

json::Array EventsJson(const std::vector<TracedEvent>& events) {
  json::Array list;
  list.reserve(events.size());
  for (const TracedEvent& event : events) {
    list.push_back(json::Array{Rounded(event.ms), event.kind, event.size});
  }
  return list;
}

struct KindAndSize {
  std::string_view kind;
  size_t size = 0;
};

struct Describe {
  KindAndSize operator()(const chat::MessageStart&) const { return {"message_start"}; }
  KindAndSize operator()(const chat::Ping& ping) const {
    return {"ping", static_cast<size_t>(ping.prompt_done)};
  }
  KindAndSize operator()(const chat::BlockStart&) const { return {"block_start"}; }
  KindAndSize operator()(const chat::TextDelta& delta) const { return {"text", delta.text.size()}; }
  KindAndSize operator()(const chat::ThinkingDelta& delta) const {
    return {"thinking", delta.text.size()};
  }
  KindAndSize operator()(const chat::SignatureDelta& delta) const {
    return {"signature", delta.signature.size()};
  }
  KindAndSize operator()(const chat::ToolArgsDelta& delta) const {
    return {"tool_args", delta.partial_json.size()};
  }
  KindAndSize operator()(const chat::BlockStop&) const { return {"block_stop"}; }
  KindAndSize operator()(const chat::MessageDelta&) const { return {"message_delta"}; }
  KindAndSize operator()(const chat::MessageStop&) const { return {"message_stop"}; }
  KindAndSize operator()(const chat::Error&) const { return {"error"}; }
};

}  // namespace

void AddTracedEvent(const chat::ChatEvent& event, double ms, std::vector<TracedEvent>* events) {
  if (events->size() >= kMaxTracedEvents) return;
  const KindAndSize described = std::visit(Describe(), event.value);
  events->push_back({ms, described.kind, static_cast<int64_t>(described.size)});
}

std::string TraceJson(const TraceContext& context, const TracedRequest& request,
                      const RequestMeasure& measure, const chat::Reply& reply,
                      const std::vector<TracedEvent>& events) {
  json::Object trace{
      {"format", store::kTraceFormat},
      {"version", store::kTraceVersion},
      {"id", request.id},
      {"started", IsoTime(request.wall_ms)},
      {"anyclaude", context.version},
      {"mode", context.mode},
      {"served_by", measure.served_by()},
      {"model", request.model},
      {"endpoint", request.path},
      {"session", request.session},
      {"agent", request.agent},
      {"outcome", EndingName(measure.ending())},
      {"error",
       measure.error().ok() ? json::Value(nullptr) : json::Value(measure.error().message())},
      {"usage", chat::ToJson(measure.usage())},
      {"times_ms", json::Object{{"accepted", MaybeMs(measure.accepted_ms())},
                                {"first_output", MaybeMs(measure.first_ms())},
                                {"prefill", MaybeMs(measure.prefill_ms())},
                                {"total", Rounded(measure.total_ms())}}},
      {"cost_usd", context.cost ? json::Value(*context.cost) : json::Value(nullptr)}};
  if (measure.diagnosis()) {
    trace["diagnosis"] = json::Object{{"reason", measure.diagnosis()->reason},
                                      {"missed_tokens", measure.diagnosis()->missed_tokens}};
  }
  if (measure.prompt()) trace["prompt"] = chat::ToJson(*measure.prompt());
  if (!measure.notes().empty()) {
    trace["notes"] = json::Array(measure.notes().begin(), measure.notes().end());
  }
  trace["reply"] = ReplyJson(reply);
  trace["events"] = EventsJson(events);
  json::Object headers;
  for (const auto& [name, value] : request.headers) {
    headers[name] = obs::RedactValue(name, value);
  }
  std::string text = json::Write(trace);
  text.pop_back();
  // The body goes in as it came: what the client really sent is the evidence.
  text += ",\"request\":{\"method\":" + json::Quote(request.method) +
          ",\"path\":" + json::Quote(request.path) + ",\"headers\":" + json::Write(headers) +
          ",\"body\":" + request.body + "}}";
  return text;
}

}  // namespace ac::gateway
