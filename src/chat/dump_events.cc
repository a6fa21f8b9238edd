#include <utility>

#include "chat/dump.h"
#include "json/json.h"

namespace ac::chat {
namespace {

std::string Str(const json::Value& value, std::string_view key) {
  return std::string(json::GetString(value, key).value_or(""));
}
int64_t Int(const json::Value& value, std::string_view key) {
  return json::GetInt(value, key).value_or(0);
}

json::Array LogprobsToJson(const std::vector<TokenLogprob>& logprobs) {
  json::Array array;
  for (const TokenLogprob& entry : logprobs) {
    json::Array top;
    for (const auto& [token, logprob] : entry.top) top.push_back(json::Array{token, logprob});
    array.push_back(
        json::Object{{"token", entry.token}, {"logprob", entry.logprob}, {"top", std::move(top)}});
  }
  return array;
}

std::vector<TokenLogprob> LogprobsFromJson(const json::Array* array) {
  std::vector<TokenLogprob> logprobs;
  if (array == nullptr) return logprobs;
  for (const json::Value& item : *array) {
    TokenLogprob entry{Str(item, "token"), json::GetDouble(item, "logprob").value_or(0), {}};
    if (const json::Array* top = json::AsArray(json::Find(item, "top"))) {
      for (const json::Value& pair : *top) {
        const json::Array* two = json::AsArray(&pair);
        if (two == nullptr || two->size() != 2) continue;
        entry.top.emplace_back(json::AsString(&(*two)[0]).value_or(""),
                               json::AsDouble(&(*two)[1]).value_or(0));
      }
    }
    logprobs.push_back(std::move(entry));
  }
  return logprobs;
}

Usage UsageFromJson(const json::Value* value) {
  if (value == nullptr) return {};
  return {.input_tokens = Int(*value, "input_tokens"),
          .cache_read = Int(*value, "cache_read"),
          .cache_creation = Int(*value, "cache_creation"),
          .output_tokens = Int(*value, "output_tokens"),
          .thinking_tokens = Int(*value, "thinking_tokens")};
}

// Only the blocks a reply can contain.
Result<Block> ReplyBlockFromJson(const json::Value* value) {
  if (value == nullptr) return InvalidArgument("[chat] event: block_start needs a block");
  const std::string type = Str(*value, "type");
  if (type == "text") return Block{Text{Str(*value, "text")}, ""};
  if (type == "thinking") {
    return Block{Thinking{Str(*value, "text"), Str(*value, "signature")}, ""};
  }
  if (type == "redacted_thinking") return Block{RedactedThinking{Str(*value, "data")}, ""};
  if (type == "tool_use") {
    return Block{ToolUse{Str(*value, "id"), Str(*value, "name"), Str(*value, "input")}, ""};
  }
  if (type == "server_tool_use") {
    return Block{ServerToolUse{Str(*value, "id"), Str(*value, "name"), Str(*value, "input")}, ""};
  }
  if (type == "server_tool_result") {
    return Block{ServerToolResult{Str(*value, "result_type"), Str(*value, "tool_use_id"),
                                  Str(*value, "content")},
                 ""};
  }
  return InvalidArgument("[chat] event: unknown block type '" + type + "'");
}

Status StatusFromJson(const json::Value& value) {
  const std::string name = Str(value, "code");
  for (int code = 1; code <= static_cast<int>(Code::kInternal); ++code) {
    if (CodeName(static_cast<Code>(code)) == name) {
      return Status(static_cast<Code>(code), Str(value, "message"));
    }
  }
  return Internal(Str(value, "message"));
}

struct EventDumper {
  json::Object operator()(const MessageStart& start) const {
    json::Object out{{"event", "message_start"},
                     {"id", start.id},
                     {"model", start.model},
                     {"usage", ToJson(start.usage)}};
    if (!start.served_by.empty()) out["served_by"] = start.served_by;
    if (start.prompt) out["prompt"] = ToJson(*start.prompt);
    if (start.diagnosis.has_value()) {
      out["diagnosis"] = json::Object{{"reason", start.diagnosis->reason},
                                      {"missed_tokens", start.diagnosis->missed_tokens}};
    }
    return out;
  }
  json::Object operator()(const Ping& ping) const {
    json::Object out{{"event", "ping"}};
    if (ping.prompt_total > 0) {
      out["prompt_done"] = ping.prompt_done;
      out["prompt_total"] = ping.prompt_total;
    }
    return out;
  }
  json::Object operator()(const BlockStart& start) const {
    return {{"event", "block_start"}, {"index", start.index}, {"block", ToJson(start.block)}};
  }
  json::Object operator()(const TextDelta& delta) const {
    json::Object out = Delta("text_delta", delta.index, delta.text);
    if (!delta.logprobs.empty()) out["logprobs"] = LogprobsToJson(delta.logprobs);
    return out;
  }
  json::Object operator()(const ThinkingDelta& delta) const {
    return Delta("thinking_delta", delta.index, delta.text);
  }
  json::Object operator()(const SignatureDelta& delta) const {
    return Delta("signature_delta", delta.index, delta.signature);
  }
  json::Object operator()(const ToolArgsDelta& delta) const {
    return Delta("tool_args_delta", delta.index, delta.partial_json);
  }
  json::Object operator()(const BlockStop& stop) const {
    return {{"event", "block_stop"}, {"index", stop.index}};
  }
  json::Object operator()(const MessageDelta& delta) const {
    json::Object out{{"event", "message_delta"},
                     {"stop_reason", StopReasonName(delta.stop_reason)}};
    if (!delta.stop_sequence.empty()) out["stop_sequence"] = delta.stop_sequence;
    out["usage"] = ToJson(delta.usage);
    if (delta.prompt) out["prompt"] = ToJson(*delta.prompt);
    return out;
  }
  json::Object operator()(const MessageStop&) const { return {{"event", "message_stop"}}; }
  json::Object operator()(const Error& error) const {
    json::Object out{{"event", "error"},
                     {"code", CodeName(error.status.code())},
                     {"message", error.status.message()}};
    if (error.retry_after_s != 0) out["retry_after_s"] = error.retry_after_s;
    return out;
  }

