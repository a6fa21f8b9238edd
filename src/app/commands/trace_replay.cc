// anyclaude trace replay: sends a recorded request again, to a mode or any server, and compares.
#include <fmt/format.h>

#include <cstdio>

#include "api/codec.h"
#include "api/errors.h"
#include "app/commands/all.h"
#include "app/running_server.h"
#include "app/session_report.h"
#include "base/mutex.h"
#include "chat/reply.h"
#include "gateway/request_measure.h"
#include "http/client.h"
#include "json/json.h"
#include "obs/redact.h"
#include "store/ledger.h"
#include "store/prices.h"
#include "store/schema.h"
#include "store/trace_store.h"

namespace ac::app {
namespace {

struct TraceReplayFlags {
  std::string id;
  std::string mode;
  std::string url;
  std::string api_key;
  bool json = false;
};

// One side of the comparison.
struct Answer {
  std::string from;
  std::string outcome;
  std::string error;
  std::optional<double> first_ms;
  double total_ms = 0;
  int64_t computed = 0;
  int64_t reused = 0;
  int64_t output = 0;
  std::optional<double> cost;
  std::string text;
};

// The body as JSON text, and where it was sent.
struct StoredRequest {
  std::string path;
  std::string body;
  api::Endpoint endpoint = api::Endpoint::kMessages;
  std::string model;
};

Result<StoredRequest> ReadRequest(const json::Value& trace) {
  StoredRequest stored;
  stored.path = json::GetString(trace, "endpoint").value_or("");
  stored.model = json::GetString(trace, "model").value_or("");
  const json::Value* request = json::Find(trace, "request");
  const json::Value* body = request == nullptr ? nullptr : json::Find(*request, "body");
  if (body == nullptr) return DataLoss("[trace] the file holds no request body");
  stored.body = json::Write(*body);
  if (stored.path == "/v1/messages") return stored;
  if (stored.path == "/v1/chat/completions") {
    stored.endpoint = api::Endpoint::kChatCompletions;
    return stored;
  }
  return Unsupported("[trace] only /v1/messages and /v1/chat/completions can be replayed, not " +
                     stored.path);
}

std::string BlocksText(const std::vector<chat::Block>& blocks) {
  std::string text;
  for (const chat::Block& block : blocks) {
    if (const auto* said = block.As<chat::Text>()) text += said->text;
    if (const auto* call = block.As<chat::ToolUse>()) text += call->name + "(" + call->input + ")";
  }
  return text;
}

std::string StoredText(const json::Value& trace) {
  std::string text;
  const json::Value* reply = json::Find(trace, "reply");
  const json::Array* choices = reply ? json::AsArray(json::Find(*reply, "choices")) : nullptr;
  if (choices == nullptr || choices->empty()) return text;
  const json::Array* content = json::AsArray(json::Find((*choices)[0], "content"));
  if (content == nullptr) return text;
  for (const json::Value& block : *content) {
    const auto type = json::GetString(block, "type");
    if (type == "text") text += json::GetString(block, "text").value_or("");
    if (type == "tool_use") {
      text += std::string(json::GetString(block, "name").value_or("?")) + "(";
      const json::Value* input = json::Find(block, "input");
      if (input != nullptr) {
        text += input->is_string() ? std::string(input->get_string()) : json::Write(*input);
      }
      text += ")";
    }
  }
  return text;
}

Answer FromRow(const store::RequestRow& row, const json::Value& trace) {
  return {.from = row.served_by + " (recorded)",
          .outcome = row.outcome,
          .error = row.error,
          .first_ms = row.first_ms,
          .total_ms = row.total_ms,
          .computed = row.input_tokens + row.cache_write,
          .reused = row.cache_read,
          .output = row.output_tokens,
          .cost = row.cost,
          .text = StoredText(trace)};
}

// Collects what the client's callbacks bring; they run on its thread.
class Listener {
 public:
  Listener(const StoredRequest& stored, std::string mode)
      : decoder_(api::MakeEventDecoder(stored.endpoint, {.model = stored.model})),
        measure_(Clock::Real().Now(), std::move(mode)) {}

