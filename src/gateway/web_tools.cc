#include "gateway/web_tools.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "chat/ids.h"
#include "json/json.h"

namespace ac::gateway {
namespace {

constexpr std::string_view kTool = "web_search";
constexpr std::string_view kType = "web_search_";
constexpr int64_t kDefaultUses = 5;
constexpr std::string_view kDirect = "Perform a web search for the query: ";

constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"query":{"type":"string"}},"required":["query"]})";

bool IsWebSearch(const chat::ToolSpec& tool) { return tool.type.starts_with(kType); }

// What a model reads of a result that the client keeps as JSON.
std::string ReadableResult(const std::string& content) {
  const Result<json::Value> parsed = json::Parse(content);
  const json::Array* hits = parsed.ok() ? parsed->if_array() : nullptr;
  if (hits == nullptr) return "The search failed.";
  std::string text;
  for (const json::Value& hit : *hits) {
    text += std::string(json::GetString(hit, "title").value_or("")) + "\n" +
            std::string(json::GetString(hit, "url").value_or("")) + "\n";
    // Our own results carry their text where the cloud's carry a cipher.
    text += std::string(json::GetString(hit, "encrypted_content").value_or("")) + "\n\n";
  }
  return text.empty() ? "Nothing was found." : text;
}

// One assistant message with server blocks becomes assistant and user messages in turn.
void AddTranslated(const chat::Message& message, std::vector<chat::Message>* out) {
  chat::Message current{.role = message.role};
  for (const chat::Block& block : message.blocks) {
    if (const auto* use = block.As<chat::ServerToolUse>()) {
      current.blocks.push_back({.value = chat::ToolUse{use->id, use->name, use->input}});
    } else if (const auto* result = block.As<chat::ServerToolResult>()) {
      if (!current.blocks.empty()) out->push_back(std::move(current));
      current = {.role = message.role};
      chat::ToolResult readable{.tool_use_id = result->tool_use_id};
      readable.content.push_back({.value = chat::Text{ReadableResult(result->content)}});
      out->push_back({chat::Role::kUser, {{.value = std::move(readable)}}});
    } else {
      current.blocks.push_back(block);
    }
  }
  if (!current.blocks.empty()) out->push_back(std::move(current));
}

bool HasServerBlocks(const chat::Message& message) {
  return std::any_of(message.blocks.begin(), message.blocks.end(), [](const chat::Block& block) {
    return block.As<chat::ServerToolUse>() != nullptr ||
           block.As<chat::ServerToolResult>() != nullptr;
  });
}

std::string ResultContent(const Result<std::vector<SearchHit>>& hits) {
  if (!hits.ok()) {
    return json::Write(
        json::Object{{"type", "web_search_tool_result_error"}, {"error_code", "unavailable"}});
  }
  json::Array list;
  for (const SearchHit& hit : *hits) {
    list.push_back(
        json::Object{{"type", "web_search_result"},
                     {"url", hit.url},
                     {"title", hit.title},
                     {"encrypted_content", hit.text},
                     {"page_age", hit.age.empty() ? json::Value(nullptr) : json::Value(hit.age)}});
  }
  return json::Write(list);
}

void Add(const chat::Usage& more, chat::Usage* sum) {
  sum->input_tokens += more.input_tokens;
  sum->cache_read += more.cache_read;
  sum->cache_creation += more.cache_creation;
  sum->output_tokens += more.output_tokens;
  sum->thinking_tokens += more.thinking_tokens;
}

}  // namespace

bool TranslateWebSearch(chat::ChatRequest* request, int64_t* max_uses) {
  const auto tool = std::find_if(request->tools.begin(), request->tools.end(), IsWebSearch);
  if (tool == request->tools.end()) return false;
  const Result<json::Value> definition = json::Parse(tool->json);
  *max_uses = kDefaultUses;
  if (definition.ok()) {
    *max_uses =
        std::clamp<int64_t>(json::GetInt(*definition, "max_uses").value_or(kDefaultUses), 1, 20);
  }
  *tool = {.name = std::string(kTool),
           .description = "Searches the web and gives titles, addresses and excerpts of pages.",
           .input_schema = std::string(kSchema)};
  std::vector<chat::Message> messages;
  for (chat::Message& message : request->messages) {
    if (HasServerBlocks(message)) {
      AddTranslated(message, &messages);
    } else {
      messages.push_back(std::move(message));
    }
  }
  request->messages = std::move(messages);
  return true;
}

