#include "demo/conversation.h"

#include <future>
#include <memory>

#include "base/clock.h"
#include "demo/stream_reader.h"

namespace ac::demo {
namespace {

constexpr int kMaxRounds = 4;  // of calls within one turn
constexpr int64_t kMaxTokens = 300;

json::Object UserMessage(json::Value content) {
  return {{"role", "user"}, {"content", std::move(content)}};
}

// The call as a person would note it: the name and the first argument.
std::string Shown(const json::Value& call) {
  std::string text(json::GetString(call, "name").value_or("?"));
  const json::Object* const input = json::AsObject(json::Find(call, "input"));
  std::string argument;
  if (input != nullptr && !input->empty()) {
    argument = json::AsString(&input->begin()->value()).value_or("...");
  }
  return text + "(" + argument + ")";
}

}  // namespace

json::Object Conversation::Body() const {
  return {{"model", model_}, {"system", system_}, {"tools", tools_}, {"messages", messages_}};
}

http::ClientRequest Conversation::Post(const std::string& path, const json::Object& body) const {
  http::ClientRequest request{.method = "POST", .url = url_ + path};
  request.headers.Add("content-type", "application/json");
  request.headers.Add("anthropic-version", "2023-06-01");
  request.headers.Add("x-api-key", "local");
  request.body = json::Write(body);
  return request;
}

Result<int64_t> Conversation::CountTokens(const std::string& request) {
  json::Object body = Body();
  body["messages"] = json::Array{UserMessage(json::Value(request))};
  AC_ASSIGN_OR_RETURN(const http::Response response,
                      client_.Fetch(Post("/v1/messages/count_tokens", body)));
  AC_ASSIGN_OR_RETURN(const json::Value reply, json::Parse(response.body));
  const auto count = json::GetInt(reply, "input_tokens");
  if (!count) return Status(Code::kInternal, "[demo] the server counted nothing: " + response.body);
  return *count;
}

Result<Reply> Conversation::Send() {
  json::Object body = Body();
  body["max_tokens"] = kMaxTokens;
  body["temperature"] = 0;
  body["stream"] = true;
  const auto reader = std::make_shared<StreamReader>();
  auto future = reader->future();
  reader->Begin(Clock::Real().Now());
  const http::Call call = client_.Start(Post("/v1/messages", body), reader->Events());
  return future.get();
}

Result<AskedTurn> Conversation::Ask(const std::string& request, const Workshop& workshop) {
  AskedTurn turn{.request = request};
  const Nanos start = Clock::Real().Now();
  messages_.push_back(UserMessage(json::Value(request)));
  for (int round = 0; round < kMaxRounds; ++round) {
    AC_ASSIGN_OR_RETURN(Reply reply, Send());
    json::Array results;
    for (const json::Value& block : reply.content) {
      if (json::GetString(block, "type") == "text") {
        turn.answer = json::GetString(block, "text").value_or("");
      }
      if (json::GetString(block, "type") != "tool_use") continue;
      turn.calls.push_back(Shown(block));
      const json::Value* const input = json::Find(block, "input");
      const ToolResult result =
          workshop.Run(std::string(json::GetString(block, "name").value_or("")),
                       input == nullptr ? json::Value(json::Object()) : *input);
      results.push_back(json::Object{{"type", "tool_result"},
                                     {"tool_use_id", json::GetString(block, "id").value_or("")},
                                     {"is_error", result.is_error},
                                     {"content", result.text}});
    }
    if (!reply.content.empty()) {
      messages_.push_back(json::Object{{"role", "assistant"}, {"content", reply.content}});
    }
    if (round == 0) turn.first = std::move(reply);
    if (results.empty()) break;
    messages_.push_back(UserMessage(std::move(results)));
  }
  turn.total_s = Seconds(Clock::Real().Now() - start);
  return turn;
}

}  // namespace ac::demo
