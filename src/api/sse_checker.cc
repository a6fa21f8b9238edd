#include <map>
#include <string>
#include <vector>

#include "api/codec.h"
#include "api/internal/sse.h"
#include "api/stream_checker.h"
#include "json/json.h"

namespace ac::api {
namespace {

using internal::SseRecord;

constexpr size_t kMaxRecord = size_t{64} << 20;

Status Broken(size_t record, const std::string& what) {
  return DataLoss("[api] record " + std::to_string(record) + ": " + what);
}

// Every record is named, and its name is its type: clients skip records without one.
Status CheckNames(const std::vector<SseRecord>& records) {
  for (size_t i = 0; i < records.size(); ++i) {
    AC_ASSIGN_OR_RETURN(const json::Value data, json::Parse(records[i].data));
    if (records[i].event.empty()) return Broken(i, "has no event name");
    if (records[i].event != json::StringOrEmpty(data, "type")) {
      return Broken(i, "is named " + records[i].event + " but its type is " +
                           std::string(json::StringOrEmpty(data, "type")));
    }
  }
  return OkStatus();
}

// The remote decoder heals what it reads, so indices are compared before it sees them.
Status CheckAnthropicIndices(const std::vector<SseRecord>& records) {
  int64_t next = 0;
  bool open = false;
  for (size_t i = 0; i < records.size(); ++i) {
    AC_ASSIGN_OR_RETURN(const json::Value data, json::Parse(records[i].data));
    const std::string_view type = json::StringOrEmpty(data, "type");
    if (!type.starts_with("content_block")) continue;
    const int64_t index = json::GetInt(data, "index").value_or(-1);
    if (type == "content_block_start") {
      if (open || index != next) return Broken(i, "block " + std::to_string(index) + " starts");
      open = true;
      ++next;
    } else {
      if (!open || index != next - 1)
        return Broken(i, "block " + std::to_string(index) + " is not open");
      open = type != "content_block_stop";
    }
  }
  return OkStatus();
}

Status CheckDecoded(Endpoint endpoint, std::string_view bytes) {
  std::vector<chat::ChatEvent> events;
  const std::unique_ptr<EventDecoder> decoder = MakeEventDecoder(endpoint, {});
  decoder->Feed(bytes, &events);
  decoder->Finish(&events);
  return CheckEvents(events);
}

struct ChatChoice {
  bool has_role = false;
  bool finished = false;
  int64_t calls = 0;
};

Status CheckChatChoice(size_t record, const json::Value& choice, bool needs_role,
                       std::map<int64_t, ChatChoice>* choices) {
  ChatChoice& state = (*choices)[json::GetInt(choice, "index").value_or(-1)];
  if (state.finished) return Broken(record, "comes after the choice's finish_reason");
  const json::Value* delta = json::Find(choice, "delta");
  if (needs_role && !state.has_role) {
    if (delta == nullptr || json::StringOrEmpty(*delta, "role") != "assistant") {
      return Broken(record, "the choice does not begin with its role");
    }
    state.has_role = true;
  }
  const json::Array* calls =
      delta == nullptr ? nullptr : json::AsArray(json::Find(*delta, "tool_calls"));
  for (size_t i = 0; calls != nullptr && i < calls->size(); ++i) {
    const json::Value& call = (*calls)[i];
    const int64_t index = json::GetInt(call, "index").value_or(-1);
    if (index == state.calls) {
      const json::Value* function = json::Find(call, "function");
      if (json::StringOrEmpty(call, "id").empty() || function == nullptr ||
          json::StringOrEmpty(*function, "name").empty()) {
        return Broken(record, "a call begins without id and name");
      }
      ++state.calls;
    } else if (index != state.calls - 1) {
      return Broken(record, "call index " + std::to_string(index) + " is out of order");
    }
  }
  state.finished = !json::StringOrEmpty(choice, "finish_reason").empty();
  return OkStatus();
}

Status CheckChunks(const std::vector<SseRecord>& records, bool needs_role) {
  std::map<int64_t, ChatChoice> choices;
  std::string id;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].data == "[DONE]") {
      if (i + 1 != records.size()) return Broken(i, "[DONE] is not the last record");
      for (const auto& [index, choice] : choices) {
        if (!choice.finished) return Broken(i, "a choice has no finish_reason");
      }
      return OkStatus();
    }
    AC_ASSIGN_OR_RETURN(const json::Value data, json::Parse(records[i].data));
    if (json::Find(data, "error") != nullptr) return OkStatus();
    if (i == 0) id = json::StringOrEmpty(data, "id");
    if (id.empty() || json::StringOrEmpty(data, "id") != id)
      return Broken(i, "the id is missing or changes");
    const json::Array* array = json::AsArray(json::Find(data, "choices"));
    if (array == nullptr) return Broken(i, "has no choices");
    for (const json::Value& choice : *array) {
      AC_RETURN_IF_ERROR(CheckChatChoice(i, choice, needs_role, &choices));
    }
  }
  return DataLoss("[api] the stream does not end with [DONE]");
}

Status CheckResponses(const std::vector<SseRecord>& records) {
  int64_t items = 0;
  bool open = false;
  for (size_t i = 0; i < records.size(); ++i) {
    AC_ASSIGN_OR_RETURN(const json::Value data, json::Parse(records[i].data));
    const std::string& name = records[i].event;
    if (name == "error") return OkStatus();
    if (json::GetInt(data, "sequence_number").value_or(-1) != static_cast<int64_t>(i)) {
      return Broken(i, "the sequence number is wrong");
    }
    if ((name == "response.created") != (i == 0)) return Broken(i, "response.created comes first");
    const bool placed = json::Find(data, "output_index") != nullptr;
    if (placed && json::GetInt(data, "output_index").value_or(-1) != items) {
      return Broken(i, "the output index is wrong");
    }
    if (name == "response.output_item.added") {
      if (open) return Broken(i, "the item before is still open");
      open = true;
    } else if (placed && !open) {
      return Broken(i, "no item is open");
    } else if (name == "response.output_item.done") {
      open = false;
      ++items;
    }
    const bool last =
        name == "response.completed" || name == "response.incomplete" || name == "response.failed";
    if (last != (i + 1 == records.size())) return Broken(i, "the stream ends at the wrong place");
  }
  return records.empty() ? DataLoss("[api] the stream is empty") : OkStatus();
}

}  // namespace

Status CheckSse(Endpoint endpoint, std::string_view bytes) {
  internal::SseParser parser(kMaxRecord);
  std::vector<SseRecord> records;
  AC_RETURN_IF_ERROR(parser.Feed(bytes, &records));
  if (!bytes.ends_with("\n\n")) return DataLoss("[api] the last record is not terminated");
  switch (endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
      AC_RETURN_IF_ERROR(CheckNames(records));
      AC_RETURN_IF_ERROR(CheckAnthropicIndices(records));
      return CheckDecoded(endpoint, bytes);
    case Endpoint::kChatCompletions:
      AC_RETURN_IF_ERROR(CheckChunks(records, true));
      return CheckDecoded(endpoint, bytes);
    case Endpoint::kCompletions:
      return CheckChunks(records, false);
    case Endpoint::kResponses:
      AC_RETURN_IF_ERROR(CheckNames(records));
      return CheckResponses(records);
  }
  return OkStatus();
}

}  // namespace ac::api