std::string DirectQuery(const chat::ChatRequest& request) {
  if (request.tools.size() != 1 || !IsWebSearch(request.tools[0])) return "";
  if (request.messages.empty() || request.messages.back().role != chat::Role::kUser) return "";
  const std::string text = chat::JoinText(request.messages.back().blocks, "\n");
  if (!text.starts_with(kDirect)) return "";
  return text.substr(kDirect.size());
}

// One message to the client, made of several rounds of the inner backend.
class WebTools::Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(WebTools& owner, chat::ChatRequest request, int64_t max_uses,
               std::shared_ptr<chat::ChatSink> sink)
      : owner_(owner), request_(std::move(request)), uses_left_(max_uses), sink_(std::move(sink)) {}

  // Asks the inner backend with the conversation so far.
  void NextRound();
  // Searches at once for what the client's own request spells out.
  void SearchFirst(const std::string& query);
  void OnEvent(chat::ChatEvent event);
  void Detach();

 private:
  struct OwnCall {
    int inner_index = -1;
    chat::ToolUse use;
  };

  bool Forward(chat::ChatEvent event) AC_REQUIRES(mutex_);
  void OpenMessage() AC_REQUIRES(mutex_);
  bool TakeOwnCall(const chat::ChatEvent& event) AC_REQUIRES(mutex_);
  void NoteForHistory(const chat::ChatEvent& event) AC_REQUIRES(mutex_);
  void SendIndexed(chat::ChatEvent event) AC_REQUIRES(mutex_);
  void SendCall(const OwnCall& call, const std::string& server_id) AC_REQUIRES(mutex_);
  void Run(size_t at);
  void Searched(size_t at, const std::string& server_id, Result<std::vector<SearchHit>> hits);
  static std::string QueryOf(const chat::ToolUse& use);

  WebTools& owner_;
  Mutex mutex_;
  chat::ChatRequest request_ AC_GUARDED_BY(mutex_);
  int64_t uses_left_ AC_GUARDED_BY(mutex_);
  std::shared_ptr<chat::ChatSink> sink_ AC_GUARDED_BY(mutex_);  // null once over or detached
  bool opened_ AC_GUARDED_BY(mutex_) = false;                   // MessageStart is out
  int base_ AC_GUARDED_BY(mutex_) = 0;                          // index of the round's first block
  int next_ AC_GUARDED_BY(mutex_) = 0;                          // index of the next block
  chat::Usage usage_ AC_GUARDED_BY(mutex_);
  chat::MessageDelta end_ AC_GUARDED_BY(mutex_);  // of the round
  std::vector<OwnCall> calls_ AC_GUARDED_BY(mutex_);
  chat::Message said_ AC_GUARDED_BY(mutex_);  // by the model in this round
  chat::Message results_ AC_GUARDED_BY(mutex_);
  bool client_calls_ AC_GUARDED_BY(mutex_) = false;
  // Kept to the end: a call must not be destroyed inside its own callback.
  std::vector<std::unique_ptr<backend::Call>> rounds_ AC_GUARDED_BY(mutex_);
  std::vector<http::Call> searches_ AC_GUARDED_BY(mutex_);
};

class WebTools::RoundSink : public chat::ChatSink {
 public:
  explicit RoundSink(std::weak_ptr<Conversation> to) : to_(std::move(to)) {}
  void OnEvent(chat::ChatEvent event) override {
    if (const auto to = to_.lock()) to->OnEvent(std::move(event));
  }

 private:
  const std::weak_ptr<Conversation> to_;
};

class WebTools::Handle : public backend::Call {
 public:
  explicit Handle(std::shared_ptr<Conversation> to) : to_(std::move(to)) {}
  ~Handle() override { to_->Detach(); }

 private:
  const std::shared_ptr<Conversation> to_;
};

void WebTools::Conversation::NextRound() {
  chat::ChatRequest request;
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    base_ = next_;
    calls_.clear();
    client_calls_ = false;
    end_ = {};
    said_ = {.role = chat::Role::kAssistant};
    results_ = {.role = chat::Role::kUser};
    request = request_;
    if (uses_left_ <= 0) {
      std::erase_if(request.tools, [](const chat::ToolSpec& tool) { return tool.name == kTool; });
      request.tool_choice = {};
    }
  }
  auto call =
      owner_.inner_.Start(std::move(request), std::make_shared<RoundSink>(weak_from_this()));
  MutexLock lock(mutex_);
  if (sink_ != nullptr) rounds_.push_back(std::move(call));
}

