#include "backend/reply_grammar.h"

#include <algorithm>
#include <set>

#include "backend/grammar_constraint.h"
#include "grammar/ebnf.h"
#include "grammar/json_pieces.h"
#include "grammar/pieces.h"
#include "grammar/regex.h"
#include "json/json.h"
#include "obs/log.h"

namespace ac::backend {
namespace {

using chat::ResponseFormat;
using chat::ToolChoice;
using grammar::Piece;
using grammar::ProgramBuilder;
using grammar::SchemaCompiler;
using grammar::SchemaNote;

using Constraint = std::shared_ptr<const engine::TokenConstraint>;

// A client's tools are the same in every turn; sub-agents bring a few sets more.
constexpr size_t kMaxCached = 16;

void Report(std::string_view what, const std::string& name, const std::vector<SchemaNote>& notes) {
  for (const SchemaNote& note : notes) {
    obs::Warn("grammar", "schema relaxed",
              {{"of", what},
               {"name", name},
               {"path", note.path},
               {"keyword", note.keyword},
               {"effect", note.effect}});
  }
}

bool DemandsNothing(const chat::ChatRequest& request) {
  return request.response_format.kind == ResponseFormat::Kind::kText && request.tools.empty();
}

std::string KeyOf(const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
                  bool thinking_open) {
  const ResponseFormat& format = request.response_format;
  const ToolChoice& choice = request.tool_choice;
  json::Array key{static_cast<int>(format.kind),
                  format.schema,
                  static_cast<int>(choice.kind),
                  choice.name,
                  choice.parallel,
                  thinking_open,
                  request.tools.empty()};
  for (const chat::ToolSpec& tool : tools) {
    key.emplace_back(tool.name);
    key.emplace_back(tool.input_schema);
  }
  return json::Write(key);
}

// The arguments of a tool, or of anything else that must be a JSON object.
Result<json::Value> ObjectSchema(const std::string& text) {
  if (text.empty()) return json::Value(json::Object{{"type", "object"}});
  AC_ASSIGN_OR_RETURN(json::Value schema, json::Parse(text));
  if (schema.is_object() && json::Find(schema, "type") == nullptr) {
    schema.get_object()["type"] = "object";
  }
  return schema;
}

class ToolCompiler {
 public:
  ToolCompiler(ProgramBuilder& builder, const CallSyntax& syntax)
      : builder_(builder), syntax_(syntax) {}

  void Add(const chat::ToolSpec& tool) {
    std::vector<SchemaNote> notes;
    const size_t first_rule = rules_.size();
    Result<CallableTool> compiled = Compile(tool, &notes);
    if (!compiled.ok()) {
      rules_.resize(first_rule);
      notes.push_back({"#", "", "any JSON object: " + compiled.status().message()});
      compiled = Plain(tool.name);
    }
    Report("tool", tool.name, notes);
    tools_.push_back(std::move(compiled).value());
    rule_counts_.push_back(rules_.size() - first_rule);
  }

  // Tools whose arguments nothing can satisfy are opened too, once all are known.
  std::vector<CallableTool> Take() {
    size_t at = 0;
    std::vector<bool> possible;
    for (const size_t count : rule_counts_) {
      bool all = true;
      for (size_t i = 0; i < count; ++i) all = builder_.IsProductive(rules_[at++]) && all;
      possible.push_back(all);
    }
    for (size_t i = 0; i < tools_.size(); ++i) {
      if (possible[i]) continue;
      const std::string name = tools_[i].name;
      Report("tool", name, {{"#", "", "any JSON object: nothing satisfies the schema"}});
      tools_[i] = Plain(name);
    }
    return std::move(tools_);
  }

 private:
  CallableTool Plain(const std::string& name) {
    return {.name = name, .arguments = grammar::JsonAnyObject(builder_), .shape = {}, .values = {}};
  }

  Result<CallableTool> Compile(const chat::ToolSpec& tool, std::vector<SchemaNote>* notes) {
    AC_ASSIGN_OR_RETURN(const json::Value schema, ObjectSchema(tool.input_schema));
    CallableTool out{.name = tool.name, .arguments = nullptr, .shape = {}, .values = {}};
    SchemaCompiler compiler(builder_, schema, notes);
    if (syntax_.writes_arguments_singly()) {
      AC_ASSIGN_OR_RETURN(out.shape, compiler.RootShape());
    }
    if (!out.shape.plain) {
      AC_ASSIGN_OR_RETURN(const Piece arguments, compiler.CompileRoot());
      const grammar::RuleId rule = builder_.DeclareRule();
      builder_.DefineRule(rule, arguments);
      rules_.push_back(rule);
      out.arguments = grammar::Rule(rule);
      return out;
    }
    for (const SchemaCompiler::Property& property : out.shape.properties) {
      // What toolcall reads as it stands, and what as JSON, is decided by `type` alone.
      const bool bare = json::GetString(property.schema, "type") == "string";
      Piece value;
      if (bare) {
        AC_ASSIGN_OR_RETURN(value, compiler.CompileRawString(property, syntax_.value_closer(),
                                                             syntax_.forbidden_in_values()));
      } else {
        AC_ASSIGN_OR_RETURN(value, compiler.CompileProperty(property));
        value = grammar::Sequence({value, grammar::Text(syntax_.value_closer())});
      }
      const grammar::RuleId rule = builder_.DeclareRule();
      builder_.DefineRule(rule, value);
      if (property.required) rules_.push_back(rule);
      out.values.push_back(grammar::Rule(rule));
    }
    return out;
  }

