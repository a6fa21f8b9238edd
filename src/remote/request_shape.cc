#include "remote/request_shape.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>
#include <vector>

#include "remote/schema_subset.h"

namespace ac::remote {
namespace {

using api::Endpoint;

constexpr std::string_view kReminderOpen = "<system-reminder>\n";
constexpr std::string_view kReminderClose = "\n</system-reminder>";
constexpr std::string_view kNoImage = "[image left out: this model cannot see images]";

// Fields that may be left out without changing what the answer is about, and the words under which
// servers refuse them.
constexpr std::string_view kDroppable[] = {"reasoning_effort",
                                           "parallel_tool_calls",
                                           "stream_options",
                                           "top_k",
                                           "min_p",
                                           "repetition_penalty",
                                           "logit_bias",
                                           "seed",
                                           "presence_penalty",
                                           "frequency_penalty",
                                           "response_format",
                                           "temperature",
                                           "top_p",
                                           "tool_choice",
                                           "reasoning_content",
                                           "thinking",
                                           "output_config",
                                           "metadata",
                                           "strict"};

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool HasWord(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWordChar(text[at - 1])) && (end == text.size() || !IsWordChar(text[end]))) {
      return true;
    }
  }
  return false;
}

bool HasAny(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [text](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
}

std::vector<int64_t> Numbers(std::string_view text) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < text.size();) {
    int64_t number = 0;
    const auto parsed = std::from_chars(text.data() + i, text.data() + text.size(), number);
    const bool whole_word = i == 0 || !IsWordChar(text[i - 1]);
    if (parsed.ec == std::errc() && whole_word && number > 0) out.push_back(number);
    i = parsed.ec == std::errc() ? static_cast<size_t>(parsed.ptr - text.data()) : i + 1;
  }
  return out;
}

void ReplaceImages(std::vector<chat::Block>* blocks) {
  for (chat::Block& block : *blocks) {
    if (block.As<chat::Image>() != nullptr) block.value = chat::Text{std::string(kNoImage)};
    if (auto* result = block.As<chat::ToolResult>()) ReplaceImages(&result->content);
  }
}

// System messages in the middle become reminders in the user's turn, at the same place, and turns
// of one speaker are joined: templates that insist on alternation refuse anything else.
void MoveSystemIntoTurns(std::vector<chat::Message>* messages) {
  std::vector<chat::Message> out;
  for (chat::Message& message : *messages) {
    if (message.role == chat::Role::kSystem) {
      const std::string text = chat::JoinText(message.blocks, "\n\n");
      message.role = chat::Role::kUser;
      message.blocks = {
          {chat::Text{std::string(kReminderOpen) + text + std::string(kReminderClose)}, ""}};
    }
    if (!out.empty() && out.back().role == message.role && message.role == chat::Role::kUser) {
      for (chat::Block& block : message.blocks) out.back().blocks.push_back(std::move(block));
    } else {
      out.push_back(std::move(message));
    }
  }
  *messages = std::move(out);
}

// Blocks and tools that only Anthropic's own servers run.
void DropServerTools(chat::ChatRequest* request) {
  std::erase_if(request->tools, [](const chat::ToolSpec& tool) {
    return !tool.type.empty() && tool.input_schema.empty();
  });
  for (chat::Message& message : request->messages) {
    std::erase_if(message.blocks, [](const chat::Block& block) {
      return block.As<chat::ServerToolUse>() != nullptr ||
             block.As<chat::ServerToolResult>() != nullptr || block.As<chat::Opaque>() != nullptr ||
             block.As<chat::RedactedThinking>() != nullptr;
    });
  }
  std::erase_if(request->messages, [](const chat::Message& m) { return m.blocks.empty(); });
}

void SimplifySchemas(const ServerKind& kind, const Learned& learned, chat::ChatRequest* request) {
  for (chat::ToolSpec& tool : request->tools) {
    if (!tool.type.empty()) continue;
    if (learned.all_untyped || learned.untyped_tools.contains(tool.name)) {
      tool.input_schema = kUntypedSchema;
    } else if (kind.quirks.schema_subset || learned.subset_schemas) {
      tool.input_schema = SubsetSchema(tool.input_schema);
    }
  }
}

