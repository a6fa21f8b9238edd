#include "app/warm.h"

#include <memory>

#include "api/api.h"
#include "app/gateway_settings.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "chat/reply.h"
#include "gateway/stabiliser.h"
#include "json/json.h"

namespace ac::app {
namespace {

// Remembers the reply and lets the caller wait for its end.
class WaitingSink : public chat::ChatSink {
 public:
  void OnEvent(chat::ChatEvent event) override {
    MutexLock lock(mutex_);
    builder_.Apply(event);
    if (builder_.reply().complete || !builder_.reply().error.ok()) changed_.NotifyAll();
  }
  chat::Reply Wait() {
    MutexLock lock(mutex_);
    while (!builder_.reply().complete && builder_.reply().error.ok()) changed_.Wait(mutex_);
    return builder_.Take();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  chat::ReplyBuilder builder_ AC_GUARDED_BY(mutex_);
};

// The dialects differ in where the system prompt and the tools' schemas stand.
bool LooksLikeOpenAi(const json::Object& body) {
  if (const json::Value* tools = body.if_contains("tools"); tools != nullptr && tools->is_array()) {
    for (const json::Value& tool : tools->get_array()) {
      if (tool.is_object()) return tool.get_object().contains("function");
    }
  }
  const json::Value* messages = body.if_contains("messages");
  if (body.contains("system") || messages == nullptr || !messages->is_array()) return false;
  for (const json::Value& message : messages->get_array()) {
    if (!message.is_object()) continue;
    const json::Value* role = message.get_object().if_contains("role");
    if (role == nullptr || !role->is_string()) continue;
    if (role->get_string() == "system" || role->get_string() == "developer") return true;
  }
  return false;
}

Result<chat::ChatRequest> ReadRequest(const std::string& path) {
  AC_ASSIGN_OR_RETURN(const std::string body, ReadFile(FileSystem::Real(), path));
  const Result<json::Value> parsed = json::Parse(body);
  if (!parsed.ok()) return parsed.status().WithPrefix(path);
  if (!parsed->is_object()) {
    return InvalidArgument(path + ": must hold the JSON body of one request");
  }
  const api::Endpoint endpoint = LooksLikeOpenAi(parsed->get_object())
                                     ? api::Endpoint::kChatCompletions
                                     : api::Endpoint::kMessages;
  Result<chat::ChatRequest> request = api::ParseRequest(endpoint, body);
  if (!request.ok()) return request.status().WithPrefix(path);
  return request;
}

}  // namespace

Result<chat::Usage> WarmPrompt(const Config& config, backend::Backend& backend,
                               const std::string& path) {
  AC_ASSIGN_OR_RETURN(chat::ChatRequest request, ReadRequest(path));
  const gateway::GatewayOptions rules = GatewayOptionsFrom(config);
  (void)gateway::Stabilise(rules.stabiliser, &request);
  (void)gateway::Slim(rules.slim, &request);
  request.max_tokens = 1;
  request.n = 1;
  const auto sink = std::make_shared<WaitingSink>();
  const auto call = backend.Start(std::move(request), sink);
  const chat::Reply reply = sink->Wait();
  if (!reply.error.ok()) return reply.error.WithPrefix(path);
  return reply.usage;
}

}  // namespace ac::app
