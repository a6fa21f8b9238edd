#include "gateway/side_requests.h"

#include <algorithm>
#include <cctype>

#include "chat/ids.h"
#include "json/json.h"

namespace ac::gateway {
namespace {

constexpr size_t kTitleWords = 7;
constexpr size_t kTitleBytes = 60;

class NoCall : public backend::Call {};

std::string LastUserText(const chat::ChatRequest& request) {
  for (auto it = request.messages.rbegin(); it != request.messages.rend(); ++it) {
    if (it->role == chat::Role::kUser) return chat::JoinText(it->blocks, "\n");
  }
  return "";
}

bool IsQuota(const chat::ChatRequest& request) {
  return request.max_tokens == 1 && request.messages.size() == 1 && request.tools.empty() &&
         LastUserText(request) == "quota";
}

// A schema that wants a title and nothing else.
bool IsTitle(const chat::ChatRequest& request) {
  if (request.response_format.kind != chat::ResponseFormat::Kind::kJsonSchema) return false;
  if (!request.tools.empty()) return false;
  const Result<json::Value> schema = json::Parse(request.response_format.schema);
  if (!schema.ok()) return false;
  const json::Object* properties = json::AsObject(json::Find(*schema, "properties"));
  return properties != nullptr && properties->size() == 1 && properties->begin()->key() == "title";
}

bool IsSuggestion(const chat::ChatRequest& request) {
  return LastUserText(request).starts_with("[SUGGESTION MODE:");
}

// Tags such as <session> go, their contents stay; runs of blanks become one.
std::string PlainText(std::string_view text) {
  std::string plain;
  bool in_tag = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool opens =
        c == '<' && i + 1 < text.size() &&
        (std::isalpha(static_cast<unsigned char>(text[i + 1])) != 0 || text[i + 1] == '/');
    if (opens) in_tag = true;
    const bool is_blank = in_tag || std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!is_blank) {
      plain += c;
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
    if (c == '>') in_tag = false;
  }
  while (plain.ends_with(' ')) plain.pop_back();
  return plain;
}

std::string AnswerTo(SideRequest kind, const chat::ChatRequest& request) {
  switch (kind) {
    case SideRequest::kQuota:
      return "ok";
    case SideRequest::kTitle:
      return json::Write(json::Object{{"title", TitleFor(request)}});
    case SideRequest::kSuggestion:
      return "";
  }
  return "";
}

void Play(const std::string& text, const std::string& model, chat::ChatSink& sink) {
  sink.OnEvent(
      {.value = chat::MessageStart{.id = chat::IdSource::Random().Next(chat::kMessageIdPrefix),
                                   .model = model,
                                   .usage = {},
                                   .diagnosis = std::nullopt,
                                   .served_by = "gateway"}});
  sink.OnEvent({.value = chat::BlockStart{.index = 0, .block = {.value = chat::Text{}}}});
  if (!text.empty()) sink.OnEvent({.value = chat::TextDelta{.index = 0, .text = text}});
  sink.OnEvent({.value = chat::BlockStop{.index = 0}});
  sink.OnEvent({.value = chat::MessageDelta{}});
  sink.OnEvent({.value = chat::MessageStop{}});
}

}  // namespace

std::string_view SideRequestName(SideRequest kind) {
  switch (kind) {
    case SideRequest::kQuota:
      return "quota";
    case SideRequest::kTitle:
      return "title";
    case SideRequest::kSuggestion:
      return "suggestion";
  }
  return "quota";
}

std::optional<SideRequest> ClassifySideRequest(const chat::ChatRequest& request) {
  if (request.n != 1 || !request.prompts.empty()) return std::nullopt;
  if (IsQuota(request)) return SideRequest::kQuota;
  if (IsTitle(request)) return SideRequest::kTitle;
  if (IsSuggestion(request)) return SideRequest::kSuggestion;
  return std::nullopt;
}

std::string TitleFor(const chat::ChatRequest& request) {
  const std::string plain = PlainText(LastUserText(request));
  size_t end = 0;
  size_t words = 0;
  while (end < plain.size() && words < kTitleWords) {
    const size_t next = std::min(plain.find(' ', end + 1), plain.size());
    if (next > kTitleBytes && words > 0) break;
    end = next;
    ++words;
  }
  std::string title = plain.substr(0, std::min(end, kTitleBytes));
  // Not in the middle of a character.
  while (!title.empty() && title.size() < plain.size() &&
         (static_cast<unsigned char>(plain[title.size()]) & 0xC0) == 0x80) {
    title.pop_back();
  }
  if (title.empty()) return "New conversation";
  title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
  return title;
}

SideRequests::SideRequests(backend::Backend& inner, SideRequestRules rules, obs::Metrics& metrics)
    : inner_(inner), rules_(rules), metrics_(metrics) {}

bool SideRequests::IsOn(SideRequest kind) const {
  switch (kind) {
    case SideRequest::kQuota:
      return rules_.quota;
    case SideRequest::kTitle:
      return rules_.title;
    case SideRequest::kSuggestion:
      return rules_.suggestion;
  }
  return false;
}

std::unique_ptr<backend::Call> SideRequests::Start(chat::ChatRequest request,
                                                   std::shared_ptr<chat::ChatSink> sink) {
  const std::optional<SideRequest> kind = ClassifySideRequest(request);
  if (!kind.has_value() || !IsOn(*kind)) return inner_.Start(std::move(request), std::move(sink));
  metrics_
      .GetCounter("anyclaude_side_requests_total", "Requests that the gateway answered itself",
                  {{"kind", std::string(SideRequestName(*kind))}})
      .Add();
  Play(AnswerTo(*kind, request), request.model, *sink);
  return std::make_unique<NoCall>();
}

void SideRequests::CountTokens(chat::ChatRequest request,
                               std::function<void(Result<int64_t>)> done) {
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> SideRequests::Models() const { return inner_.Models(); }

}  // namespace ac::gateway
