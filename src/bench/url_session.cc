#include "bench/url_session.h"

#include <future>
#include <memory>

#include "base/clock.h"
#include "http/sse.h"
#include "http/url.h"

namespace ac::bench {
namespace {

constexpr const char* kWords[] = {
    " file",   " code",   " test",   " line",  " read",  " write", " error", " value",
    " string", " number", " list",   " table", " path",  " name",  " build", " run",
    " start",  " stop",   " check",  " open",  " close", " first", " last",  " next",
    " user",   " server", " client", " cache", " model", " token", " time",  " data"};

// Reads one streamed reply of either API.
class ReplyReader {
 public:
  struct Reply {
    Status status;
    std::string text;
    Nanos first{0};
    Nanos last{0};
    int64_t uncached = -1;
    int64_t cached = -1;
    int64_t output = 0;
  };

  explicit ReplyReader(bool anthropic)
      : anthropic_(anthropic), parser_([this](const http::SseEvent& event) { OnEvent(event); }) {}

  http::CallEvents Events() {
    return {.on_headers = [this](const http::Response& head) { code_ = head.status; },
            .on_data =
                [this](std::string_view bytes) {
                  if (code_ != 200) {
                    error_.append(bytes.substr(0, 500));
                  } else if (Status status = parser_.Feed(bytes); !status.ok()) {
                    reply_.status = status;
                  }
                },
            .on_done = [this](const Status& status) { Done(status); }};
  }
  std::future<Reply> future() { return promise_.get_future(); }

 private:
  void OnEvent(const http::SseEvent& event) {
    if (event.data == "[DONE]") return;
    const auto value = json::Parse(event.data);
    if (!value.ok()) return;
    if (event.event == "error" || json::Find(*value, "error") != nullptr) {
      reply_.status = Status(Code::kUnavailable, "[bench] the server said: " + event.data);
    } else if (anthropic_) {
      OnAnthropic(*value);
    } else {
      OnOpenAi(*value);
    }
  }

  void OnText(std::string_view text) {
    if (text.empty()) return;
    if (reply_.first == Nanos(0)) reply_.first = Clock::Real().Now();
    reply_.text += text;
  }

  void OnAnthropic(const json::Value& value) {
    if (const json::Value* delta = json::Find(value, "delta")) {
      OnText(json::GetString(*delta, "text").value_or(""));
      OnText(json::GetString(*delta, "thinking").value_or(""));
    }
    const json::Value* usage = json::Find(value, "usage");
    if (const json::Value* message = json::Find(value, "message")) {
      usage = json::Find(*message, "usage");
    }
    if (usage == nullptr) return;
    if (const auto input = json::GetInt(*usage, "input_tokens"); input && *input > 0) {
      reply_.uncached = *input + json::GetInt(*usage, "cache_creation_input_tokens").value_or(0);
      reply_.cached = json::GetInt(*usage, "cache_read_input_tokens").value_or(0);
    }
    reply_.output = json::GetInt(*usage, "output_tokens").value_or(reply_.output);
  }

  void OnOpenAi(const json::Value& value) {
    const json::Array* choices = json::AsArray(json::Find(value, "choices"));
    if (choices != nullptr && !choices->empty()) {
      if (const json::Value* delta = json::Find(choices->front(), "delta")) {
        OnText(json::GetString(*delta, "content").value_or(""));
        OnText(json::GetString(*delta, "reasoning_content").value_or(""));
      }
    }
    const json::Value* usage = json::Find(value, "usage");
    if (usage == nullptr) return;
    const auto prompt = json::GetInt(*usage, "prompt_tokens");
    if (!prompt) return;
    const json::Value* details = json::Find(*usage, "prompt_tokens_details");
    const auto cached = details == nullptr ? std::nullopt : json::GetInt(*details, "cached_tokens");
    reply_.cached = cached.value_or(-1);
    reply_.uncached = cached ? *prompt - *cached : -1;
    reply_.output = json::GetInt(*usage, "completion_tokens").value_or(reply_.output);
  }

  void Done(const Status& status) {
    (void)parser_.Finish();
    if (!status.ok()) {
      reply_.status = status;
    } else if (code_ != 200) {
      reply_.status = Status(Code::kUnavailable, "[bench] HTTP " + std::to_string(code_) +
                                                     " from the server: " + error_);
    }
    reply_.last = Clock::Real().Now();
    if (reply_.first == Nanos(0)) reply_.first = reply_.last;
    promise_.set_value(std::move(reply_));
  }