void DropFields(const ServerKind& kind, const Learned& learned, chat::ChatRequest* request) {
  const auto dropped = [&](std::string_view field) {
    return learned.dropped_fields.contains(field);
  };
  chat::Sampling& sampling = request->sampling;
  const bool extras = kind.quirks.sampling_extras;
  if (!extras || dropped("top_k")) sampling.top_k.reset();
  if (!extras || dropped("min_p")) sampling.min_p.reset();
  if (!extras || dropped("repetition_penalty")) sampling.repetition_penalty.reset();
  if (dropped("temperature")) sampling.temperature.reset();
  if (dropped("top_p")) sampling.top_p.reset();
  if (dropped("seed")) sampling.seed.reset();
  if (dropped("presence_penalty")) sampling.presence_penalty.reset();
  if (dropped("frequency_penalty")) sampling.frequency_penalty.reset();
  if (dropped("logit_bias")) sampling.logit_bias.clear();
  if (dropped("reasoning_effort") || dropped("output_config")) request->thinking.effort.clear();
  if (dropped("thinking")) request->thinking.mode = chat::ThinkingConfig::Mode::kUnset;
  if (dropped("parallel_tool_calls")) request->tool_choice.parallel = true;
  if (dropped("tool_choice")) request->tool_choice = {};
  if (dropped("response_format")) request->response_format = {};
  if (dropped("metadata")) request->metadata.user_id.clear();
  if (dropped("strict")) {
    for (chat::ToolSpec& tool : request->tools) tool.strict = false;
  }
}

// "32000 > 8192", "at most 16384", "maximum context length is 32768 ... 12000 in the messages": the
// number of tokens that would have been accepted, if the text gives it away.
std::optional<int64_t> AcceptedOutput(std::string_view text, int64_t asked, bool* of_this_prompt) {
  std::vector<int64_t> others = Numbers(text);
  std::erase(others, asked);
  const std::vector<int64_t> all = others;
  std::erase_if(others, [&](int64_t n) {  // prompt and output together
    return std::find(all.begin(), all.end(), n - asked) != all.end();
  });
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  if (others.empty()) return std::nullopt;
  *of_this_prompt = others.size() > 1;
  const int64_t limit = *of_this_prompt ? others.back() - others.front() : others.front();
  if (limit <= 0 || limit >= asked) return std::nullopt;
  return limit;
}

bool AdaptMaxTokens(std::string_view text, chat::ChatRequest* request, Learned* learned) {
  if (!HasAny(text, {"max_tokens", "max_completion_tokens", "in the completion"})) return false;
  const bool renamed =
      text.find("max_completion_tokens") != std::string_view::npos &&
      HasAny(text, {"not supported", "unsupported", "use 'max_completion_tokens'"});
  if (renamed && !learned->completion_tokens) return learned->completion_tokens = true;
  if (!request->max_tokens.has_value()) return false;
  bool of_this_prompt = false;
  const auto limit = AcceptedOutput(text, *request->max_tokens, &of_this_prompt);
  if (!limit.has_value()) return false;
  if (!of_this_prompt) learned->max_output = *limit;
  request->max_tokens = *limit;
  return true;
}

bool AdaptTools(std::string_view text, const chat::ChatRequest& request, Learned* learned) {
  if (request.tools.empty()) return false;
  if (!HasAny(text, {"grammar", "schema", "regex", "parser for this template"})) return false;
  for (const chat::ToolSpec& tool : request.tools) {
    if (HasWord(text, Lower(tool.name)) && learned->untyped_tools.insert(tool.name).second) {
      return true;
    }
  }
  if (!learned->subset_schemas) return learned->subset_schemas = true;
  if (!learned->all_untyped) return learned->all_untyped = true;
  return false;
}

bool HasImages(const std::vector<chat::Block>& blocks) {
  return std::any_of(blocks.begin(), blocks.end(), [](const chat::Block& block) {
    const auto* result = block.As<chat::ToolResult>();
    return block.As<chat::Image>() != nullptr || (result != nullptr && HasImages(result->content));
  });
}

size_t BlockBytes(const std::vector<chat::Block>& blocks) {
  size_t bytes = 0;
  for (const chat::Block& block : blocks) {
    if (const auto* text = block.As<chat::Text>()) bytes += text->text.size();
    if (const auto* thinking = block.As<chat::Thinking>()) bytes += thinking->text.size();
    if (const auto* call = block.As<chat::ToolUse>())
      bytes += call->name.size() + call->input.size();
    if (const auto* result = block.As<chat::ToolResult>()) bytes += BlockBytes(result->content);
    // An image costs about this many tokens whatever its file size.
    if (block.As<chat::Image>() != nullptr) bytes += 4000;
    if (const auto* document = block.As<chat::Document>()) bytes += document->data.size();
  }
  return bytes;
}

}  // namespace