void WebTools::Conversation::SearchFirst(const std::string& query) {
  {
    MutexLock lock(mutex_);
    said_ = {.role = chat::Role::kAssistant};
    results_ = {.role = chat::Role::kUser};
    OpenMessage();
    calls_.push_back({.use = {.id = chat::IdSource::Random().Next(chat::kToolUseIdPrefix),
                              .name = std::string(kTool),
                              .input = json::Write(json::Object{{"query", query}})}});
  }
  Run(0);
}

void WebTools::Conversation::OpenMessage() {
  if (opened_ || sink_ == nullptr) return;
  opened_ = true;
  sink_->OnEvent(
      {.value = chat::MessageStart{.id = chat::IdSource::Random().Next(chat::kMessageIdPrefix),
                                   .model = request_.model}});
}

void WebTools::Conversation::OnEvent(chat::ChatEvent event) {
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr || !Forward(std::move(event))) return;
  }
  Run(0);
}

// True when the round is over and searches are to run.
bool WebTools::Conversation::Forward(chat::ChatEvent event) {
  if (event.As<chat::MessageStart>() != nullptr) {
    if (!opened_) sink_->OnEvent(std::move(event));
    opened_ = true;
    return false;
  }
  if (event.As<chat::Ping>() != nullptr || event.As<chat::Error>() != nullptr) {
    const bool over = event.As<chat::Error>() != nullptr;
    sink_->OnEvent(std::move(event));
    if (over) sink_ = nullptr;
    return false;
  }
  if (const auto* end = event.As<chat::MessageDelta>()) {
    end_ = *end;
    Add(end->usage, &usage_);
    return false;
  }
  if (event.As<chat::MessageStop>() != nullptr) {
    if (!calls_.empty()) return true;
    end_.usage = usage_;
    sink_->OnEvent({.value = end_});
    sink_->OnEvent({.value = chat::MessageStop{}});
    sink_ = nullptr;
    return false;
  }
  if (TakeOwnCall(event)) return false;
  NoteForHistory(event);
  SendIndexed(std::move(event));
  return false;
}

bool WebTools::Conversation::TakeOwnCall(const chat::ChatEvent& event) {
  if (const auto* start = event.As<chat::BlockStart>()) {
    const auto* use = start->block.As<chat::ToolUse>();
    if (use == nullptr) return false;
    if (use->name != kTool) {
      client_calls_ = true;
      return false;
    }
    calls_.push_back({.inner_index = start->index, .use = *use});
    return true;
  }
  if (calls_.empty()) return false;
  OwnCall& open = calls_.back();
  if (const auto* args = event.As<chat::ToolArgsDelta>(); args && args->index == open.inner_index) {
    open.use.input += args->partial_json;
    return true;
  }
  const auto* stop = event.As<chat::BlockStop>();
  return stop != nullptr && stop->index == open.inner_index;
}

void WebTools::Conversation::NoteForHistory(const chat::ChatEvent& event) {
  if (const auto* start = event.As<chat::BlockStart>()) said_.blocks.push_back(start->block);
  if (said_.blocks.empty()) return;
  chat::Block& last = said_.blocks.back();
  if (const auto* delta = event.As<chat::TextDelta>()) {
    if (auto* text = last.As<chat::Text>()) text->text += delta->text;
  } else if (const auto* thought = event.As<chat::ThinkingDelta>()) {
    if (auto* thinking = last.As<chat::Thinking>()) thinking->text += thought->text;
  } else if (const auto* signed_by = event.As<chat::SignatureDelta>()) {
    if (auto* thinking = last.As<chat::Thinking>()) thinking->signature += signed_by->signature;
  } else if (const auto* args = event.As<chat::ToolArgsDelta>()) {
    if (auto* use = last.As<chat::ToolUse>()) use->input += args->partial_json;
  }
}

// Blocks of all rounds are numbered through; the inner indices begin at 0 in each.
void WebTools::Conversation::SendIndexed(chat::ChatEvent event) {
  if (event.As<chat::BlockStart>() != nullptr) ++next_;
  const int index = next_ - 1;
  std::visit(
      [index](auto& value) {
        if constexpr (requires { value.index; }) value.index = index;
      },
      event.value);
  sink_->OnEvent(std::move(event));
}

std::string WebTools::Conversation::QueryOf(const chat::ToolUse& use) {
  const Result<json::Value> input = json::Parse(use.input);
  if (!input.ok()) return "";
  return std::string(json::GetString(*input, "query").value_or(""));
}

