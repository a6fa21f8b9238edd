#include "backend/call_syntax.h"

#include <utility>

#include "grammar/json_pieces.h"
#include "grammar/pieces.h"
#include "json/json.h"

namespace ac::backend {
namespace {

using grammar::FreeText;
using grammar::FreeTextOptions;
using grammar::Nothing;
using grammar::OneOf;
using grammar::Optional;
using grammar::Pc;
using grammar::Piece;
using grammar::ProgramBuilder;
using grammar::Sequence;
using grammar::Text;
using grammar::Times;
using toolcall::Family;

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

#define AC_DEEPSEEK_MARK(words) "<\xEF\xBD\x9C" words "\xEF\xBD\x9C>"
#define AC_DEEPSEEK_BLANK "\xE2\x96\x81"
constexpr std::string_view kDeepSeekCallsBegin =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "calls" AC_DEEPSEEK_BLANK "begin");
constexpr std::string_view kDeepSeekCallsEnd =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "calls" AC_DEEPSEEK_BLANK "end");
constexpr std::string_view kDeepSeekCallBegin =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "call" AC_DEEPSEEK_BLANK "begin");
constexpr std::string_view kDeepSeekCallEnd =
    AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "call" AC_DEEPSEEK_BLANK "end");
constexpr std::string_view kDeepSeekSeparator = AC_DEEPSEEK_MARK("tool" AC_DEEPSEEK_BLANK "sep");
#undef AC_DEEPSEEK_MARK
#undef AC_DEEPSEEK_BLANK

// Where a cycle of the grammar goes on, whatever follows.
Piece GoTo(Pc target) {
  return [target](ProgramBuilder&, Pc) { return target; };
}

Piece LineBreaks() { return Times(0, 2, Text("\n")); }

}  // namespace

bool CallSyntax::writes_arguments_singly() const {
  return options_.family == Family::kQwenXml || options_.family == Family::kGlm;
}

std::string_view CallSyntax::value_closer() const {
  return options_.family == Family::kGlm ? "</arg_value>" : "\n</parameter>";
}

// The parser takes these for the end of a value whose own end was forgotten.
std::vector<std::string> CallSyntax::forbidden_in_values() const {
  if (options_.family == Family::kGlm) return {};
  return {"</parameter>", "</function>", "<parameter"};
}

Piece CallSyntax::Mark(std::string_view text) const {
  const int32_t token = vocabulary_.FindSpecial(text);
  if (token == tokenizer::kNoToken) return Text(text);
  return [token](ProgramBuilder& b, Pc next) { return b.Token(token, next); };
}

void CallSyntax::AddMark(std::string_view text, Piece then, FreeTextOptions* into) const {
  const int32_t token = vocabulary_.FindSpecial(text);
  if (token == tokenizer::kNoToken) {
    into->marks.push_back({std::string(text), std::move(then)});
  } else {
    into->tokens.emplace_back(token, std::move(then));
  }
}

ProseMark CallSyntax::MarkIn(std::string_view text, Piece then) const {
  const int32_t token = vocabulary_.FindSpecial(text);
  const bool as_text = token == tokenizer::kNoToken;
  return {as_text ? std::string(text) : std::string(), token, std::move(then)};
}

std::string_view CallSyntax::Opener() const {
  switch (options_.family) {
    case Family::kMistral:
      return "[TOOL_CALLS]";
    case Family::kDeepSeek:
      return kDeepSeekCallsBegin;
    case Family::kLlama3:
      return "<|python_tag|>";
    case Family::kHarmony:
      return "<|channel|>";
    default:
      return "<tool_call>";
  }
}

Piece CallSyntax::Joined(Piece call, Piece separator) const {
  if (!options_.parallel) return call;
  return Sequence({call, Times(0, grammar::kUnlimited, Sequence({std::move(separator), call}))});
}

