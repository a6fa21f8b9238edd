// Chat templates: the Jinja language as Hugging Face Transformers configures it.
//
// Parse once, render many times. Rendering follows Python's jinja2 (immutable sandbox, trim_blocks,
// lstrip_blocks, loop controls, the generation tag, Transformers' tojson, raise_exception and
// strftime_now) to the byte. A Template owns everything it needs and borrows the context only while
// Render runs. Immutable after Parse: any number of threads may render one Template at once.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "json/json_fwd.h"

namespace ac::jinja {

// Templates come with models, so they are untrusted: each limit ends the render with a clear error.
struct RenderLimits {
  size_t max_steps = 20'000'000;  // nodes evaluated, plus one per 64 bytes of text moved
  size_t max_output_bytes = size_t{64} << 20;
  size_t max_memory_bytes = size_t{512} << 20;  // live values of one render
  int max_depth = 1500;  // nested evaluations; keeps the C++ stack below ~2 MB
};

struct RenderOptions {
  RenderLimits limits;
  const Clock* clock = nullptr;  // what strftime_now reads, in local time; null: the real clock
};

struct Program;  // the parsed form, private to the module

class Template {
 public:
  // Failure: kInvalidArgument "[jinja] 'NAME' line 3: ...", or kUnsupported for import, include,
  // extends, block and autoescape, which need more than one template.
  static Result<std::shared_ptr<const Template>> Parse(std::string_view source, std::string name);

  // `context` is a JSON object: messages, tools, add_generation_prompt, bos_token and so on.
  // Failure: kInvalidArgument when the template fails or refuses, kTooLarge at a limit.
  Result<std::string> Render(const json::Value& context, const RenderOptions& options = {}) const;

  // Context variables the template may read, without its own assignments and the built-in globals.
  const std::set<std::string>& free_variables() const;
  // Whether an identifier, attribute or string of the template is exactly `word`: "tool_calls",
  // "enable_thinking", "reasoning_content". Tells what a template knows about before it is run.
  bool Mentions(std::string_view word) const;
  const std::string& name() const;

  ~Template();
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

 private:
  explicit Template(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

// The template's own words when Render failed because it called raise_exception("..."): a refusal
// of this conversation, meant for the user. Nothing for every other failure.
std::optional<std::string> RaisedMessage(const Status& status);

}  // namespace ac::jinja