void WebTools::Conversation::SendCall(const OwnCall& call, const std::string& server_id) {
  SendIndexed({.value = chat::BlockStart{
                   .index = 0,
                   .block = {.value = chat::ServerToolUse{server_id, std::string(kTool), ""}}}});
  SendIndexed(
      {.value = chat::ToolArgsDelta{
           .index = 0, .partial_json = json::Write(json::Object{{"query", QueryOf(call.use)}})}});
  SendIndexed({.value = chat::BlockStop{.index = 0}});
}

// Runs the searches of a round one after the other, then asks the model to go on.
void WebTools::Conversation::Run(size_t at) {
  std::string query;
  std::string server_id;
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    if (at < calls_.size()) {
      server_id = chat::IdSource::Random().Next("srvtoolu_");
      SendCall(calls_[at], server_id);
      query = QueryOf(calls_[at].use);
    } else if (client_calls_) {
      // The client must run its own tools first; it will send the results of both.
      end_.usage = usage_;
      sink_->OnEvent({.value = end_});
      sink_->OnEvent({.value = chat::MessageStop{}});
      sink_ = nullptr;
      return;
    } else {
      for (const OwnCall& call : calls_) said_.blocks.push_back({.value = call.use});
      request_.messages.push_back(said_);
      request_.messages.push_back(results_);
      request_.tool_choice = {};
    }
  }
  if (server_id.empty()) return NextRound();
  owner_.searches_.Add();
  const auto self = shared_from_this();
  const auto searched = [self, at, server_id](Result<std::vector<SearchHit>> hits) {
    self->Searched(at, server_id, std::move(hits));
  };
  if (query.empty()) return searched(InvalidArgument("[web] the model gave no query"));
  http::Call call = owner_.searcher_.Search(query, searched);
  MutexLock lock(mutex_);
  if (sink_ != nullptr) searches_.push_back(std::move(call));
}

void WebTools::Conversation::Searched(size_t at, const std::string& server_id,
                                      Result<std::vector<SearchHit>> hits) {
  if (!hits.ok()) owner_.failures_.Add();
  const std::string content = ResultContent(hits);
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    --uses_left_;
    SendIndexed(
        {.value = chat::BlockStart{.index = 0,
                                   .block = {.value = chat::ServerToolResult{
                                                 "web_search_tool_result", server_id, content}}}});
    SendIndexed({.value = chat::BlockStop{.index = 0}});
    chat::ToolResult result{.tool_use_id = calls_[at].use.id, .is_error = !hits.ok()};
    result.content.push_back(
        {.value = chat::Text{hits.ok() ? ReadableResult(content) : hits.status().message()}});
    results_.blocks.push_back({.value = std::move(result)});
  }
  Run(at + 1);
}

void WebTools::Conversation::Detach() {
  std::vector<std::unique_ptr<backend::Call>> rounds;
  std::vector<http::Call> searches;
  {
    MutexLock lock(mutex_);
    sink_ = nullptr;
    rounds.swap(rounds_);
    searches.swap(searches_);
  }
  // Destroyed without the lock: they may be inside a callback, waiting for it.
}

WebTools::WebTools(backend::Backend& inner, SearchOptions options, obs::Metrics& metrics)
    : inner_(inner),
      searches_(metrics.GetCounter("anyclaude_web_searches_total", "Searches run for a model")),
      failures_(metrics.GetCounter("anyclaude_web_search_failures_total",
                                   "Searches that the service did not answer")),
      searcher_(std::move(options)) {}

WebTools::~WebTools() = default;

std::unique_ptr<backend::Call> WebTools::Start(chat::ChatRequest request,
                                               std::shared_ptr<chat::ChatSink> sink) {
  const std::string query = DirectQuery(request);
  int64_t max_uses = 0;
  if (request.n != 1 || !TranslateWebSearch(&request, &max_uses)) {
    return inner_.Start(std::move(request), std::move(sink));
  }
  auto conversation =
      std::make_shared<Conversation>(*this, std::move(request), max_uses, std::move(sink));
  auto handle = std::make_unique<Handle>(conversation);
  if (query.empty()) {
    conversation->NextRound();
  } else {
    conversation->SearchFirst(query);
  }
  return handle;
}

void WebTools::CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) {
  int64_t max_uses = 0;
  TranslateWebSearch(&request, &max_uses);
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> WebTools::Models() const { return inner_.Models(); }

}  // namespace ac::gateway