  const bool anthropic_;
  http::SseParser parser_;
  int code_ = 0;
  std::string error_;
  Reply reply_;
  std::promise<Reply> promise_;
};

}  // namespace

Result<std::unique_ptr<UrlSession>> UrlSession::Open(UrlSessionOptions options) {
  AC_RETURN_IF_ERROR(http::Url::Parse(options.url).status());
  while (!options.url.empty() && options.url.back() == '/') options.url.pop_back();
  if (options.url.size() > 3 && options.url.ends_with("/v1")) {
    options.url.resize(options.url.size() - 3);
  }
  std::unique_ptr<UrlSession> session(new UrlSession(std::move(options)));
  if (session->options_.model.empty()) AC_RETURN_IF_ERROR(session->FindModel());
  AC_RETURN_IF_ERROR(session->FindApi());
  return session;
}

http::ClientRequest UrlSession::Post(const std::string& path, const json::Value& body) const {
  http::ClientRequest request{.method = "POST", .url = options_.url + path};
  request.headers.Add("content-type", "application/json");
  request.headers.Add("anthropic-version", "2023-06-01");
  if (!options_.api_key.empty()) {
    request.headers.Add("x-api-key", options_.api_key);
    request.headers.Add("authorization", "Bearer " + options_.api_key);
  }
  request.body = json::Write(body);
  // A cold prompt takes minutes on many machines.
  request.timeouts =
      http::ClientTimeouts{.first_byte = std::chrono::hours(2), .idle = std::chrono::hours(2)};
  return request;
}

Status UrlSession::FindModel() {
  http::ClientRequest request = Post("/v1/models", json::Object());
  request.method = "GET";
  request.body.clear();
  AC_ASSIGN_OR_RETURN(const http::Response response, client_.Fetch(std::move(request)));
  const auto list = json::Parse(response.body);
  const json::Array* models = list.ok() ? json::AsArray(json::Find(*list, "data")) : nullptr;
  const auto id =
      models == nullptr || models->empty() ? std::nullopt : json::GetString(models->front(), "id");
  if (!id) {
    return Status(Code::kNotFound,
                  "[bench] " + options_.url + "/v1/models names no model; name one with --model");
  }
  options_.model = *id;
  return OkStatus();
}

// A server without the Anthropic API answers 404 or 405 there.
Status UrlSession::FindApi() {
  const json::Object probe{
      {"model", options_.model},
      {"max_tokens", 1},
      {"messages", json::Array{json::Object{{"role", "user"}, {"content", "Hello"}}}}};
  AC_ASSIGN_OR_RETURN(const http::Response response, client_.Fetch(Post("/v1/messages", probe)));
  api_ = response.status == 404 || response.status == 405 ? Api::kOpenAi : Api::kAnthropic;
  return OkStatus();
}

std::string UrlSession::Words(int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    state_ = state_ * 1664525u + 1013904223u;
    text += kWords[(state_ >> 8) % std::size(kWords)];
  }
  return text;
}

json::Value UrlSession::Body(int64_t max_tokens) const {
  json::Array messages;
  if (api_ == Api::kOpenAi) {
    messages.push_back(json::Object{{"role", "system"}, {"content", system_}});
  }
  for (size_t i = 0; i < messages_.size(); ++i) {
    messages.push_back(
        json::Object{{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", messages_[i]}});
  }
  json::Object body{{"model", options_.model},
                    {"max_tokens", max_tokens},
                    {"temperature", 0},
                    {"stream", true},
                    {"messages", std::move(messages)}};
  if (api_ == Api::kOpenAi) {
    body["stream_options"] = json::Object{{"include_usage", true}};
  } else {
    // Where the cache has to be asked for.
    body["system"] =
        json::Array{json::Object{{"type", "text"},
                                 {"text", system_},
                                 {"cache_control", json::Object{{"type", "ephemeral"}}}}};
  }
  return body;
}

Result<Turn> UrlSession::Ask(const SessionPlan& plan) {
  if (system_.empty()) system_ = Words(plan.prompt_tokens);
  messages_.push_back(Words(plan.turn_tokens));
  const bool anthropic = api_ == Api::kAnthropic;
  const auto reader = std::make_shared<ReplyReader>(anthropic);
  auto future = reader->future();
  const Nanos start = Clock::Real().Now();
  const http::Call call = client_.Start(
      Post(anthropic ? "/v1/messages" : "/v1/chat/completions", Body(plan.reply_tokens)),
      reader->Events());
  const ReplyReader::Reply reply = future.get();
  if (!reply.status.ok()) return reply.status;
  messages_.push_back(reply.text.empty() ? "." : reply.text);
  return Turn{.ttft_s = Seconds(reply.first - start),
              .total_s = Seconds(reply.last - start),
              .computed = reply.uncached,
              .reused = reply.cached,
              .output_tokens = reply.output};
}

}  // namespace ac::bench
