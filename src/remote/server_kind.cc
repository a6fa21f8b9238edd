#include "remote/server_kind.h"

#include <algorithm>
#include <array>

namespace ac::remote {
namespace {

using api::Endpoint;

// What most programs that run one model on one machine have in common: their templates insist that
// system messages come first, and tool calls get lost in the text when the model slips.
constexpr Quirks kLocal{.calls_as_text = true};

constexpr Quirks With(Quirks quirks, bool Quirks::*flag) {
  quirks.*flag = true;
  return quirks;
}

constexpr std::array kKinds = {
    ServerKind{.mode = "lmstudio",
               .title = "LM Studio",
               .default_url = "http://127.0.0.1:1234/v1",
               .variables = "LMSTUDIO",
               .max_concurrent = 4,
               .probe_path = "/api/v0/models",
               .probe_mark = "\"state\"",
               .context = ContextSource::kLmStudio,
               .start_hint = "start it with: lms server start",
               .quirks = With(With(kLocal, &Quirks::schema_subset), &Quirks::reasoning_content)},
    ServerKind{.mode = "ollama",
               .title = "Ollama",
               .default_url = "http://127.0.0.1:11434/v1",
               .variables = "OLLAMA",
               .max_concurrent = 4,
               .probe_path = "/",
               .probe_mark = "Ollama is running",
               .context = ContextSource::kOllama,
               .start_hint = "start it with: ollama serve",
               .quirks = With(With(With(kLocal, &Quirks::truncates), &Quirks::schema_subset),
                              &Quirks::reasoning_content)},
    ServerKind{.mode = "llama.cpp",
               .title = "llama.cpp",
               .default_url = "http://127.0.0.1:8080/v1",
               .variables = "LLAMACPP LLAMA_CPP",
               .max_concurrent = 4,
               .probe_path = "/props",
               .probe_mark = "default_generation_settings",
               .context = ContextSource::kLlamaCpp,
               .start_hint = "start it with: llama-server --jinja -m MODEL.gguf",
               .quirks = With(With(kLocal, &Quirks::schema_subset), &Quirks::reasoning_content)},
    ServerKind{.mode = "vllm-mlx",
               .title = "vllm-mlx",
               .default_url = "http://127.0.0.1:8000/v1",
               .variables = "VLLM_MLX",
               .max_concurrent = 8,
               .probe_path = "/v1/models",
               .probe_mark = "\"vllm-mlx\"",
               .start_hint = "start it with: vllm-mlx serve MODEL",
               .quirks = With(kLocal, &Quirks::reasoning_content)},
    // Its /v1/messages keeps system messages where they stand and reports cached tokens at once.
    ServerKind{.mode = "vllm",
               .title = "vLLM",
               .default_url = "http://127.0.0.1:8000/v1",
               .endpoint = Endpoint::kMessages,
               .variables = "VLLM",
               .max_concurrent = 64,
               .probe_path = "/v1/models",
               .probe_mark = "\"vllm\"",
               .start_hint = "start it with: vllm serve MODEL --enable-auto-tool-choice",
               .quirks = With(With(kLocal, &Quirks::system_anywhere), &Quirks::reasoning_content)},
    ServerKind{.mode = "sglang",
               .title = "SGLang",
               .default_url = "http://127.0.0.1:30000/v1",
               .variables = "SGLANG",
               .max_concurrent = 64,
               .probe_path = "/v1/models",
               .probe_mark = "\"sglang\"",
               .start_hint = "start it with: python -m sglang.launch_server --model-path MODEL "
                             "--enable-cache-report",
               .quirks = With(kLocal, &Quirks::reasoning_content)},
    ServerKind{.mode = "tensorrt-llm",
               .title = "TensorRT-LLM",
               .default_url = "http://127.0.0.1:8000/v1",
               .variables = "TRTLLM TENSORRT_LLM",
               .max_concurrent = 64,
               .probe_path = "/v1/models",
               .probe_mark = "\"tensorrt_llm\"",
               .start_hint = "start it with: trtllm-serve MODEL",
               .quirks = kLocal},
    ServerKind{.mode = "mlx-omni",
               .title = "MLX Omni Server",
               .default_url = "http://127.0.0.1:10240/v1",
               .variables = "MLX_OMNI",
               .max_concurrent = 1,
               .probe_path = "/v1/models",
               .probe_mark = "\"data\"",
               .start_hint = "start it with: mlx-omni-server",
               .quirks = With(kLocal, &Quirks::needs_hub_id)},
    ServerKind{.mode = "mlx-textgen",
               .title = "MLX-Textgen",
               .default_url = "http://127.0.0.1:5001/v1",
               .variables = "MLX_TEXTGEN",
               .max_concurrent = 1,
               .probe_path = "/v1/models",
               .probe_mark = "\"data\"",
               .start_hint = "start it with: mlx_textgen serve --model-path MODEL --port 5001",
               .quirks = With(With(kLocal, &Quirks::schema_subset), &Quirks::tools_stream_late)},
    ServerKind{.mode = "mlx-lm",
               .title = "mlx-lm",
               .default_url = "http://127.0.0.1:8080/v1",
               .variables = "MLX_LM MLX",
               .max_concurrent = 4,
               .probe_path = "/v1/models",
               .probe_mark = "\"data\"",
               .start_hint = "start it with: mlx_lm.server --model MODEL --port 8080",
               .quirks = kLocal},
    // Spoken to directly only by OpenAI's clients and by routes: see pass_through.h.
    ServerKind{.mode = "claude",
               .title = "the Claude API",
               .default_url = "https://api.anthropic.com/v1",
               .endpoint = Endpoint::kMessages,
               .variables = "ANTHROPIC",
               .cloud = true,
               .start_hint = "check the network",
               .quirks = {.server_tools = true, .system_anywhere = true}},
    ServerKind{.mode = "openai",
               .title = "OpenAI",
               .default_url = "https://api.openai.com/v1",
               .variables = "OPENAI",
               .cloud = true,
               .start_hint = "check the network",
               .quirks = {.system_anywhere = true,
                          .sampling_extras = false,
                          .max_completion_tokens = true}},
    ServerKind{.mode = "openrouter",
               .title = "OpenRouter",
               .default_url = "https://openrouter.ai/api/v1",
               .variables = "OPENROUTER",
               .cloud = true,
               .start_hint = "check the network",
               .quirks = {.reasoning_content = true, .system_anywhere = true}},
    ServerKind{.mode = "gemini",
               .title = "Gemini",
               .default_url = "https://generativelanguage.googleapis.com/v1beta/openai",
               .variables = "GEMINI",
               .cloud = true,
               .context = ContextSource::kGemini,
               .start_hint = "check the network",
               .quirks = {.sampling_extras = false, .schema_subset = true}},
    ServerKind{.mode = "custom",
               .title = "the server",
               .default_url = "",
               .variables = "CUSTOM LOCAL",
               .health_path = "/health/ready",
               .start_hint = "start it, or correct the URL",
               .quirks = With(kLocal, &Quirks::reasoning_content)},
};

struct OldName {
  std::string_view name;
  std::string_view mode;
};
constexpr std::array kOldNames = {
    OldName{"mlx", "mlx-lm"},         OldName{"mlx-cluster", "cluster"},
    OldName{"llamacpp", "llama.cpp"}, OldName{"llama-cpp", "llama.cpp"},
    OldName{"lm-studio", "lmstudio"}, OldName{"anthropic", "claude"},
    OldName{"trtllm", "tensorrt-llm"}};

std::vector<std::string_view> Prefixes(const ServerKind& kind) {
  std::vector<std::string_view> out;
  std::string_view rest = kind.variables;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    out.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

// The path of a URL: "/v1" of "http://h:1/v1"; empty when there is none.
std::string_view PathOf(std::string_view url) {
  const size_t authority = url.find("://");
  if (authority == std::string_view::npos) return {};
  const size_t slash = url.find('/', authority + 3);
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash);
}

}  // namespace

std::span<const ServerKind> ServerKinds() { return kKinds; }

const ServerKind* FindServerKind(std::string_view mode) {
  for (const ServerKind& kind : kKinds) {
    if (kind.mode == mode) return &kind;
  }
  return nullptr;
}

std::optional<std::string_view> ModeForOldName(std::string_view name) {
  for (const OldName& old : kOldNames) {
    if (old.name == name) return old.mode;
  }
  return std::nullopt;
}

std::vector<std::string_view> AllModes() {
  std::vector<std::string_view> modes = {"local"};
  for (const ServerKind& kind : kKinds) modes.push_back(kind.mode);
  modes.insert(modes.end(), {"cluster", "auto"});
  return modes;
}

std::optional<std::string> FromVariables(const ServerKind& kind,
                                         std::initializer_list<std::string_view> suffixes,
                                         const Lookup& environment) {
  for (const std::string_view prefix : Prefixes(kind)) {
    for (const std::string_view suffix : suffixes) {
      auto value = environment(std::string(prefix) + std::string(suffix));
      if (value.has_value() && !value->empty()) return value;
    }
  }
  return std::nullopt;
}

std::string VariableName(const ServerKind& kind, std::string_view suffix) {
  return std::string(Prefixes(kind).front()) + std::string(suffix);
}

std::string NormalizeBaseUrl(const ServerKind& kind, std::string_view url) {
  if (url.empty()) url = kind.default_url;
  std::string out(url);
  if (!out.empty() && out.find("://") == std::string::npos) out = "http://" + out;
  for (const std::string_view end : {"/", "/chat/completions", "/messages", "/"}) {
    if (std::string_view(out).ends_with(end)) out.resize(out.size() - end.size());
  }
  if (!out.empty() && PathOf(out).empty()) {
    const std::string_view path = PathOf(kind.default_url);
    out += path.empty() ? "/v1" : path;
  }
  return out;
}

}  // namespace ac::remote