  static json::Object Delta(std::string_view event, int index, const std::string& text) {
    return {{"event", event}, {"index", index}, {"text", text}};
  }
};

std::optional<PromptFacts> MaybePromptFacts(const json::Value& event) {
  const json::Value* prompt = json::Find(event, "prompt");
  if (prompt == nullptr) return std::nullopt;
  return PromptFactsFromJson(*prompt);
}

MessageStart MessageStartFromJson(const json::Value& value) {
  MessageStart start{Str(value, "id"), Str(value, "model"),
                     UsageFromJson(json::Find(value, "usage")), std::nullopt};
  start.served_by = Str(value, "served_by");
  start.prompt = MaybePromptFacts(value);
  if (const json::Value* diagnosis = json::Find(value, "diagnosis")) {
    start.diagnosis = CacheDiagnosis{Str(*diagnosis, "reason"), Int(*diagnosis, "missed_tokens")};
  }
  return start;
}

}  // namespace

PromptFacts PromptFactsFromJson(const json::Value& value) {
  const auto number = [](const json::Value& in, const char* key) {
    return json::AsDouble(json::Find(in, key)).value_or(0);
  };
  PromptFacts facts{.from_memory = Int(value, "from_memory"),
                    .from_disk = Int(value, "from_disk"),
                    .computed = Int(value, "computed"),
                    .queue_ms = number(value, "queue_ms"),
                    .restore_ms = number(value, "restore_ms"),
                    .twin_ms = number(value, "twin_ms"),
                    .prefill_ms = number(value, "prefill_ms"),
                    .decode_ms = number(value, "decode_ms"),
                    .divergence = std::nullopt};
  if (const json::Value* found = json::Find(value, "divergence")) {
    facts.divergence = Divergence{.token = Int(*found, "token"),
                                  .lost = Int(*found, "lost"),
                                  .part = Str(*found, "part"),
                                  .before = Str(*found, "before"),
                                  .was = Str(*found, "was"),
                                  .now = Str(*found, "now"),
                                  .seconds = number(*found, "seconds")};
  }
  return facts;
}

json::Value EventToJson(const ChatEvent& event) {
  json::Object out = std::visit(EventDumper{}, event.value);
  if (event.choice != 0) out["choice"] = event.choice;
  return out;
}

Result<ChatEvent> EventFromJson(const json::Value& value) {
  const std::string kind = Str(value, "event");
  const auto index = static_cast<int>(Int(value, "index"));
  ChatEvent event{Ping{Int(value, "prompt_done"), Int(value, "prompt_total")},
                  static_cast<int>(Int(value, "choice"))};
  if (kind == "ping") return event;
  if (kind == "message_start") {
    event.value = MessageStartFromJson(value);
  } else if (kind == "block_start") {
    AC_ASSIGN_OR_RETURN(Block block, ReplyBlockFromJson(json::Find(value, "block")));
    event.value = BlockStart{index, std::move(block)};
  } else if (kind == "text_delta") {
    event.value = TextDelta{index, Str(value, "text"),
                            LogprobsFromJson(json::AsArray(json::Find(value, "logprobs")))};
  } else if (kind == "thinking_delta") {
    event.value = ThinkingDelta{index, Str(value, "text")};
  } else if (kind == "signature_delta") {
    event.value = SignatureDelta{index, Str(value, "text")};
  } else if (kind == "tool_args_delta") {
    event.value = ToolArgsDelta{index, Str(value, "text")};
  } else if (kind == "block_stop") {
    event.value = BlockStop{index};
  } else if (kind == "message_delta") {
    event.value =
        MessageDelta{StopReasonFromName(Str(value, "stop_reason")).value_or(StopReason::kEndTurn),
                     Str(value, "stop_sequence"), UsageFromJson(json::Find(value, "usage")),
                     MaybePromptFacts(value)};
  } else if (kind == "message_stop") {
    event.value = MessageStop{};
  } else if (kind == "error") {
    event.value = Error{StatusFromJson(value), Int(value, "retry_after_s")};
  } else {
    return InvalidArgument("[chat] unknown event '" + kind + "'");
  }
  return event;
}

}  // namespace ac::chat
