// scripted_server SCRIPT [HOME]: the server with a scripted model, for tests with real clients.
//
// Says where it listens, then prints one JSON line for each reply that ended: what was asked for
// and exactly which tokens were computed. Ends when its standard input does.
#include <cstdio>
#include <string>

#include "backend/local_backend.h"
#include "base/file_system.h"
#include "gateway/gateway.h"
#include "json/json.h"
#include "scripted/scripted_model.h"
#include "support/chatml_tokenizer.h"

namespace ac::testing {
namespace {

// Like the templates of thinking models: thoughts are shown in the last turn only, and the next
// reply's are opened. Calls are written as Hermes models do.
constexpr const char* kTemplate = R"jinja(
{%- set offset = 1 if messages[0].role == 'system' else 0 -%}
{{- '<|im_start|>system\n' + (messages[0].content if offset else 'You are a test.') -}}
{%- if tools -%}
  {{- '\n<tools>\n' -}}
  {%- for tool in tools -%}{{- tool | tojson + '\n' -}}{%- endfor -%}
  {{- '</tools>\nCall with <tool_call>{"name": ..., "arguments": {...}}</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- for turn in messages[offset:] -%}
  {%- if turn.role == 'system' -%}
    {{- raise_exception('System message must be at the beginning.') -}}
  {%- elif turn.role == 'tool' -%}
    {{- '<|im_start|>user\n<tool_response>\n' + turn.content + '\n</tool_response><|im_end|>\n' -}}
  {%- else -%}
    {{- '<|im_start|>' + turn.role + '\n' -}}
    {%- if turn.role == 'assistant' and loop.last and turn.reasoning_content -%}
      {{- '<think>\n' + turn.reasoning_content + '\n</think>\n\n' -}}
    {%- endif -%}
    {{- turn.content or '' -}}
    {%- for call in turn.tool_calls or [] -%}
      {{- '<tool_call>\n{"name": ' + call.function.name | tojson -}}
      {{- ', "arguments": ' + call.function.arguments | tojson + '}\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n<think>\n' -}}{%- endif -%}
)jinja";
constexpr const char* kOpening = "<|im_start|>assistant\n<think>\n";

void PrintLine(const json::Value& value) {
  std::printf("%s\n", json::Write(value).c_str());
  std::fflush(stdout);
}

class PrintingObserver : public gateway::RequestObserver {
 public:
  class Watch : public gateway::RequestWatch {
   public:
    explicit Watch(json::Object line) : line_(std::move(line)) {}
    void OnEvent(const chat::ChatEvent& event, Nanos) override {
      if (const auto* start = event.As<chat::MessageStart>()) Note(start->usage);
      if (const auto* delta = event.As<chat::MessageDelta>()) Note(delta->usage);
      if (const auto* error = event.As<chat::Error>()) line_["error"] = error->status.message();
    }
    void OnEnd(gateway::Ending ending, Nanos) override {
      line_["ending"] = static_cast<int>(ending);
      PrintLine(line_);
    }

   private:
    void Note(const chat::Usage& usage) {
      line_["input"] = usage.input_tokens;
      line_["cached"] = usage.cache_read;
      line_["output"] = usage.output_tokens;
    }
    json::Object line_;
  };
  std::unique_ptr<gateway::RequestWatch> OnStarted(const gateway::ObservedRequest& asked) override {
    return std::make_unique<Watch>(json::Object{{"model", asked.chat.model},
                                                {"stream", asked.chat.stream},
                                                {"tools", asked.chat.tools.size()},
                                                {"messages", asked.chat.messages.size()},
                                                {"session", asked.chat.metadata.session_id},
                                                {"agent", asked.chat.metadata.agent_id}});
  }
};

int Fail(const Status& status) {
  std::fprintf(stderr, "scripted_server: %s\n", status.ToString().c_str());
  return 1;
}

int Serve(const std::string& script_path, const std::string& home) {
  const Result<std::string> text = ReadFile(FileSystem::Real(), script_path);
  if (!text.ok()) return Fail(text.status());
  const Result<Script> script = ParseScript(*text);
  if (!script.ok()) return Fail(script.status());
  const auto tokenizer = MakeChatMlTokenizer();
  ScriptedModel model(*script, *tokenizer, kOpening);
  auto pages = kv::PagePool::Create(ScriptedModel::Layout(), 4 * script->context_length / 16);
  if (!pages.ok()) return Fail(pages.status());
  engine::Engine engine(model, *tokenizer, std::move(pages).value(), {.max_step_tokens = 4096});
  auto prompts = prompt::PromptBuilder::Create(*tokenizer, kTemplate, "");
  if (!prompts.ok()) return Fail(prompts.status());
  backend::LocalOptions options{.model_id = "scripted", .display_name = "Scripted"};
  if (!home.empty()) options.turn_log_folder = JoinPath(home, "turns");
  backend::LocalBackend local(engine, *tokenizer, std::move(prompts).value(), options);
  PrintingObserver observer;
  gateway::Gateway gateway(
      {.access = {"", "127.0.0.1"}, .observers = {&observer}, .check_streams = true}, local);
  auto server =
      http::Server::Create({.error_body = &gateway::Gateway::WordError},
                           [&](http::Request request, std::shared_ptr<http::Exchange> exchange) {
                             gateway.Handle(std::move(request), std::move(exchange));
                           });
  if (!server.ok()) return Fail(server.status());
  std::printf("Serving at %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  (*server)->Shutdown(std::chrono::milliseconds(500));
  if (gateway::StreamGuard::violations() == 0) return 0;
  return Fail(Internal("a stream broke a rule of its protocol"));
}

}  // namespace
}  // namespace ac::testing

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: scripted_server SCRIPT [HOME]\n");
    return 2;
  }
  return ac::testing::Serve(argv[1], argc > 2 ? argv[2] : "");
}
