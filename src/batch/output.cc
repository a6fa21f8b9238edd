#include "batch/output.h"

#include "json/json.h"

namespace ac::batch {
namespace {

// Both dialects' usage, in Anthropic's meaning: input tokens exclude cached ones.
void ReadUsage(const json::Value& body, Outcome* outcome) {
  const json::Value* usage = json::Find(body, "usage");
  if (usage == nullptr) return;
  const auto read = [&](const char* name) { return json::GetInt(*usage, name).value_or(0); };
  if (json::Find(*usage, "prompt_tokens") == nullptr) {
    outcome->input_tokens = read("input_tokens") + read("cache_creation_input_tokens");
    outcome->cached_tokens = read("cache_read_input_tokens");
    outcome->output_tokens = read("output_tokens");
    return;
  }
  if (const json::Value* details = json::Find(*usage, "prompt_tokens_details")) {
    outcome->cached_tokens = json::GetInt(*details, "cached_tokens").value_or(0);
  }
  outcome->input_tokens = read("prompt_tokens") - outcome->cached_tokens;
  outcome->output_tokens = read("completion_tokens");
}

std::string ChatText(const json::Value& body) {
  const json::Array* choices = json::AsArray(json::Find(body, "choices"));
  if (choices == nullptr || choices->empty()) return {};
  const json::Value* message = json::Find(choices->front(), "message");
  if (message == nullptr) return {};
  return std::string(json::GetString(*message, "content").value_or(""));
}

// `body` is the reply's JSON when it was one; `message` says what went wrong otherwise.
std::string OutputLine(const Item& item, bool ok, int http_status, const json::Value& body,
                       const std::string& message) {
  const json::Object error{{"message", message}};
  switch (item.shape) {
    case Shape::kOpenAiBatch:
      return json::Write(json::Object{
          {"id", "batch_req_" + std::to_string(item.line)},
          {"custom_id", item.custom_id},
          {"response", http_status == 0 ? json::Value(nullptr)
                                        : json::Value(json::Object{
                                              {"status_code", http_status},
                                              {"request_id", json::Find(body, "id") != nullptr
                                                                 ? *json::Find(body, "id")
                                                                 : json::Value(nullptr)},
                                              {"body", body}})},
          {"error", http_status == 0 ? json::Value(error) : json::Value(nullptr)}});
    case Shape::kAnthropicBatch:
    case Shape::kAnthropicBody: {
      json::Object result{{"type", ok ? "succeeded" : "errored"}};
      if (ok) {
        result["message"] = body;
      } else {
        result["error"] = body.is_object() ? body : json::Value(error);
      }
      return json::Write(json::Object{{"custom_id", item.custom_id}, {"result", result}});
    }
    case Shape::kOpenAiBody:
    case Shape::kPrompt: {
      json::Object line{{"custom_id", item.custom_id}};
      if (!ok) {
        line["error"] = error;
      } else if (item.shape == Shape::kPrompt) {
        line["text"] = ChatText(body);
      } else {
        line["response"] = body;
      }
      return json::Write(line);
    }
  }
  return {};
}

// The sentence inside either dialect's error body.
std::string ErrorText(const json::Value& body, int http_status) {
  if (const json::Value* error = json::Find(body, "error")) {
    if (const auto message = json::GetString(*error, "message")) return std::string(*message);
  }
  return "the server answered " + std::to_string(http_status);
}

}  // namespace

Outcome OutcomeOfReply(const Item& item, const http::Response& reply) {
  Outcome outcome;
  const Result<json::Value> parsed = json::Parse(reply.body);
  const json::Value body = parsed.ok() ? *parsed : json::Value(reply.body);
  outcome.ok = reply.status == 200 && parsed.ok() && parsed->is_object();
  if (outcome.ok) ReadUsage(body, &outcome);
  outcome.output = OutputLine(item, outcome.ok, reply.status, body,
                              outcome.ok ? std::string() : ErrorText(body, reply.status));
  return outcome;
}

Outcome OutcomeOfFailure(const Item& item, const Status& status) {
  return {.output = OutputLine(item, false, 0, json::Value(nullptr), status.message())};
}

}  // namespace ac::batch
