// The inside of a call: one parser per syntax, started after the scanner saw its opener.
//
// A body keeps what it cannot decide yet. Until it gives out a CallStart it may still say kReject,
// and the scanner turns the text back into prose; after that it must end with CallEnd. Owned by the
// scanner; not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toolcall/internal/tool_table.h"
#include "toolcall/toolcall.h"

namespace ac::toolcall::internal {

enum class BodyState { kMore, kDone, kReject };

struct BodyContext {
  ToolTable* tools = nullptr;
  bool known_only = false;  // a doubtful place: only the request's own tools count

  std::optional<std::string> ToolName(std::string_view name) const {
    return known_only ? tools->Find(name) : tools->FindOrInvented(name);
  }
};

class Body {
 public:
  virtual ~Body() = default;
  virtual BodyState Feed(std::string_view text, std::vector<Event>* out) = 0;
  // The reply ended inside the body. Never kMore.
  virtual BodyState Finish(bool cut, std::vector<Event>* out) = 0;
  // What follows the call, once Feed said kDone.
  std::string TakeRest() { return std::move(buffer_); }

 protected:
  std::string buffer_;
};

// {"name": ..., "arguments": {...}}, one or several or a list, then one of `closers`. `strict`:
// only these keys, as a bare object in prose must have.
std::unique_ptr<Body> MakeJsonBody(BodyContext context, std::vector<std::string_view> closers,
                                   bool strict);
// After "<function": =N> or  name="N"> with parameters or a JSON object; `closer`: of the outer
// tag, which models forget; `outer_open`: it was there.
std::unique_ptr<Body> MakeFunctionBody(BodyContext context, std::string_view closer,
                                       bool outer_open);
std::unique_ptr<Body> MakeInvokeBody(BodyContext context);
// After <tool_call>: whichever of the syntaxes follows.
std::unique_ptr<Body> MakeTagBody(BodyContext context, std::vector<std::string_view> closers);
std::unique_ptr<Body> MakeGlmBody(BodyContext context);
std::unique_ptr<Body> MakeMistralBody(BodyContext context);
// `in_call`: the opener was that of one call and not of the list.
std::unique_ptr<Body> MakeDeepSeekBody(BodyContext context, bool in_call);
std::unique_ptr<Body> MakePythonTagBody(BodyContext context);

// Helpers shared by the bodies.
enum class Match { kNo, kPartial, kYes };
// Does the text begin with `token`, or could it once more arrives?
Match StartsWith(std::string_view text, std::string_view token);
size_t SkipBlanks(std::string_view text, size_t from = 0);
std::string_view TrimBlanks(std::string_view text);
void Emit(Event::Kind kind, std::string text, std::vector<Event>* out);

// Writes parameters that are given one by one as one JSON object.
class ParameterWriter {
 public:
  ParameterWriter(ToolTable* tools, std::string tool) : tools_(tools), tool_(std::move(tool)) {}

  void Begin(std::string_view key, std::vector<Event>* out);
  // A piece of the open parameter's value. Strings are passed on at once.
  void Value(std::string_view text, std::vector<Event>* out);
  void EndValue(std::vector<Event>* out);
  void End(std::vector<Event>* out);
  bool open() const { return open_; }

 private:
  ToolTable* const tools_;
  const std::string tool_;
  bool first_ = true;
  bool open_ = false;
  ToolTable::ValueKind kind_ = ToolTable::ValueKind::kString;
  std::string held_;  // of a value that is not a string
};

}  // namespace ac::toolcall::internal
