// Each model family's syntax of tool calls as pieces of a grammar: what toolcall's parsers read,
// written so that it cannot be malformed.
//
// Private to backend/. Builders are used by one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backend/prose.h"
#include "grammar/free_text.h"
#include "grammar/json_schema.h"
#include "grammar/program.h"
#include "grammar/vocabulary.h"
#include "toolcall/toolcall.h"

namespace ac::backend {

// A tool whose arguments are compiled.
struct CallableTool {
  std::string name;
  grammar::Piece arguments;  // one JSON object
  // For families that write each argument on its own; `arguments` is used where it is not plain.
  grammar::SchemaCompiler::ObjectShape shape;
  std::vector<grammar::Piece> values;  // of shape.properties, with what ends them
};

struct CallSyntaxOptions {
  toolcall::Family family = toolcall::Family::kGeneric;
  std::string_view template_source;  // tells the older spellings of a family from the newer
  bool parallel = true;
};

class CallSyntax {
 public:
  CallSyntax(const grammar::Vocabulary& vocabulary, CallSyntaxOptions options)
      : vocabulary_(vocabulary), options_(options) {}

  // Does the family write arguments one by one, and what ends a value that is a bare string?
  bool writes_arguments_singly() const;
  std::string_view value_closer() const;
  std::vector<std::string> forbidden_in_values() const;

  // The whole reply of one or more calls, without text around them.
  grammar::Piece Calls(const std::vector<CallableTool>& tools) const;
  // Text that may turn into calls, once, at its end; without tools calls cannot begin.
  grammar::Piece TextThenCalls(const std::vector<CallableTool>& tools) const;
  // Around a reply that is neither text nor calls.
  grammar::Piece Answer(grammar::Piece content) const;
  // Everything up to the end of a thinking block that is open.
  grammar::Piece Thinking() const;
  // Perhaps a thinking block, then `then`.
  grammar::Piece MaybeThinking(bool open, grammar::Piece then) const;

 private:
  // A piece of syntax that is a special token in some vocabularies and text in others.
  grammar::Piece Mark(std::string_view text) const;
  void AddMark(std::string_view text, grammar::Piece then, grammar::FreeTextOptions* into) const;
  ProseMark MarkIn(std::string_view text, grammar::Piece then) const;
  std::string_view Opener() const;
  // After the opener: the first call and, if allowed, more.
  grammar::Piece AfterOpener(const std::vector<CallableTool>& tools) const;
  grammar::Piece OneCall(const CallableTool& tool) const;
  grammar::Piece AnyCall(const std::vector<CallableTool>& tools) const;
  grammar::Piece SinglyWritten(const CallableTool& tool) const;
  grammar::Piece Joined(grammar::Piece call, grammar::Piece separator) const;
  grammar::Piece Llama(const std::vector<CallableTool>& tools) const;
  // The messages of a gpt-oss reply.
  grammar::Piece Harmony(const std::vector<CallableTool>& tools, bool text_allowed,
                         grammar::Piece final_content) const;

  const grammar::Vocabulary& vocabulary_;
  const CallSyntaxOptions options_;
};

}  // namespace ac::backend