  http::CallEvents Events() {
    return {.on_headers = [this](const http::Response& head) { status_ = head.status; },
            .on_data = [this](std::string_view bytes) { Data(bytes); },
            .on_done = [this](const Status& status) { Done(status); }};
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
  }
  const gateway::RequestMeasure& measure() const { return measure_; }
  const chat::Reply& reply() const { return reply_.reply(); }
  const Status& failure() const { return failure_; }

 private:
  void Data(std::string_view bytes) {
    if (status_ != 200) {
      body_ += bytes;
      return;
    }
    std::vector<chat::ChatEvent> events;
    decoder_->Feed(bytes, &events);
    Apply(events);
  }
  void Done(const Status& status) {
    if (!status.ok()) {
      failure_ = status;
    } else if (status_ != 200) {
      failure_ = api::StatusFromReply(status_, body_);
    } else {
      std::vector<chat::ChatEvent> events;
      decoder_->Finish(&events);
      Apply(events);
      failure_ = reply_.reply().error;
    }
    measure_.End(failure_.ok() ? gateway::Ending::kComplete : gateway::Ending::kFailed,
                 Clock::Real().Now());
    MutexLock lock(mutex_);
    done_ = true;
    changed_.NotifyAll();
  }
  void Apply(const std::vector<chat::ChatEvent>& events) {
    for (const chat::ChatEvent& event : events) {
      measure_.Apply(event, Clock::Real().Now());
      reply_.Apply(event);
    }
  }