Piece CallSyntax::SinglyWritten(const CallableTool& tool) const {
  const bool glm = options_.family == Family::kGlm;
  grammar::ObjectParts parts;
  parts.opener = Nothing();
  parts.separator = Nothing();
  parts.closer = Nothing();
  const auto pair = [&](Piece key, Piece value) {
    return glm ? Sequence({Text("<arg_key>"), std::move(key), Text("</arg_key>\n<arg_value>"),
                           std::move(value), Text("\n")})
               : Sequence({Text("<parameter="), std::move(key), Text(">\n"), std::move(value),
                           Text("\n")});
  };
  for (size_t i = 0; i < tool.shape.properties.size(); ++i) {
    const auto& property = tool.shape.properties[i];
    parts.properties.push_back({pair(Text(property.name), tool.values[i]), property.required});
  }
  if (tool.shape.properties.empty() && (tool.shape.open || !tool.shape.plain)) {
    const std::string closer(value_closer());
    parts.extra = [=](ProgramBuilder& b, Pc next) {
      const Piece letter = grammar::OneByteOf("abcdefghijklmnopqrstuvwxyz_");
      return pair(Times(1, 32, letter, true), Sequence({grammar::JsonAny(b), Text(closer)}))(b,
                                                                                             next);
    };
  }
  return grammar::ObjectOf(std::move(parts));
}

