#include "modes/fake_server.h"

#include "http/sse.h"
#include "support/http_server.h"

namespace ac::testing {
namespace {

struct FakeCall {
  std::string id;
  std::string name;
  std::string arguments;
};

// What the "model" says: the same for every dialect.
struct FakeReply {
  std::string thinking;
  std::string text;
  std::vector<FakeCall> calls;
};

FakeReply ReplyTo(const std::string& wish) {
  if (wish.find("two tools") != std::string::npos) {
    return {"",
            "Both.",
            {{"call_aaaaaaaa1", "Bash", R"({"command":"ls -l"})"},
             {"call_aaaaaaaa2", "Read", R"({"path":"/a \"b\""})"}}};
  }
  if (wish.find("a tool") != std::string::npos) {
    return {"", "I look.", {{"call_aaaaaaaa1", "Bash", R"({"command":"ls -l"})"}}};
  }
  if (wish.find("think") != std::string::npos) return {"Hm, hm.", "42.", {}};
  return {"", "Hello \xC3\xA4 world.", {}};
}

std::string TextOf(const json::Value& content) {
  if (content.is_string()) return std::string(content.get_string());
  std::string text;
  if (const json::Array* parts = content.if_array()) {
    for (const json::Value& part : *parts) {
      text += json::GetString(part, "text").value_or("");
      if (const json::Value* inner = json::Find(part, "content")) text += TextOf(*inner);
    }
  }
  return text;
}

std::string LastWords(const json::Value& body) {
  const json::Array* messages = json::AsArray(json::Find(body, "messages"));
  if (messages == nullptr || messages->empty()) return "";
  const json::Value* content = json::Find(messages->back(), "content");
  return content == nullptr ? "" : TextOf(*content);
}

std::string AsModelSyntax(const std::vector<FakeCall>& calls) {
  std::string text;
  for (const FakeCall& call : calls) {
    text += "\n<tool_call>\n{\"name\": \"" + call.name + "\", \"arguments\": " + call.arguments +
            "}\n</tool_call>";
  }
  return text;
}

json::Object OpenAiUsage() {
  return {{"prompt_tokens", 120},
          {"completion_tokens", 9},
          {"prompt_tokens_details", json::Object{{"cached_tokens", 100}}}};
}

class OpenAiWriter {
 public:
  explicit OpenAiWriter(const FakeProfile& profile) : profile_(profile) {}

  std::string Stream(FakeReply reply) {
    Delta({{"role", "assistant"}, {"content", ""}});
    if (!reply.thinking.empty()) Delta({{profile_.reasoning_field, reply.thinking}});
    if (profile_.calls_as_text) reply.text += AsModelSyntax(std::exchange(reply.calls, {}));
    for (size_t i = 0; i < reply.text.size(); i += 7) {
      std::string piece = reply.text.substr(i, 7);
      if (piece.find('\xC3') != std::string::npos) {  // never half a character
        piece = reply.text.substr(i);
        i = reply.text.size();
      }
      Delta({{"content", piece}});
    }
    for (size_t i = 0; i < reply.calls.size(); ++i) Call(i, reply.calls[i]);
    const bool called = !reply.calls.empty() && !profile_.stop_after_calls;
    Chunk({{"index", 0},
           {"delta", json::Object()},
           {"finish_reason", called ? "tool_calls" : "stop"}});
    if (!profile_.no_usage) {
      Write({{"object", "chat.completion.chunk"},
             {"choices", json::Array()},
             {"usage", OpenAiUsage()}});
    }
    if (!profile_.no_done) out_ += "data: [DONE]\n\n";
    return std::move(out_);
  }

  std::string Plain(const FakeReply& reply) const {
    json::Object message{{"role", "assistant"}, {"content", reply.text}};
    json::Array calls;
    for (const FakeCall& call : reply.calls) calls.push_back(CallJson(0, call, call.arguments));
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
    json::Object choice{{"index", 0},
                        {"message", std::move(message)},
                        {"finish_reason", reply.calls.empty() ? "stop" : "tool_calls"}};
    return json::Write(json::Object{{"object", "chat.completion"},
                                    {"model", "fake"},
                                    {"choices", json::Array{std::move(choice)}},
                                    {"usage", OpenAiUsage()}});
  }

 private:
  json::Object CallJson(size_t index, const FakeCall& call, const std::string& arguments) const {
    json::Object function{{"name", call.name}};
    function["arguments"] =
        profile_.object_arguments ? json::Parse(arguments).value() : json::Value(arguments);
    json::Object out{{"type", "function"}, {"function", std::move(function)}};
    if (!profile_.no_call_index) out["index"] = profile_.same_index ? 0 : index;
    if (!profile_.no_call_id) out["id"] = call.id;
    return out;
  }

  void Call(size_t index, const FakeCall& call) {
    if (profile_.whole_calls || profile_.object_arguments) {
      return Delta({{"tool_calls", json::Array{CallJson(index, call, call.arguments)}}});
    }
    Delta({{"tool_calls", json::Array{CallJson(index, call, "")}}});
    for (size_t i = 0; i < call.arguments.size(); i += 5) {
      Delta({{"tool_calls",
              json::Array{json::Object{
                  {"index", index},
                  {"function", json::Object{{"arguments", call.arguments.substr(i, 5)}}}}}}});
    }
  }

  void Delta(json::Object delta) {
    Chunk({{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", nullptr}});
  }
  void Chunk(json::Object choice) {
    Write({{"object", "chat.completion.chunk"},
           {"model", "fake"},
           {"choices", json::Array{std::move(choice)}}});
  }
  void Write(const json::Object& record) {
    if (profile_.comments) out_ += ": PROCESSING\n\n";
    out_ += http::FormatSse("", json::Write(record));
  }

  const FakeProfile& profile_;
  std::string out_;
};

class AnthropicWriter {
 public:
  std::string Stream(const FakeReply& reply) {
    Write({{"type", "message_start"},
           {"message", json::Object{{"id", "msg_fake0000001"},
                                    {"type", "message"},
                                    {"role", "assistant"},
                                    {"model", "fake"},
                                    {"content", json::Array()},
                                    {"usage", json::Object{{"input_tokens", 20},
                                                           {"cache_read_input_tokens", 100},
                                                           {"output_tokens", 1}}}}}});
    if (!reply.thinking.empty()) {
      Block({{"type", "thinking"}, {"thinking", ""}},
            {{"type", "thinking_delta"}, {"thinking", reply.thinking}});
    }
    Block({{"type", "text"}, {"text", ""}}, {{"type", "text_delta"}, {"text", reply.text}});
    for (const FakeCall& call : reply.calls) {
      Block({{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", json::Object()}},
            {{"type", "input_json_delta"}, {"partial_json", call.arguments}});
    }
    Write({{"type", "message_delta"},
           {"delta", json::Object{{"stop_reason", reply.calls.empty() ? "end_turn" : "tool_use"}}},
           {"usage", json::Object{{"output_tokens", 9}}}});
    Write({{"type", "message_stop"}});
    return std::move(out_);
  }

 private:
  void Block(json::Object block, json::Object delta) {
    Write(
        {{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}});
    Write({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
    Write({{"type", "content_block_stop"}, {"index", index_++}});
  }
  void Write(const json::Object& record) {
    out_ += http::FormatSse(json::GetString(record, "type").value_or(""), json::Write(record));
  }
  int index_ = 0;
  std::string out_;
};

}  // namespace

FakeProfile ProfileOf(std::string_view mode) {
  FakeProfile p{.mode = std::string(mode)};
  if (mode == "lmstudio") p.calls_as_text = true;
  if (mode == "ollama") p.whole_calls = p.same_index = true;
  if (mode == "ollama" || mode == "openrouter") p.reasoning_field = "reasoning";
  if (mode == "llama.cpp") p.refuses_patterns = true;
  if (mode == "vllm" || mode == "claude") p.anthropic = true;
  if (mode == "tensorrt-llm") p.no_done = true;
  if (mode == "mlx-lm") p.whole_calls = p.no_call_index = p.no_call_id = true;
  if (mode == "mlx-omni") p.whole_calls = p.stop_after_calls = true;
  if (mode == "mlx-textgen") p.plain_with_tools = p.no_usage = true;
  if (mode == "vllm-mlx") p.calls_as_text = p.stop_after_calls = true;
  if (mode == "openai") p.refuses_max_tokens = true;
  if (mode == "openrouter") p.comments = true;
  if (mode == "gemini") p.whole_calls = p.array_errors = p.same_index = true;
  if (mode == "custom") p.object_arguments = p.no_call_index = true;
  p.needs_key = mode == "openai" || mode == "openrouter" || mode == "gemini" || mode == "claude";
  return p;
}

FakeServer::FakeServer(FakeProfile profile)
    : profile_(std::move(profile)),
      server_(Serve([this](const http::Request& request, const ExchangePtr& exchange) {
        Handle(request, exchange);
      })) {}

FakeServer::~FakeServer() {
  {
    MutexLock lock(mutex_);
    hanging_.clear();
  }
  server_.reset();
}

std::string FakeServer::base_url() const { return server_->url() + "/v1"; }

std::vector<json::Value> FakeServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

void FakeServer::FailNext(int count, int status, std::string body, http::Headers headers) {
  MutexLock lock(mutex_);
  fail_next_ = count;
  failure_ = http::Response::Make(status, "application/json", std::move(body));
  for (const auto& [name, value] : headers) failure_.headers.Add(name, value);
}

void FakeServer::Handle(const http::Request& request, const ExchangePtr& exchange) {
  const bool has_key = request.headers.Get("authorization") == "Bearer key-123" ||
                       request.headers.Get("x-api-key") == "key-123" ||
                       request.headers.Get("x-goog-api-key") == "key-123";
  if (profile_.needs_key && !has_key) return RespondError(exchange, 401, "invalid api key");
  if (request.method == "GET" || request.path.starts_with("/api/")) {
    return HandleInfo(request, exchange);
  }
  const bool right = request.path == (profile_.anthropic ? "/v1/messages" : "/v1/chat/completions");
  if (!right) return RespondError(exchange, 404, "no such path");
  Generate(request, exchange);
}

void FakeServer::HandleInfo(const http::Request& request, const ExchangePtr& exchange) const {
  const auto respond = [&](const char* body) {
    exchange->Respond(http::Response::Make(200, "application/json", body));
  };
  if (profile_.mode == "lmstudio" && request.path == "/api/v0/models") {
    return respond(R"({"data":[{"id":"emb","type":"embeddings","state":"loaded"},
      {"id":"other","type":"llm","state":"not-loaded","max_context_length":9},
      {"id":"fake","type":"llm","state":"loaded","max_context_length":262144,
       "loaded_context_length":65536}]})");
  }
  if (profile_.mode == "ollama" && request.path == "/api/ps") {
    return respond(R"({"models":[{"name":"fake","model":"fake","context_length":65536}]})");
  }
  if (profile_.mode == "llama.cpp" && request.path == "/props") {
    return respond(R"({"default_generation_settings":{"n_ctx":65536}})");
  }
  if (request.path != "/v1/models") return RespondError(exchange, 404, "no such path");
  if (profile_.mode == "gemini" && request.QueryParam("pageSize").has_value()) {
    return respond(R"({"models":[{"name":"models/fake","inputTokenLimit":65536}]})");
  }
  if (profile_.mode == "openrouter") {
    return respond(R"({"data":[{"id":"fake","context_length":65536,
      "top_provider":{"max_completion_tokens":8192}}]})");
  }
  if (profile_.mode == "ollama" || profile_.mode == "openai" || profile_.mode == "mlx-lm") {
    return respond(R"({"object":"list","data":[{"id":"fake","object":"model"}]})");
  }
  respond(R"({"object":"list","data":[{"id":"fake","object":"model","max_model_len":65536}]})");
}

void FakeServer::RespondError(const ExchangePtr& exchange, int status,
                              const std::string& text) const {
  json::Value error =
      json::Object{{"error", json::Object{{"message", text}, {"code", status}, {"type", "error"}}}};
  if (profile_.array_errors) error = json::Array{error};
  exchange->Respond(http::Response::Make(status, "application/json", json::Write(error)));
}

bool FakeServer::Refuses(const json::Value& body, const ExchangePtr& exchange) const {
  if (profile_.refuses_max_tokens && json::Find(body, "max_tokens") != nullptr) {
    RespondError(exchange, 400,
                 "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                 "'max_completion_tokens' instead.");
    return true;
  }
  const json::Value* tools = json::Find(body, "tools");
  if (profile_.refuses_patterns && tools != nullptr &&
      json::Write(*tools).find("\"pattern\"") != std::string::npos) {
    RespondError(exchange, 400, "failed to parse grammar");
    return true;
  }
  return false;
}

void FakeServer::Generate(const http::Request& request, const ExchangePtr& exchange) {
  const Result<json::Value> body = json::Parse(request.body);
  if (!body.ok()) return RespondError(exchange, 400, "not JSON");
  {
    MutexLock lock(mutex_);
    requests_.push_back(*body);
    if (fail_next_ > 0) {
      --fail_next_;
      return exchange->Respond(failure_);
    }
  }
  if (Refuses(*body, exchange)) return;
  Answer(*body, LastWords(*body), exchange);
}

void FakeServer::Answer(const json::Value& body, const std::string& wish,
                        const ExchangePtr& exchange) {
  if (wish.find("web page") != std::string::npos) {
    return exchange->Respond(
        http::Response::Make(502, "text/html", "<html><h1>Bad gateway</h1></html>"));
  }
  if (wish.find("refuse") != std::string::npos) return RespondError(exchange, 400, "I refuse that");
  if (wish.find("break") != std::string::npos) return RespondError(exchange, 500, "it broke");
  FakeReply reply = ReplyTo(wish);
  const bool tools = json::Find(body, "tools") != nullptr;
  if (profile_.plain_with_tools && tools) {
    return exchange->Respond(
        http::Response::Make(200, "application/json", OpenAiWriter(profile_).Plain(reply)));
  }
  const std::string bytes =
      profile_.anthropic ? AnthropicWriter().Stream(reply) : OpenAiWriter(profile_).Stream(reply);
  exchange->StartStream(200, {{"content-type", "text/event-stream"}});
  if (wish.find("cut") != std::string::npos || wish.find("hang") != std::string::npos) {
    // In the middle of the event that carries the text.
    exchange->Write(bytes.substr(0, bytes.find("Hello") + 3));
    if (wish.find("cut") != std::string::npos) return exchange->Abort();
    exchange->OnClientGone([this] { ++client_left_; });
    MutexLock lock(mutex_);
    hanging_.push_back(exchange);
    return;
  }
  for (size_t i = 0; i < bytes.size(); i += 41) exchange->Write(bytes.substr(i, 41));
  exchange->Finish();
}

}  // namespace ac::testing
