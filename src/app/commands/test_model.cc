// anyclaude test-model: does what answers in this mode do what an agent needs?
//
// Starts the server on a free port and asks it as a client would: a reply, a stream, tool calls.
// Every number is measured; a check that the model cannot pass is named with what it said.
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/stream_checker.h"
#include "app/commands/all.h"
#include "app/running_server.h"
#include "base/clock.h"
#include "http/client.h"
#include "json/json.h"

namespace ac::app {
namespace {

struct TestModelFlags {
  std::string mode;
  std::string model;
  int calls = 5;
};

// Bounded, so that a model that never ends a text by itself can still be held to a whole call.
constexpr std::string_view kTool =
    R"([{"name":"read_file","description":"Reads a file and returns its text","input_schema":)"
    R"({"type":"object","properties":{"path":{"type":"string","maxLength":60}},)"
    R"("required":["path"],"additionalProperties":false}}])";

class Examiner {
 public:
  explicit Examiner(RunningServer& server, const Config& config) : server_(server) {
    headers_ = {{"content-type", "application/json"}};
    if (!config.Text("api_key").empty()) headers_.Add("x-api-key", config.Text("api_key"));
  }

  Result<std::string> Ask(std::string_view more) {
    const std::string& model = server_.facts().model;
    const std::string body = fmt::format(R"({{"model":{},"max_tokens":400,{}}})",
                                         json::Quote(model.empty() ? "default" : model), more);
    const Nanos begin = Clock::Real().Now();
    AC_ASSIGN_OR_RETURN(const http::Response reply,
                        client_.Fetch({.method = "POST",
                                       .url = server_.facts().url + "/v1/messages",
                                       .headers = headers_,
                                       .body = body}));
    seconds_ = Seconds(Clock::Real().Now() - begin);
    if (reply.status == 200) return reply.body;
    return Unavailable(fmt::format("HTTP {}: {}", reply.status, reply.body.substr(0, 300)));
  }
  double seconds() const { return seconds_; }

 private:
  RunningServer& server_;
  http::Client client_{{.proxy = http::ProxyConfig{}}};
  http::Headers headers_;
  double seconds_ = 0;
};

std::string Question(std::string_view text) {
  return R"("messages":[{"role":"user","content":)" + json::Quote(text) + "}]";
}

// What is wrong with the reply's tool call; nothing when it is one of our tool with a path.
std::optional<std::string> ProblemOfCall(const std::string& body) {
  const Result<json::Value> reply = json::Parse(body);
  if (!reply.ok()) return reply.status().message();
  const json::Array* content = json::AsArray(json::Find(*reply, "content"));
  for (size_t i = 0; content != nullptr && i < content->size(); ++i) {
    const json::Value& block = (*content)[i];
    if (json::GetString(block, "type") != "tool_use") continue;
    if (json::GetString(block, "name") != "read_file") return "it called another tool";
    const json::Value* input = json::Find(block, "input");
    const bool good = input != nullptr && json::GetString(*input, "path").has_value();
    return good ? std::nullopt : std::optional<std::string>("its call has no path");
  }
  return "it called no tool";
}

void Print(std::string_view check, bool good, const std::string& detail) {
  fmt::print("{:<6} {:<28} {}\n", good ? "ok" : "FAILED", check, detail);
}

bool CheckReply(Examiner* examiner) {
  const auto reply = examiner->Ask(Question("Say hello in one word."));
  Print("a whole reply", reply.ok(),
        reply.ok() ? fmt::format("{:.2f} s", examiner->seconds()) : reply.status().message());
  return reply.ok();
}

bool CheckStream(Examiner* examiner) {
  const auto reply = examiner->Ask(R"("stream":true,)" + Question("Count to five."));
  const Status status =
      reply.ok() ? api::CheckSse(api::Endpoint::kMessages, *reply) : reply.status();
  Print("a stream that keeps the rules", status.ok(),
        status.ok() ? fmt::format("{:.2f} s", examiner->seconds()) : status.message());
  return status.ok();
}

// `required`: the request says that a tool must be called.
bool CheckCalls(Examiner* examiner, int count, bool required) {
  int good = 0;
  std::string problem;
  for (int i = 0; i < count; ++i) {
    const auto reply = examiner->Ask(fmt::format(
        R"("tools":{},"tool_choice":{{"type":"{}"}},{})", kTool, required ? "any" : "auto",
        Question(fmt::format("Read the file notes-{}.txt with your tool.", i))));
    const std::optional<std::string> wrong =
        reply.ok() ? ProblemOfCall(*reply) : std::optional(reply.status().message());
    if (!wrong.has_value()) {
      ++good;
    } else {
      problem = *wrong;
    }
  }
  const bool all = good == count;
  Print(required ? "tool calls when it must" : "tool calls when it should", all,
        fmt::format("{} of {} valid{}", good, count, all ? "" : "; last: " + problem));
  return all;
}

Status Run(CommandContext& context, const TestModelFlags& flags) {
  Config& config = context.config;
  if (!flags.mode.empty()) AC_RETURN_IF_ERROR(config.SetFlag("mode", flags.mode));
  if (!flags.model.empty()) {
    const bool local = config.Text("mode") == "local";
    AC_RETURN_IF_ERROR(config.SetFlag(local ? "model" : "upstream.model", flags.model));
  }
  AC_RETURN_IF_ERROR(config.SetFlag("port", "0"));
  AC_ASSIGN_OR_RETURN(const auto server, RunningServer::Start(config));
  const ServerFacts& facts = server->facts();
  fmt::print("Testing {} {}\n", facts.title, facts.model);
  if (!facts.warning.empty()) fmt::print(stderr, "warning: {}\n", facts.warning);
  Examiner examiner(*server, config);
  bool good = CheckReply(&examiner);
  good = CheckStream(&examiner) && good;
  good = CheckCalls(&examiner, flags.calls, /*required=*/true) && good;
  // A model of noise cannot want a tool: that is no fault of what serves it.
  const bool wants_tools = CheckCalls(&examiner, flags.calls, /*required=*/false);
  server->Stop(std::chrono::milliseconds(0));
  if (!good) return Unavailable("[test-model] an agent would not work with this model");
  if (!wants_tools) fmt::print("It serves, but do not expect it to use tools by itself.\n");
  return OkStatus();
}

}  // namespace

void RegisterTestModel(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<TestModelFlags>();
  CLI::App* command =
      AddCommand(app, chosen, "test-model", "Ask a model for a reply, a stream and tool calls",
                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--mode", flags->mode, "Who answers; as in anyclaude serve");
  AddModelOption(command, &flags->model);
  command->add_option("--calls", flags->calls, "Tool calls to ask for (5)")
      ->check(CLI::PositiveNumber);
}

}  // namespace ac::app
