#include "prompt/prompt_builder.h"

#include <algorithm>
#include <optional>
#include <span>

#include "json/json.h"
#include "prompt/template_traits.h"

namespace ac::prompt {
namespace {

constexpr std::string_view kChatMl =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

// A turn's header is never longer; what is further away belongs to something else.
constexpr size_t kLongestOpening = 4096;

std::string TokenText(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  return id < 0 ? std::string() : std::string(tokenizer.TokenBytes(id));
}

// Where the turn begins whose content or generation starts at `end`; npos when that is unclear.
size_t TurnBegin(std::string_view text, size_t end, const TemplateTraits& traits) {
  const std::string_view before = text.substr(0, end);
  if (traits.turn_opening.empty()) {
    return before.ends_with(traits.turn_lead) ? end - traits.turn_lead.size() : std::string::npos;
  }
  const size_t at = before.rfind(traits.turn_opening);
  return at != std::string::npos && end - at > kLongestOpening ? std::string::npos : at;
}

// In front of each known turn, what the template wrote gives way to what the turn began with.
// Nothing when a beginning is not found.
std::optional<std::string> WithOpenings(std::string_view text, const TemplateTraits& traits,
                                        const std::map<uint64_t, GeneratedTurns::TurnPtr>& turns) {
  std::string out;
  size_t done = 0;
  for (auto found = ContentMarks::FindTurn(text, 0); found.begin != std::string_view::npos;
       found = ContentMarks::FindTurn(text, done)) {
    const size_t begin = TurnBegin(text, found.begin, traits);
    const auto turn = turns.find(found.number);
    if (begin == std::string::npos || begin < done || turn == turns.end()) return std::nullopt;
    out += text.substr(done, begin - done);
    out += turn->second->opening;
    out += text.substr(found.begin, found.end - found.begin);
    done = found.end;
  }
  out += text.substr(done);
  return out;
}

// Messages with the mark were shown as a user's because the template takes no other; their header
// becomes the one of a system message, which no text of a user can write.
void GiveSystemHeaders(const TemplateTraits& traits, std::string* text) {
  const std::string_view mark = ContentMarks::SystemMark();
  for (size_t at = text->find(mark); at != std::string::npos; at = text->find(mark, at)) {
    text->erase(at, mark.size());
    if (!std::string_view(*text).substr(0, at).ends_with(traits.user_header)) continue;
    const size_t header = at - traits.user_header.size();
    text->replace(header, traits.user_header.size(), traits.system_header);
    at = header + traits.system_header.size();
  }
}

}  // namespace

Result<std::unique_ptr<PromptBuilder>> PromptBuilder::Create(const tokenizer::Tokenizer& tokenizer,
                                                             const std::string& chat_template,
                                                             const std::string& tool_use_template) {
  std::unique_ptr<PromptBuilder> builder(new PromptBuilder(tokenizer));
  builder->source_ = chat_template.empty() ? std::string(kChatMl) : chat_template;
  AC_ASSIGN_OR_RETURN(builder->main_, builder->Compile(builder->source_, "chat_template"));
  builder->with_tools_ = builder->main_;
  if (!tool_use_template.empty()) {
    AC_ASSIGN_OR_RETURN(builder->with_tools_,
                        builder->Compile(tool_use_template, "tool_use_template"));
    builder->source_ = tool_use_template;
  }
  return builder;
}

Result<PromptBuilder::Form> PromptBuilder::Compile(const std::string& source,
                                                   const std::string& name) const {
  Form form;
  AC_ASSIGN_OR_RETURN(form.compiled, jinja::Template::Parse(source, name));
  form.traits = ProbeTemplate([&](const chat::ChatRequest& request, const TemplateTraits& traits,
                                  bool add_generation_prompt, std::span<const uint64_t> turns) {
    return RenderWith({form.compiled, traits}, request, turns, add_generation_prompt);
  });
  form.traits.renders_tools = form.compiled->free_variables().count("tools") > 0;
  return form;
}

const PromptBuilder::Form& PromptBuilder::FormFor(const chat::ChatRequest& request) const {
  return request.tools.empty() ? main_ : with_tools_;
}

Result<std::string> PromptBuilder::RenderWith(const Form& form, const chat::ChatRequest& request,
                                              std::span<const uint64_t> turns,
                                              bool add_generation_prompt) const {
  const ContextOptions options{.traits = form.traits,
                               .bos_token = TokenText(tokenizer_, tokenizer_.bos()),
                               .eos_token = TokenText(tokenizer_, tokenizer_.eos()),
                               .add_generation_prompt = add_generation_prompt,
                               .marks = &marks_,
                               .turns = turns};
  AC_ASSIGN_OR_RETURN(const json::Value context, BuildTemplateContext(request, options));
  Result<std::string> rendered = form.compiled->Render(context);
  if (const auto refusal = jinja::RaisedMessage(rendered.status())) {
    return InvalidArgument("the model's chat template refuses this conversation: " + *refusal);
  }
  if (rendered.ok()) GiveSystemHeaders(form.traits, &*rendered);
  return rendered;
}

// `used`: the turns whose marks are in the text.
Result<std::string> PromptBuilder::RenderMarked(const Form& form, const chat::ChatRequest& request,
                                                GeneratedTurns* generated, Turns* used) const {
  if (generated != nullptr && form.traits.takes_turns) {
    std::vector<uint64_t> numbers(request.messages.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      const GeneratedTurns::TurnPtr turn = generated->Find(request.messages[i]);
      if (turn == nullptr || (form.traits.looks_back_at_calls && !turn->call_ids.empty())) continue;
      // The same turn twice: a history that was edited by hand.
      if (used->emplace(turn->number, turn).second) numbers[i] = turn->number;
    }
    if (!used->empty()) {
      const Result<std::string> rendered = RenderWith(form, request, numbers, true);
      if (rendered.ok()) {
        if (auto text = WithOpenings(*rendered, form.traits, *used)) return *std::move(text);
      }
      // A template that wants to see the calls themselves gets them.
      used->clear();
    }
  }
  return RenderWith(form, request, {}, true);
}

Result<Prompt> PromptBuilder::Build(const chat::ChatRequest& request, GeneratedTurns* turns) const {
  const Form& form = FormFor(request);
  Turns used;
  AC_ASSIGN_OR_RETURN(std::string text, RenderMarked(form, request, turns, &used));
  Prompt prompt;
  prompt.known_turns = static_cast<int>(used.size());
  constexpr size_t kEnding = 256;
  prompt.ending = text.substr(text.size() - std::min(text.size(), kEnding));
  prompt.parts = FindParts(request, text);
  if (form.traits.takes_turns && !form.traits.turn_opening.empty()) {
    const size_t begin = TurnBegin(text, text.size(), form.traits);
    if (begin != std::string::npos) {
      prompt.opening = text.substr(begin);
      prompt.parts.push_back(
          {.kind = PromptPart::Kind::kReply, .name = "the head of the reply", .byte = begin});
    }
  }
  prompt.tokens = Encode(std::move(text), used, &prompt.parts);
  return prompt;
}

Result<std::vector<int32_t>> PromptBuilder::Tokens(const chat::ChatRequest& request) const {
  AC_ASSIGN_OR_RETURN(Prompt prompt, Build(request));
  return std::move(prompt.tokens);
}

std::vector<int32_t> PromptBuilder::Tokens(const chat::RawPrompt& prompt) const {
  if (!prompt.tokens.empty()) return prompt.tokens;
  return tokenizer_.Encode(prompt.text, {.parse_special = true, .add_bos_eos = true});
}

Result<std::string> PromptBuilder::Render(const chat::ChatRequest& request) const {
  AC_ASSIGN_OR_RETURN(const std::string text, RenderWith(FormFor(request), request, {}, true));
  std::string buffer;
  return std::string(ContentMarks::Clean(text, &buffer));
}

// A turn's tokens without the end token, which the template writes itself; returns that.
int32_t PromptBuilder::AppendTurn(const GeneratedTurn& turn, std::vector<int32_t>* tokens) const {
  std::span<const int32_t> all(turn.tokens);
  int32_t end = tokenizer::kNoToken;
  if (!all.empty() && tokenizer_.IsEndOfGeneration(all.back())) {
    end = all.back();
    all = all.first(all.size() - 1);
  }
  tokens->insert(tokens->end(), all.begin(), all.end());
  return end;
}

// Finds the parts' first tokens. Between two special tokens their bytes are counted; the first part
// behind one begins with it, because it is the header of the part's turn.
void PromptBuilder::PlaceParts(const TokenizedPrompt& prompt,
                               std::vector<PromptPart>* parts) const {
  const auto& boundaries = prompt.boundaries;
  std::string buffer;
  size_t stretch = 0;  // the boundaries before the part at hand
  size_t byte = 0;     // of the stretch, reached so far
  size_t token = 0;
  bool first = true;
  for (PromptPart& part : *parts) {
    while (stretch < boundaries.size() && boundaries[stretch].byte <= part.byte) {
      byte = boundaries[stretch].byte;
      token = boundaries[stretch].token;
      ++stretch;
      first = true;
    }
    if (part.kind == PromptPart::Kind::kReply && stretch < boundaries.size()) {
      part.token = static_cast<int64_t>(boundaries[stretch].token) - 1;
      continue;
    }
    const std::string_view between = std::string_view(prompt.text).substr(byte, part.byte - byte);
    size_t left = ContentMarks::Clean(between, &buffer).size();
    const size_t header = token > 0 && first ? token - 1 : token;
    while (token < prompt.tokens.size()) {
      const size_t bytes = tokenizer_.TokenBytes(prompt.tokens[token]).size();
      if (bytes > left) break;
      left -= bytes;
      ++token;
    }
    part.token = static_cast<int64_t>(first ? header : token);
    byte = part.byte;
    first = false;
  }
}

std::vector<int32_t> PromptBuilder::Encode(std::string text, const Turns& turns,
                                           std::vector<PromptPart>* parts) const {
  const TokenCache::Start start = cache_.Longest(text);
  auto prompt = std::make_shared<TokenizedPrompt>();
  std::vector<int32_t>& tokens = prompt->tokens;
  size_t at = 0;
  if (start.boundaries > 0) {
    const auto& known = start.from->boundaries;
    prompt->boundaries.assign(known.begin(),
                              known.begin() + static_cast<int64_t>(start.boundaries));
    const tokenizer::TokenBoundary& last = prompt->boundaries.back();
    const auto& ids = start.from->tokens;
    tokens.reserve(ids.size() + (text.size() - last.byte) / 3);
    tokens.assign(ids.begin(), ids.begin() + static_cast<int64_t>(last.token));
    at = last.byte;
  }
  std::string buffer;
  const auto clean = [&](std::string_view plain) { return ContentMarks::Clean(plain, &buffer); };
  int32_t end_token = tokenizer::kNoToken;
  while (true) {
    const ContentMarks::FoundTurn turn = ContentMarks::FindTurn(text, at);
    const size_t first = tokens.size();
    tokenizer_.EncodeFrom(std::string_view(text).substr(0, turn.begin), at, clean, &tokens,
                          &prompt->boundaries);
    // Families with several end tokens: the one the model chose stays.
    if (end_token != tokenizer::kNoToken && first < tokens.size() &&
        tokenizer_.IsEndOfGeneration(tokens[first])) {
      tokens[first] = end_token;
    }
    if (turn.begin == std::string_view::npos) break;
    end_token = AppendTurn(*turns.at(turn.number), &tokens);
    at = turn.end;
  }
  prompt->text = std::move(text);
  PlaceParts(*prompt, parts);
  std::vector<int32_t> result = tokens;
  cache_.Insert(std::move(prompt));
  // Most templates write the first token themselves; a model that wants one must not get two.
  const auto prefix = tokenizer_.prefix_ids();
  if (!prefix.empty() && (result.empty() || result.front() != prefix.front())) {
    result.insert(result.begin(), prefix.begin(), prefix.end());
    for (PromptPart& part : *parts) part.token += static_cast<int64_t>(prefix.size());
  }
  return result;
}

}  // namespace ac::prompt