  int status_ = 0;
  std::string body_;
  std::unique_ptr<api::EventDecoder> decoder_;
  gateway::RequestMeasure measure_;
  chat::ReplyBuilder reply_;
  Status failure_;
  Mutex mutex_;
  CondVar changed_;
  bool done_ AC_GUARDED_BY(mutex_) = false;
};

Result<Answer> Send(const StoredRequest& stored, const std::string& base,
                    const TraceReplayFlags& flags, const std::string& home) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = base + stored.path;
  request.headers.Add("content-type", "application/json");
  request.headers.Add("anthropic-version", "2023-06-01");
  if (!flags.api_key.empty()) {
    request.headers.Add("x-api-key", flags.api_key);
    request.headers.Add("authorization", "Bearer " + flags.api_key);
  }
  request.body = stored.body;
  const std::string mode = flags.mode.empty() ? "url" : flags.mode;
  Listener listener(stored, mode);
  http::Client client;
  const http::Call call = client.Start(std::move(request), listener.Events());
  listener.Wait();
  const gateway::RequestMeasure& measure = listener.measure();
  const chat::Usage& usage = measure.usage();
  Answer answer{.from = flags.mode.empty() ? base : flags.mode,
                .outcome = std::string(gateway::EndingName(measure.ending())),
                .error = obs::Redact(listener.failure().message()),
                .first_ms = measure.first_ms(),
                .total_ms = measure.total_ms(),
                .computed = usage.input_tokens + usage.cache_creation,
                .reused = usage.cache_read,
                .output = usage.output_tokens};
  if (!listener.reply().choices.empty()) {
    answer.text = BlocksText(listener.reply().choices[0].blocks);
  }
  AC_ASSIGN_OR_RETURN(const store::Prices prices, store::Prices::Load(FileSystem::Real(), home));
  answer.cost = prices.CostOf({.mode = mode,
                               .model = stored.model,
                               .input_tokens = usage.input_tokens,
                               .cache_read = usage.cache_read,
                               .cache_write = usage.cache_creation,
                               .output_tokens = usage.output_tokens,
                               .seconds = measure.total_ms() / 1000});
  return answer;
}

json::Object AsJson(const Answer& answer) {
  return {
      {"from", answer.from},
      {"outcome", answer.outcome},
      {"error", answer.error},
      {"first_output_ms", answer.first_ms ? json::Value(*answer.first_ms) : json::Value(nullptr)},
      {"total_ms", answer.total_ms},
      {"computed_tokens", answer.computed},
      {"reused_tokens", answer.reused},
      {"output_tokens", answer.output},
      {"cost_usd", answer.cost ? json::Value(*answer.cost) : json::Value(nullptr)},
      {"text", answer.text}};
}

void PrintSideBySide(const Answer& then, const Answer& now) {
  const auto line = [](const char* what, const std::string& left, const std::string& right) {
    fmt::print("{:<14} {:<28} {}\n", what, left, right);
  };
  const auto ms = [](const std::optional<double>& value) {
    return value ? DurationText(*value / 1000) : std::string("unknown");
  };
  line("", then.from, now.from);
  line("outcome", then.outcome, now.outcome);
  line("first output", ms(then.first_ms), ms(now.first_ms));
  line("total", ms(then.total_ms), ms(now.total_ms));
  line("computed", Grouped(then.computed), Grouped(now.computed));
  line("reused", Grouped(then.reused), Grouped(now.reused));
  line("output", Grouped(then.output), Grouped(now.output));
  line("cost", then.cost ? CostText(*then.cost, 1, 0) : "unknown",
       now.cost ? CostText(*now.cost, 1, 0) : "unknown");
  if (!now.error.empty()) fmt::print("error          {}\n", now.error);
  if (then.text == now.text) {
    fmt::print("\nThe texts are equal ({} bytes):\n{}\n", then.text.size(), now.text);
  } else {
    fmt::print("\n--- {}\n{}\n--- {}\n{}\n", then.from, then.text, now.from, now.text);
  }
}

Status Run(CommandContext& context, const TraceReplayFlags& flags) {
  Config& config = context.config;
  if (flags.mode.empty() == flags.url.empty()) {
    return InvalidArgument("[trace] say where to send it: --mode M or --url U");
  }
  AC_ASSIGN_OR_RETURN(const auto database, store::OpenState(FileSystem::Real(), config.home()));
  AC_ASSIGN_OR_RETURN(const store::RequestRow row, store::Ledger(*database).Find(flags.id));
  AC_ASSIGN_OR_RETURN(
      const json::Value trace,
      store::TraceStore(FileSystem::Real(), config.home(), {}).Read(row.trace_path));
  AC_ASSIGN_OR_RETURN(const StoredRequest stored, ReadRequest(trace));
  if (stored.body.find(obs::kRedacted) != std::string::npos) {
    fmt::print(stderr, "note: secrets were taken out of this request; the answer may differ\n");
  }
  std::unique_ptr<RunningServer> server;
  std::string base = flags.url;
  if (!flags.mode.empty()) {
    AC_RETURN_IF_ERROR(config.SetFlag("mode", flags.mode));
    AC_RETURN_IF_ERROR(config.SetFlag("port", "0"));
    AC_RETURN_IF_ERROR(config.SetFlag("trace.enabled", "false"));
    AC_RETURN_IF_ERROR(config.SetFlag("reply_cache.policy", "off"));  // it is to be computed
    AC_ASSIGN_OR_RETURN(server, RunningServer::Start(config));
    base = server->facts().url;
  }
  while (base.ends_with('/')) base.pop_back();
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  AC_ASSIGN_OR_RETURN(const Answer now, Send(stored, base, flags, config.home()));
  const Answer then = FromRow(row, trace);
  if (flags.json) {
    fmt::print("{}\n", json::WritePretty(json::Object{{"recorded", AsJson(then)},
                                                      {"replayed", AsJson(now)},
                                                      {"same_text", then.text == now.text}}));
  } else {
    PrintSideBySide(then, now);
  }
  return now.outcome == "complete" ? OkStatus() : Unavailable("[trace] the replay failed");
}

}  // namespace

void RegisterTraceReplay(CLI::App& trace, Action* chosen) {
  auto flags = std::make_shared<TraceReplayFlags>();
  CLI::App* command =
      AddCommand(trace, chosen, "replay", "Send it again and compare time, text and cost",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("ID", flags->id, "Id or its beginning; last: the newest")->required();
  command->add_option("--mode", flags->mode, "Start this mode and ask it");
  command->add_option("--url", flags->url, "Ask the server at this address");
  command->add_option("--api-key", flags->api_key, "Key that the server wants");
  command->add_flag("--json", flags->json, "Print JSON");
}

}  // namespace ac::app