chat::ChatRequest ShapeRequest(chat::ChatRequest request, const ServerKind& kind,
                               const Learned& learned, Endpoint endpoint) {
  if (!kind.quirks.system_anywhere || learned.system_first) {
    MoveSystemIntoTurns(&request.messages);
  }
  if (learned.no_images) {
    for (chat::Message& message : request.messages) ReplaceImages(&message.blocks);
  }
  if (!kind.quirks.server_tools) DropServerTools(&request);
  SimplifySchemas(kind, learned, &request);
  DropFields(kind, learned, &request);
  // Levels that only Anthropic's models have.
  if (endpoint == Endpoint::kChatCompletions &&
      (request.thinking.effort == "max" || request.thinking.effort == "xhigh")) {
    request.thinking.effort = "high";
  }
  if (learned.max_output > 0 && request.max_tokens.value_or(0) > learned.max_output) {
    request.max_tokens = learned.max_output;
  }
  // Streams can be cancelled and timed; a reply that the client wants whole is collected here.
  request.stream = !(kind.quirks.tools_stream_late && !request.tools.empty());
  return request;
}

void TellNotToThink(std::string_view model, chat::ChatRequest* request) {
  if (request->thinking.mode != chat::ThinkingConfig::Mode::kDisabled) return;
  const std::string name = Lower(model);
  // Its successors either never think or have no such word.
  if (!HasAny(name, {"qwen3", "qwen-3"}) ||
      HasAny(name, {"coder", "instruct", "thinking", "next", "vl", "qwen3."})) {
    return;
  }
  request->system.push_back({.value = chat::Text{"/no_think"}});
}

api::SerializeOptions SerializeOptionsFor(const ServerKind& kind, const Learned& learned,
                                          std::string model) {
  const auto dropped = [&](std::string_view field) {
    return learned.dropped_fields.contains(field);
  };
  return {.model = std::move(model),
          .reasoning_content = kind.quirks.reasoning_content && !dropped("reasoning_content"),
          .usage_in_stream = kind.quirks.usage_in_stream && !dropped("stream_options"),
          .max_completion_tokens = kind.quirks.max_completion_tokens || learned.completion_tokens};
}

bool AdaptToRefusal(int http_status, std::string_view message, Endpoint endpoint,
                    chat::ChatRequest* request, Learned* learned) {
  const std::string text = Lower(message);
  if (endpoint == Endpoint::kMessages && !learned->no_native_endpoint &&
      (http_status == 404 || http_status == 405 || http_status == 501) && !HasWord(text, "model")) {
    return learned->no_native_endpoint = true;
  }
  // Grammar compilers fail with 500 as well.
  if (http_status != 400 && http_status != 422 && http_status != 500) return false;
  if (AdaptTools(text, *request, learned)) return true;
  if (http_status == 500) return false;
  if (AdaptMaxTokens(text, request, learned)) return true;
  const bool has_images = std::any_of(request->messages.begin(), request->messages.end(),
                                      [](const chat::Message& m) { return HasImages(m.blocks); });
  if (has_images && !learned->no_images &&
      HasAny(text, {"image", "vision", "mmproj", "multimodal"})) {
    return learned->no_images = true;
  }
  if (!learned->system_first && HasWord(text, "system") &&
      HasAny(text, {"beginning", "role", "alternate"})) {
    return learned->system_first = true;
  }
  if (HasAny(text, {"does not support thinking"}) &&
      learned->dropped_fields.insert("reasoning_effort").second) {
    return true;
  }
  for (const std::string_view field : kDroppable) {
    if (!HasWord(text, field)) continue;
    if (learned->dropped_fields.insert(std::string(field)).second) return true;
  }
  return false;
}

size_t PromptBytes(const chat::ChatRequest& request) {
  size_t bytes = BlockBytes(request.system);
  for (const chat::Message& message : request.messages) bytes += 8 + BlockBytes(message.blocks);
  for (const chat::ToolSpec& tool : request.tools) {
    if (tool.defer_loading) continue;
    bytes += tool.name.size() + tool.description.size() + tool.input_schema.size();
  }
  return bytes;
}

}  // namespace ac::remote