// One call of the families with an opener for each, or one entry of a list.
Piece CallSyntax::OneCall(const CallableTool& tool) const {
  const std::string name = json::Quote(tool.name);
  switch (options_.family) {
    case Family::kQwenXml: {
      const Piece arguments = tool.shape.plain ? Sequence({Text("\n"), SinglyWritten(tool)})
                                               : Sequence({Text("\n"), tool.arguments, Text("\n")});
      return Sequence(
          {Text("\n<function=" + tool.name + ">"), arguments, Text("</function>\n</tool_call>")});
    }
    case Family::kGlm:
      return Sequence({Text(tool.name + "\n"), SinglyWritten(tool), Text("</tool_call>")});
    case Family::kMistral:
      if (options_.template_source.find("[ARGS]") != std::string_view::npos) {
        return Sequence({Text(tool.name), Mark("[ARGS]"), tool.arguments});
      }
      return Sequence(
          {Text("{\"name\": " + name + ", \"arguments\": "), tool.arguments,
           Optional(Sequence({Text(", \"id\": \""),
                              Times(9, 9,
                                    grammar::OneByteOf("0123456789abcdefghijklmnopqrstuvwxyz"
                                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                                    true),
                              Text("\"")})),
           Text("}")});
    case Family::kDeepSeek:
      if (options_.template_source.find("```json") != std::string_view::npos) {
        return Sequence({Mark(kDeepSeekCallBegin), Text("function"), Mark(kDeepSeekSeparator),
                         Text(tool.name + "\n```json\n"), tool.arguments, Text("\n```"),
                         Mark(kDeepSeekCallEnd)});
      }
      return Sequence({Mark(kDeepSeekCallBegin), Text(tool.name), Mark(kDeepSeekSeparator),
                       tool.arguments, Mark(kDeepSeekCallEnd)});
    case Family::kLlama3:
      return Sequence(
          {Text("{\"name\": " + name + ", \"parameters\": "), tool.arguments, Text("}")});
    case Family::kHarmony:
      return Sequence({Text("commentary to=functions." + tool.name + " "), Mark("<|constrain|>"),
                       Text("json"), Mark("<|message|>"), tool.arguments, Mark("<|call|>")});
    default:
      return Sequence({Text("\n{\"name\": " + name + ", \"arguments\": "), tool.arguments,
                       Text("}\n"), Mark("</tool_call>")});
  }
}

Piece CallSyntax::AnyCall(const std::vector<CallableTool>& tools) const {
  std::vector<Piece> calls;
  calls.reserve(tools.size());
  for (const CallableTool& tool : tools) calls.push_back(OneCall(tool));
  return OneOf(std::move(calls));
}

Piece CallSyntax::AfterOpener(const std::vector<CallableTool>& tools) const {
  const Piece call = AnyCall(tools);
  switch (options_.family) {
    case Family::kMistral:
      if (options_.template_source.find("[ARGS]") != std::string_view::npos) {
        return Joined(call, Mark(Opener()));
      }
      return Sequence({Text("["), Joined(call, Text(", ")), Text("]")});
    case Family::kDeepSeek:
      return Sequence({Joined(call, Optional(Text("\n"))), Mark(kDeepSeekCallsEnd)});
    case Family::kLlama3:
      return Joined(call, Text("; "));
    default:
      return Joined(call, Sequence({Text("\n"), Mark(Opener())}));
  }
}

Piece CallSyntax::Calls(const std::vector<CallableTool>& tools) const {
  if (options_.family == Family::kHarmony) return Harmony(tools, false, nullptr);
  if (options_.family == Family::kLlama3) return AfterOpener(tools);
  return Sequence({Mark(Opener()), AfterOpener(tools)});
}

Piece CallSyntax::TextThenCalls(const std::vector<CallableTool>& tools) const {
  if (options_.family == Family::kHarmony) return Harmony(tools, true, nullptr);
  if (options_.family == Family::kLlama3) return Llama(tools);
  ProseOptions prose;
  prose.call = MarkIn(Opener(), tools.empty() ? Piece() : AfterOpener(tools));
  prose.think = MarkIn(kThinkOpen, Thinking());  // what stands in a thinking block is no call
  return Prose(std::move(prose));
}

// Llama's calls have no opener of their own: a reply that begins with a brace is one.
Piece CallSyntax::Llama(const std::vector<CallableTool>& tools) const {
  return [=, *this](ProgramBuilder& b, Pc next) {
    const Piece calls = tools.empty() ? Piece() : AfterOpener(tools);
    ProseOptions prose;
    prose.call = MarkIn(Opener(), calls);
    for (const char c : {'{', ' ', '\t', '\n', '\r'}) prose.not_first.set(static_cast<uint8_t>(c));
    std::vector<Pc> ways = {Prose(std::move(prose))(b, next)};
    if (calls) ways.push_back(calls(b, next));
    return b.Split(std::move(ways));
  };
}

Piece CallSyntax::Harmony(const std::vector<CallableTool>& tools, bool text_allowed,
                          Piece final_content) const {
  return [=, *this](ProgramBuilder& b, Pc next) {
    const Pc message = b.Forward();
    // Text up to its end mark, then another message.
    const auto aside = [&](std::string_view channel) {
      FreeTextOptions body;
      AddMark("<|end|>", Nothing(), &body);
      return Sequence({Text(channel), Mark("<|message|>"), FreeText(std::move(body)),
                       Mark("<|start|>"), Text("assistant"), GoTo(message)});
    };
    std::vector<Piece> kinds = {aside("analysis"), aside("commentary")};
    if (final_content) {
      kinds.push_back(Sequence({Text("final"), Mark("<|message|>"), final_content}));
    } else if (text_allowed) {
      FreeTextOptions body;
      body.may_stop = true;
      kinds.push_back(Sequence({Text("final"), Mark("<|message|>"), FreeText(std::move(body))}));
    }
    if (!tools.empty()) kinds.push_back(AnyCall(tools));
    b.Resolve(message, {Sequence({Mark("<|channel|>"), OneOf(std::move(kinds))})(b, next)});
    return message;
  };
}

Piece CallSyntax::Answer(Piece content) const {
  if (options_.family == Family::kHarmony) return Harmony({}, false, std::move(content));
  return content;
}

Piece CallSyntax::Thinking() const {
  FreeTextOptions thinking;
  thinking.special_tokens = true;
  AddMark(kThinkClose, Nothing(), &thinking);
  return FreeText(std::move(thinking));
}

Piece CallSyntax::MaybeThinking(bool open, Piece then) const {
  if (options_.family == Family::kHarmony) return then;
  const Piece block = Sequence({Thinking(), LineBreaks()});
  if (open) return Sequence({block, std::move(then)});
  return Sequence({Optional(Sequence({Mark(kThinkOpen), block})), std::move(then)});
}

}  // namespace ac::backend
