#include "jinja/template.h"

#include <algorithm>

#include "jinja/internal/interpreter.h"
#include "jinja/internal/program.h"

namespace ac::jinja {
namespace {

// Published templates stay below 20 kB; what Parse costs grows with the size.
constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr std::string_view kRaised = "[jinja] raise_exception in '";

}  // namespace

Template::Template(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Template::~Template() = default;

Result<std::shared_ptr<const Template>> Template::Parse(std::string_view source, std::string name) {
  // Messages quote the name: keep it on one line and inside its quotes.
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '\'' || c == '\n' || c == '\r'; }, '_');
  if (source.size() > kMaxTemplateBytes) {
    return Status(Code::kTooLarge, "[jinja] '" + name + "': the template is larger than 1 MiB");
  }
  auto program = std::make_unique<Program>();
  program->name = std::move(name);
  AC_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source, program->name));
  AC_RETURN_IF_ERROR(ParseTokens(std::move(tokens), program.get()));
  AC_RETURN_IF_ERROR(ResolveNames(program.get()));
  return std::shared_ptr<const Template>(new Template(std::move(program)));
}

Result<std::string> Template::Render(const json::Value& context,
                                     const RenderOptions& options) const {
  return Interpreter(*program_, context, options).Run();
}

const std::set<std::string>& Template::free_variables() const { return program_->free_variables; }
bool Template::Mentions(std::string_view word) const { return program_->words.count(word) != 0; }
const std::string& Template::name() const { return program_->name; }

std::optional<std::string> RaisedMessage(const Status& status) {
  const std::string& text = status.message();
  if (text.compare(0, kRaised.size(), kRaised) != 0) return std::nullopt;
  const size_t name_end = text.find("' line ", kRaised.size());
  const size_t colon = name_end == std::string::npos ? name_end : text.find(": ", name_end);
  if (colon == std::string::npos) return std::nullopt;
  return text.substr(colon + 2);
}

}  // namespace ac::jinja
