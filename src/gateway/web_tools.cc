#include "gateway/web_tools.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "chat/ids.h"
#include "json/json.h"

namespace ac::gateway {
namespace {

void Add(const chat::Usage& more, chat::Usage* sum) {
  sum->input_tokens += more.input_tokens;
  sum->cache_read += more.cache_read;
  sum->cache_creation += more.cache_creation;
  sum->output_tokens += more.output_tokens;
  sum->thinking_tokens += more.thinking_tokens;
}

// The one argument of a call: a query, an address.
std::string_view ArgumentOf(std::string_view tool) { return tool == kFetchTool ? "url" : "query"; }

}  // namespace

// One message to the client, made of several rounds of the inner backend.
class WebTools::Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(WebTools& owner, chat::ChatRequest request, OfferedTools offered,
               std::shared_ptr<chat::ChatSink> sink)
      : owner_(owner),
        request_(std::move(request)),
        offered_(std::move(offered)),
        sink_(std::move(sink)) {}

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
  void Search(size_t at, const std::string& server_id, const std::string& query);
  void Fetch(size_t at, const std::string& server_id, const std::string& url);
  void Finished(size_t at, const std::string& server_id, const ServerResult& result);
  static std::string InputOf(const chat::ToolUse& use);

  WebTools& owner_;
  Mutex mutex_;
  chat::ChatRequest request_ AC_GUARDED_BY(mutex_);
  OfferedTools offered_ AC_GUARDED_BY(mutex_);
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
  std::vector<std::unique_ptr<web::Fetch>> fetches_ AC_GUARDED_BY(mutex_);
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
    for (const auto& [name, tool] : offered_) {
      if (tool.uses_left > 0) continue;
      std::erase_if(request.tools,
                    [&name = name](const chat::ToolSpec& spec) { return spec.name == name; });
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
                              .name = std::string(kSearchTool),
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
    if (!offered_.contains(use->name)) {
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

std::string WebTools::Conversation::InputOf(const chat::ToolUse& use) {
  const Result<json::Value> input = json::Parse(use.input);
  if (!input.ok()) return "";
  return std::string(json::GetString(*input, ArgumentOf(use.name)).value_or(""));
}

void WebTools::Conversation::SendCall(const OwnCall& call, const std::string& server_id) {
  SendIndexed(
      {.value = chat::BlockStart{
           .index = 0, .block = {.value = chat::ServerToolUse{server_id, call.use.name, ""}}}});
  const json::Object input{{ArgumentOf(call.use.name), InputOf(call.use)}};
  SendIndexed({.value = chat::ToolArgsDelta{.index = 0, .partial_json = json::Write(input)}});
  SendIndexed({.value = chat::BlockStop{.index = 0}});
}

// Runs the calls of a round one after the other, then asks the model to go on.
void WebTools::Conversation::Run(size_t at) {
  std::string tool;
  std::string input;
  std::string server_id;
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    if (at < calls_.size()) {
      server_id = chat::IdSource::Random().Next("srvtoolu_");
      SendCall(calls_[at], server_id);
      tool = calls_[at].use.name;
      input = InputOf(calls_[at].use);
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
  if (tool == kFetchTool) return Fetch(at, server_id, input);
  Search(at, server_id, input);
}

void WebTools::Conversation::Search(size_t at, const std::string& server_id,
                                    const std::string& query) {
  owner_.search_counters_.calls.Add();
  const auto self = shared_from_this();
  const auto searched = [self, at, server_id](const Result<std::vector<web::SearchHit>>& hits) {
    if (!hits.ok()) self->owner_.search_counters_.failures.Add();
    self->Finished(at, server_id, SearchResult(hits));
  };
  if (query.empty()) return searched(InvalidArgument("[web] the model gave no query"));
  http::Call call = owner_.searcher_.Search(query, searched);
  MutexLock lock(mutex_);
  if (sink_ != nullptr) searches_.push_back(std::move(call));
}

void WebTools::Conversation::Fetch(size_t at, const std::string& server_id,
                                   const std::string& url) {
  owner_.fetch_counters_.calls.Add();
  web::FetchRules rules;
  bool known = false;
  {
    MutexLock lock(mutex_);
    rules = offered_.find(kFetchTool)->second.rules;
    known = IsAddressKnown(request_, url);
  }
  const auto self = shared_from_this();
  const auto fetched = [self, at, server_id](const web::FetchOutcome& outcome) {
    if (!outcome.page) self->owner_.fetch_counters_.failures.Add();
    self->Finished(at, server_id, FetchResult(outcome));
  };
  if (!url.empty() && !known) {
    return fetched({.page = std::nullopt,
                    .error = {"url_not_in_prior_context",
                              "only addresses that the user or a result has named are fetched"}});
  }
  std::unique_ptr<web::Fetch> fetch = owner_.fetcher_.Start(url, rules, fetched);
  MutexLock lock(mutex_);
  if (sink_ != nullptr) fetches_.push_back(std::move(fetch));
}

void WebTools::Conversation::Finished(size_t at, const std::string& server_id,
                                      const ServerResult& result) {
  {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return;
    --offered_.find(calls_[at].use.name)->second.uses_left;
    SendIndexed(
        {.value = chat::BlockStart{
             .index = 0,
             .block = {.value = chat::ServerToolResult{result.type, server_id, result.content}}}});
    SendIndexed({.value = chat::BlockStop{.index = 0}});
    chat::ToolResult told{.tool_use_id = calls_[at].use.id, .is_error = result.failed};
    told.content.push_back({.value = chat::Text{result.readable}});
    results_.blocks.push_back({.value = std::move(told)});
  }
  Run(at + 1);
}

void WebTools::Conversation::Detach() {
  std::vector<std::unique_ptr<backend::Call>> rounds;
  std::vector<http::Call> searches;
  std::vector<std::unique_ptr<web::Fetch>> fetches;
  {
    MutexLock lock(mutex_);
    sink_ = nullptr;
    rounds.swap(rounds_);
    searches.swap(searches_);
    fetches.swap(fetches_);
  }
  // Destroyed without the lock: they may be inside a callback, waiting for it.
}

WebTools::WebTools(backend::Backend& inner, WebOptions options, obs::Metrics& metrics)
    : inner_(inner),
      searches_(options.search.service != web::SearchService::kOff),
      fetches_(options.fetch.enabled),
      search_counters_(
          {metrics.GetCounter("anyclaude_web_searches_total", "Searches run for a model"),
           metrics.GetCounter("anyclaude_web_search_failures_total",
                              "Searches that the service did not answer")}),
      fetch_counters_(
          {metrics.GetCounter("anyclaude_web_fetches_total", "Pages fetched for a model"),
           metrics.GetCounter("anyclaude_web_fetch_failures_total",
                              "Pages that could not or must not be fetched")}),
      searcher_(std::move(options.search)),
      fetcher_(std::move(options.fetch)) {}

WebTools::~WebTools() = default;

OfferedTools WebTools::Take(chat::ChatRequest* request) const {
  return TakeServerTools(searches_, fetches_, request);
}

std::unique_ptr<backend::Call> WebTools::Start(chat::ChatRequest request,
                                               std::shared_ptr<chat::ChatSink> sink) {
  const std::string query = searches_ ? DirectQuery(request) : "";
  OfferedTools offered;
  if (request.n == 1) offered = Take(&request);
  if (offered.empty()) return inner_.Start(std::move(request), std::move(sink));
  auto conversation = std::make_shared<Conversation>(*this, std::move(request), std::move(offered),
                                                     std::move(sink));
  auto handle = std::make_unique<Handle>(conversation);
  if (query.empty()) {
    conversation->NextRound();
  } else {
    conversation->SearchFirst(query);
  }
  return handle;
}

void WebTools::CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) {
  Take(&request);
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> WebTools::Models() const { return inner_.Models(); }

}  // namespace ac::gateway
