#include <array>

#include "json/json.h"
#include "toolcall/internal/deepseek_marks.h"
#include "toolcall/internal/parsers.h"
#include "toolcall/toolcall.h"

namespace ac::toolcall {
namespace {

using internal::kDeepSeekCallBegin;
using internal::kDeepSeekCallEnd;
using internal::kDeepSeekCallsBegin;
using internal::kDeepSeekCallsEnd;
using internal::kDeepSeekSeparator;

struct Mark {
  std::string_view text;
  Family family;
};

// First match wins: the more particular syntax stands before the one it is built on.
constexpr std::array<Mark, 10> kMarks = {{
    {"<|channel|>", Family::kHarmony},
    {kDeepSeekCallBegin, Family::kDeepSeek},
    {"<arg_key>", Family::kGlm},
    {"<function=", Family::kQwenXml},
    {"[TOOL_CALLS]", Family::kMistral},
    {"<tool_call>", Family::kHermes},
    {"<|python_tag|>", Family::kLlama3},
    {"<|start_header_id|>", Family::kLlama3},
    {"[AVAILABLE_TOOLS]", Family::kMistral},
    {"<\xEF\xBD\x9C"
     "Assistant\xEF\xBD\x9C>",
     Family::kDeepSeek},
}};

json::Value InputOf(const chat::ToolUse& call) {
  Result<json::Value> value = json::Parse(call.input.empty() ? "{}" : call.input);
  return value.ok() && value->is_object() ? std::move(value).value() : json::Value(json::Object());
}

// Strings as they are, everything else as JSON: how the templates print arguments.
std::string RawValue(const json::Value& value) {
  const auto text = json::AsString(&value);
  return text.has_value() ? std::string(*text) : json::Write(value);
}

std::string JsonCall(const chat::ToolUse& call, std::string_view arguments_key) {
  return "{\"name\": " + json::Quote(call.name) + ", \"" + std::string(arguments_key) +
         "\": " + json::Write(InputOf(call)) + "}";
}

std::string QwenXmlCall(const chat::ToolUse& call) {
  std::string text = "<tool_call>\n<function=" + call.name + ">\n";
  const json::Value input = InputOf(call);
  for (const auto& member : input.get_object()) {
    text += "<parameter=" + std::string(member.key()) + ">\n" + RawValue(member.value()) +
            "\n</parameter>\n";
  }
  return text + "</function>\n</tool_call>";
}

std::string GlmCall(const chat::ToolUse& call) {
  std::string text = "<tool_call>" + call.name + "\n";
  const json::Value input = InputOf(call);
  for (const auto& member : input.get_object()) {
    text += "<arg_key>" + std::string(member.key()) + "</arg_key>\n<arg_value>" +
            RawValue(member.value()) + "</arg_value>\n";
  }
  return text + "</tool_call>";
}

std::string DeepSeekCalls(std::span<const chat::ToolUse> calls) {
  std::string text(kDeepSeekCallsBegin);
  for (const chat::ToolUse& call : calls) {
    text += std::string(kDeepSeekCallBegin) + call.name + std::string(kDeepSeekSeparator) +
            json::Write(InputOf(call)) + std::string(kDeepSeekCallEnd);
  }
  return text + std::string(kDeepSeekCallsEnd);
}

std::string MistralCalls(std::span<const chat::ToolUse> calls) {
  std::string text;
  for (const chat::ToolUse& call : calls) {
    text += "[TOOL_CALLS]" + call.name + "[ARGS]" + json::Write(InputOf(call));
  }
  return text;
}

std::string HarmonyCalls(std::span<const chat::ToolUse> calls) {
  std::string text;
  for (const chat::ToolUse& call : calls) {
    if (!text.empty()) text += "<|start|>assistant";
    text += "<|channel|>commentary to=functions." + call.name + " <|constrain|>json<|message|>" +
            json::Write(InputOf(call)) + "<|call|>";
  }
  return text;
}

std::string Joined(std::span<const chat::ToolUse> calls, std::string_view separator,
                   std::string (*render)(const chat::ToolUse&)) {
  std::string text;
  for (const chat::ToolUse& call : calls) {
    if (!text.empty()) text += separator;
    text += render(call);
  }
  return text;
}

}  // namespace

std::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kGeneric:
      return "generic";
    case Family::kHermes:
      return "hermes";
    case Family::kQwenXml:
      return "qwen_xml";
    case Family::kLlama3:
      return "llama3";
    case Family::kMistral:
      return "mistral";
    case Family::kDeepSeek:
      return "deepseek";
    case Family::kGlm:
      return "glm";
    case Family::kHarmony:
      return "harmony";
  }
  return "generic";
}

Family DetectFamily(std::string_view template_source) {
  for (const Mark& mark : kMarks) {
    if (template_source.find(mark.text) != std::string_view::npos) return mark.family;
  }
  return Family::kGeneric;
}

std::unique_ptr<ToolCallParser> MakeParser(Family family, const ParserOptions& options) {
  if (family == Family::kHarmony) return internal::MakeHarmonyParser(options);
  return internal::MakeScanner(family, options);
}

std::string RenderCalls(Family family, std::span<const chat::ToolUse> calls) {
  switch (family) {
    case Family::kQwenXml:
      return Joined(calls, "\n", QwenXmlCall);
    case Family::kGlm:
      return Joined(calls, "\n", GlmCall);
    case Family::kDeepSeek:
      return DeepSeekCalls(calls);
    case Family::kMistral:
      return MistralCalls(calls);
    case Family::kHarmony:
      return HarmonyCalls(calls);
    case Family::kLlama3:
      return Joined(calls, "; ",
                    [](const chat::ToolUse& call) { return JsonCall(call, "parameters"); });
    case Family::kGeneric:
    case Family::kHermes:
      break;
  }
  return Joined(calls, "\n", [](const chat::ToolUse& call) {
    return "<tool_call>\n" + JsonCall(call, "arguments") + "\n</tool_call>";
  });
}

}  // namespace ac::toolcall