  ProgramBuilder& builder_;
  const CallSyntax& syntax_;
  std::vector<CallableTool> tools_;
  std::vector<grammar::RuleId> rules_;  // that must be possible, tool by tool
  std::vector<size_t> rule_counts_;
};

Result<Piece> FormatPiece(ProgramBuilder& builder, const ResponseFormat& format) {
  if (format.kind == ResponseFormat::Kind::kJsonObject) return grammar::JsonAnyObject(builder);
  if (format.kind == ResponseFormat::Kind::kRegex) {
    AC_ASSIGN_OR_RETURN(const grammar::CompiledRegex regex,
                        grammar::CompileRegex(format.schema, {}));
    return regex.piece;
  }
  if (format.kind == ResponseFormat::Kind::kEbnf) {
    return grammar::CompileEbnf(builder, format.schema);
  }
  AC_ASSIGN_OR_RETURN(const json::Value schema, json::Parse(format.schema));
  std::vector<SchemaNote> notes;
  SchemaCompiler compiler(builder, schema, &notes);
  Result<Piece> piece = compiler.CompileRoot();
  Report("response format", format.name, notes);
  return piece;
}

}  // namespace

std::shared_ptr<const grammar::Vocabulary> ReplyGrammars::SharedVocabulary() {
  MutexLock lock(mutex_);
  if (vocabulary_ == nullptr) {
    vocabulary_ = std::make_shared<const grammar::Vocabulary>(tokenizer_);
  }
  return vocabulary_;
}

std::optional<Constraint> ReplyGrammars::Find(const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(cache_.begin(), cache_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == cache_.end()) return std::nullopt;
  cache_.splice(cache_.begin(), cache_, found);
  return cache_.front().constraint;
}

std::optional<Constraint> ReplyGrammars::Known(const chat::ChatRequest& request,
                                               const std::vector<chat::ToolSpec>& tools,
                                               bool thinking_open) {
  if (DemandsNothing(request)) return Constraint();
  return Find(KeyOf(request, tools, thinking_open));
}

Status ReplyGrammars::Check(const chat::ChatRequest& request,
                            const std::vector<chat::ToolSpec>& tools) {
  if (DemandsNothing(request)) return OkStatus();
  std::set<std::string_view> names;
  for (const chat::ToolSpec& tool : tools) {
    if (!names.insert(tool.name).second) {
      return InvalidArgument("tools: two tools have the name \"" + tool.name + "\"");
    }
  }
  const ToolChoice& choice = request.tool_choice;
  if (choice.kind == ToolChoice::Kind::kTool && names.count(choice.name) == 0) {
    return InvalidArgument("tool_choice: there is no tool \"" + choice.name + "\" in tools");
  }
  return OkStatus();
}

Result<std::shared_ptr<const engine::TokenConstraint>> ReplyGrammars::For(
    const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
    bool thinking_open) {
  if (DemandsNothing(request)) return Constraint();
  std::string key = KeyOf(request, tools, thinking_open);
  if (auto known = Find(key)) return *std::move(known);
  AC_ASSIGN_OR_RETURN(Constraint constraint, Compile(request, tools, thinking_open));
  MutexLock lock(mutex_);
  cache_.push_front({std::move(key), constraint});
  if (cache_.size() > kMaxCached) cache_.pop_back();
  return constraint;
}

Result<std::shared_ptr<const engine::TokenConstraint>> ReplyGrammars::Compile(
    const chat::ChatRequest& request, const std::vector<chat::ToolSpec>& tools,
    bool thinking_open) {
  AC_RETURN_IF_ERROR(Check(request, tools));
  const ToolChoice& choice = request.tool_choice;
  const bool named = choice.kind == ToolChoice::Kind::kTool;
  const bool must_call = (named || choice.kind == ToolChoice::Kind::kAny) && !tools.empty();
  const bool formatted = request.response_format.kind != ResponseFormat::Kind::kText && !must_call;

  ProgramBuilder builder;
  const auto vocabulary = SharedVocabulary();
  const CallSyntax syntax(
      *vocabulary,
      {.family = family_, .template_source = template_source_, .parallel = choice.parallel});
  ToolCompiler compiler(builder, syntax);
  for (const chat::ToolSpec& tool : tools) {
    if (!named || tool.name == choice.name) compiler.Add(tool);
  }
  const std::vector<CallableTool> callable = compiler.Take();
  Piece reply;
  if (formatted) {
    Result<Piece> content = FormatPiece(builder, request.response_format);
    if (!content.ok()) return content.status().WithPrefix("response_format");
    reply = syntax.Answer(std::move(content).value());
    if (!callable.empty()) reply = grammar::OneOf({reply, syntax.Calls(callable)});
  } else if (must_call) {
    reply = syntax.Calls(callable);
  } else {
    reply = syntax.TextThenCalls(callable);
  }
  const bool raw = !request.prompts.empty();
  if (!raw && (formatted || must_call || thinking_open)) {
    reply = syntax.MaybeThinking(thinking_open, std::move(reply));
  }
  Result<grammar::Program> program = builder.Build(reply);
  if (!program.ok()) return program.status().WithPrefix(formatted ? "response_format" : "tools");
  auto compiled = std::make_shared<const grammar::Grammar>(std::move(program).value(), vocabulary);
  return std::shared_ptr<const engine::TokenConstraint>(
      std::make_shared<const GrammarConstraint>(std::move(compiled)));
}

}  // namespace ac::backend
