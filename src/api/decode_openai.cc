#include <optional>
#include <string>
#include <vector>

#include "api/internal/decoder_base.h"
#include "api/internal/encoders.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {

using namespace ac::chat;  // NOLINT: every name below is one of its events

const json::Array* Arr(const json::Value& value, std::string_view key) {
  return json::AsArray(json::Find(value, key));
}
int64_t Count(const json::Value* value, std::string_view key) {
  return value == nullptr ? 0 : json::GetInt(*value, key).value_or(0);
}

StopReason StopReasonFrom(std::string_view finish_reason) {
  if (finish_reason == "length") return StopReason::kMaxTokens;
  if (finish_reason == "tool_calls" || finish_reason == "function_call") {
    return StopReason::kToolUse;
  }
  if (finish_reason == "content_filter") return StopReason::kRefusal;
  return StopReason::kEndTurn;
}

Usage UsageFrom(const json::Value& value) {
  Usage usage;
  usage.cache_read = Count(json::Find(value, "prompt_tokens_details"), "cached_tokens");
  if (usage.cache_read == 0) usage.cache_read = Count(&value, "prompt_cache_hit_tokens");
  usage.input_tokens = std::max<int64_t>(0, Count(&value, "prompt_tokens") - usage.cache_read);
  usage.output_tokens = Count(&value, "completion_tokens");
  usage.thinking_tokens = Count(json::Find(value, "completion_tokens_details"), "reasoning_tokens");
  return usage;
}

// The token's bytes when the server gives them, else its text.
std::string TokenFrom(const json::Value& entry) {
  const json::Array* bytes = Arr(entry, "bytes");
  if (bytes == nullptr) return std::string(json::StringOrEmpty(entry, "token"));
  std::string token;
  for (const json::Value& byte : *bytes) {
    token += static_cast<char>(json::AsInt(&byte).value_or('?'));
  }
  return token;
}

std::vector<TokenLogprob> LogprobsFrom(const json::Value& choice) {
  std::vector<TokenLogprob> logprobs;
  const json::Value* value = json::Find(choice, "logprobs");
  const json::Array* content = value == nullptr ? nullptr : Arr(*value, "content");
  if (content == nullptr) return logprobs;
  for (const json::Value& item : *content) {
    TokenLogprob entry{TokenFrom(item), json::GetDouble(item, "logprob").value_or(0), {}};
    if (const json::Array* top = Arr(item, "top_logprobs")) {
      for (const json::Value& other : *top) {
        entry.top.emplace_back(TokenFrom(other), json::GetDouble(other, "logprob").value_or(0));
      }
    }
    logprobs.push_back(std::move(entry));
  }
  return logprobs;
}

class ChatDecoder : public DecoderBase {
 public:
  explicit ChatDecoder(const DecoderOptions& options) : DecoderBase(options) {}

 private:
  // The call whose pieces arrive in one choice. A server that names the tool late is waited for.
  struct Call {
    bool begun = false;
    std::optional<int64_t> index;
    std::string id;
    std::string name;
    std::string held_arguments;
  };

  void HandleReply(const json::Value& body) override {
    HandleRecord(body);
    if (builder().started() && !builder().has_stop_reason()) {
      builder().SetStopReason(0, StopReason::kEndTurn);  // left out, but the body is whole
    }
  }

  void HandleRecord(const json::Value& data) override {
    const json::Array* choices = Arr(data, "choices");
    if (choices == nullptr && json::Find(data, "usage") == nullptr) return;
    builder().Start("", json::StringOrEmpty(data, "model"), {});
    if (const json::Value* usage = json::Find(data, "usage"))
      builder().MergeUsage(UsageFrom(*usage));
    if (choices == nullptr) return;
    for (const json::Value& choice : *choices) HandleChoice(choice);
  }

  void HandleChoice(const json::Value& choice) {
    const auto index = static_cast<int>(json::GetInt(choice, "index").value_or(0));
    if (index < 0 || index > kMaxChoices) return;
    const json::Value* delta = json::Find(choice, "delta");
    // Some servers stream whole messages, and a reply that is not streamed is one.
    if (delta == nullptr || !delta->is_object()) delta = json::Find(choice, "message");
    if (delta != nullptr) {
      builder().Thinking(index, json::StringOrEmpty(*delta, "reasoning_content"));
      if (json::Find(*delta, "reasoning_content") == nullptr) {
        builder().Thinking(index, json::StringOrEmpty(*delta, "reasoning"));
      }
      HandleContent(index, json::Find(*delta, "content"), LogprobsFrom(choice));
      if (const json::Array* calls = Arr(*delta, "tool_calls")) {
        for (const json::Value& call : *calls) HandleCall(index, call);
      }
      if (const json::Value* function = json::Find(*delta, "function_call")) {
        HandleFunction(index, std::nullopt, "", *function);
      }
    }
    const std::string_view finish = json::StringOrEmpty(choice, "finish_reason");
    if (finish.empty()) return;
    builder().CloseBlock(index);
    builder().SetStopReason(index, StopReasonFrom(finish));
  }

  void HandleContent(int choice, const json::Value* content, std::vector<TokenLogprob> logprobs) {
    if (const auto text = json::AsString(content)) {
      return builder().Text(choice, *text, std::move(logprobs));
    }
    const json::Array* parts = json::AsArray(content);
    if (parts == nullptr) return;
    for (const json::Value& part : *parts)
      builder().Text(choice, json::StringOrEmpty(part, "text"));
  }

  void HandleCall(int choice, const json::Value& piece) {
    const json::Value* function = json::Find(piece, "function");
    if (function == nullptr) return;
    HandleFunction(choice, json::GetInt(piece, "index"), json::StringOrEmpty(piece, "id"),
                   *function);
  }

  void HandleFunction(int choice, std::optional<int64_t> index, std::string_view id,
                      const json::Value& function) {
    const auto slot = static_cast<size_t>(choice);
    if (calls_.size() <= slot) calls_.resize(slot + 1);
    Call& call = calls_[slot];
    const std::string_view name = json::StringOrEmpty(function, "name");
    if (IsNewCall(call, index, id, name)) call = Call{false, index, std::string(id), "", ""};
    if (call.id.empty()) call.id = id;
    if (!call.index.has_value()) call.index = index;
    if (!call.begun) call.name += name;
    const json::Value* arguments = json::Find(function, "arguments");
    std::string text;
    if (arguments != nullptr && arguments->is_object()) text = json::Write(*arguments);
    if (const auto given = json::AsString(arguments)) text = *given;
    if (!call.begun && !call.name.empty()) {
      call.begun = true;
      builder().BeginCall(choice, call.id, call.name);
      builder().Arguments(choice, call.held_arguments);
    }
    if (call.begun) {
      builder().Arguments(choice, text);
    } else {
      call.held_arguments += text;
    }
  }

  // Servers differ: some number the calls, some only name them, some repeat id and name on every
  // piece, some give every call the index 0.
  static bool IsNewCall(const Call& call, std::optional<int64_t> index, std::string_view id,
                        std::string_view name) {
    const bool other_id = !id.empty() && !call.id.empty() && id != call.id;
    if (index.has_value() && call.index.has_value() && *index != *call.index) return true;
    if (other_id) return true;
    return !index.has_value() && id.empty() && !name.empty() && call.begun;
  }

  static constexpr int kMaxChoices = 1024;
  std::vector<Call> calls_;
};

}  // namespace

std::unique_ptr<EventDecoder> MakeChatDecoder(const DecoderOptions& options) {
  return std::make_unique<ChatDecoder>(options);
}

}  // namespace ac::api::internal
