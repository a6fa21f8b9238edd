#include "gateway/reply_cache.h"

#include <utility>
#include <vector>

#include "base/hash.h"
#include "chat/dump.h"
#include "chat/ids.h"
#include "json/json.h"
#include "obs/log.h"
#include "store/schema.h"

namespace ac::gateway {
namespace {

// A reply longer than this is not worth a row.
constexpr size_t kMaxEvents = 20'000;

std::string EncodeEvents(const std::vector<chat::ChatEvent>& events) {
  json::Array list;
  for (const chat::ChatEvent& event : events) list.push_back(chat::EventToJson(event));
  return json::Write(list);
}

// Nothing when the text is not a whole reply: then it is as if it had not been stored.
std::optional<std::vector<chat::ChatEvent>> DecodeEvents(const std::string& text) {
  const Result<json::Value> list = json::Parse(text);
  if (!list.ok() || !list->is_array()) return std::nullopt;
  std::vector<chat::ChatEvent> events;
  for (const json::Value& item : list->get_array()) {
    Result<chat::ChatEvent> event = chat::EventFromJson(item);
    if (!event.ok()) return std::nullopt;
    events.push_back(std::move(event).value());
  }
  const bool is_whole = events.size() >= 2 && events.front().As<chat::MessageStart>() != nullptr &&
                        events.back().As<chat::MessageStop>() != nullptr;
  if (!is_whole) return std::nullopt;
  return events;
}

// Nothing was computed: the whole prompt counts as read from a cache.
chat::Usage UsageOfHit(const chat::Usage& stored) {
  chat::Usage usage = stored;
  usage.cache_read = stored.PromptTokens();
  usage.input_tokens = 0;
  usage.cache_creation = 0;
  return usage;
}

void MakeFresh(chat::ChatEvent* event, const std::string& model) {
  if (auto* start = std::get_if<chat::MessageStart>(&event->value)) {
    start->id = chat::IdSource::Random().Next(chat::kMessageIdPrefix);
    start->model = model;
    start->usage = UsageOfHit(start->usage);
    start->diagnosis.reset();
    start->prompt.reset();
    start->served_by = "reply-cache";
  }
  if (auto* delta = std::get_if<chat::MessageDelta>(&event->value)) {
    delta->usage = UsageOfHit(delta->usage);
    delta->prompt.reset();
  }
}

}  // namespace

Result<ReplyCachePolicy> ParseReplyCachePolicy(std::string_view text) {
  if (text == "off") return ReplyCachePolicy::kOff;
  if (text == "side") return ReplyCachePolicy::kSide;
  if (text == "all") return ReplyCachePolicy::kAll;
  return InvalidArgument("[config] reply_cache.policy takes off, side or all, not \"" +
                         std::string(text) + "\"");
}

bool IsCacheable(ReplyCachePolicy policy, const chat::ChatRequest& request) {
  if (policy == ReplyCachePolicy::kOff) return false;
  if (request.sampling.temperature != 0.0 || request.n != 1) return false;
  if (!request.previous_response_id.empty()) return false;
  return policy == ReplyCachePolicy::kAll || request.tools.empty();
}

std::string ReplyKey(std::string_view scope, const chat::ChatRequest& request) {
  // How the reply is sent, and which conversation asks, do not change what it says.
  chat::ChatRequest asked = request;
  asked.metadata = {};
  asked.stream = false;
  asked.include_usage = false;
  asked.previous_message_id.clear();
  asked.unknown_fields.clear();
  const std::string text =
      json::Write(json::Array{scope, request.metadata.caller, chat::ToJson(asked)});
  // The text itself may hold secrets and is not stored; two hashes and the size stand for it.
  return Hash128Of(text.data(), text.size(), 1).ToHex() +
         Hash128Of(text.data(), text.size(), 2).ToHex() + "-" + std::to_string(text.size());
}

// The caller's handle. What may still reach the sink goes through here, and nothing does once the
// handle is destroyed.
class ReplyCache::CachedCall : public chat::ChatSink {
 public:
  explicit CachedCall(std::shared_ptr<chat::ChatSink> sink) : sink_(std::move(sink)) {}

  void OnEvent(chat::ChatEvent event) override {
    MutexLock lock(mutex_);
    if (sink_ != nullptr) sink_->OnEvent(std::move(event));
  }
  bool cancelled() {
    MutexLock lock(mutex_);
    return sink_ == nullptr;
  }
  // False when the handle is gone already: the call must end.
  bool Adopt(std::unique_ptr<backend::Call>* call) {
    MutexLock lock(mutex_);
    if (sink_ == nullptr) return false;
    call_ = std::move(*call);
    return true;
  }
  void Detach() {
    std::unique_ptr<backend::Call> call;
    {
      MutexLock lock(mutex_);
      sink_ = nullptr;
      call = std::move(call_);
    }
    // Destroyed without the lock: the backend may be inside OnEvent, waiting for it.
  }

  class Handle : public backend::Call {
   public:
    explicit Handle(std::shared_ptr<CachedCall> call) : call_(std::move(call)) {}
    ~Handle() override { call_->Detach(); }

   private:
    const std::shared_ptr<CachedCall> call_;
  };

 private:
  Mutex mutex_;
  std::shared_ptr<chat::ChatSink> sink_ AC_GUARDED_BY(mutex_);
  std::unique_ptr<backend::Call> call_ AC_GUARDED_BY(mutex_);
};

// Passes events on and keeps them; a whole reply that calls no tool is stored.
class ReplyCache::StoringSink : public chat::ChatSink {
 public:
  StoringSink(ReplyCache& owner, std::string key, std::shared_ptr<CachedCall> next)
      : owner_(owner), key_(std::move(key)), next_(std::move(next)) {}

  void OnEvent(chat::ChatEvent event) override {
    const auto* block = event.As<chat::BlockStart>();
    // A tool call has an id that must not occur twice.
    const bool calls = block != nullptr && (block->block.As<chat::ToolUse>() != nullptr ||
                                            block->block.As<chat::ServerToolUse>() != nullptr);
    if (calls || event.As<chat::Error>() != nullptr || events_.size() >= kMaxEvents) keep_ = false;
    const bool is_over = event.As<chat::MessageStop>() != nullptr;
    if (keep_ && event.As<chat::Ping>() == nullptr) events_.push_back(event);
    if (is_over && keep_) {
      owner_.thread_.Post(
          [&owner = owner_, key = key_, body = EncodeEvents(events_)] { owner.Store(key, body); });
    }
    next_->OnEvent(std::move(event));
  }

 private:
  ReplyCache& owner_;
  const std::string key_;
  const std::shared_ptr<CachedCall> next_;
  std::vector<chat::ChatEvent> events_;
  bool keep_ = true;
};

Result<std::unique_ptr<ReplyCache>> ReplyCache::Create(FileSystem& fs, const std::string& home,
                                                       backend::Backend& inner,
                                                       ReplyCacheOptions options,
                                                       obs::Metrics& metrics, Clock& clock) {
  AC_ASSIGN_OR_RETURN(auto database, store::OpenState(fs, home));
  return std::unique_ptr<ReplyCache>(
      new ReplyCache(std::move(database), inner, std::move(options), metrics, clock));
}

ReplyCache::ReplyCache(std::unique_ptr<store::Database> database, backend::Backend& inner,
                       ReplyCacheOptions options, obs::Metrics& metrics, Clock& clock)
    : inner_(inner),
      options_(std::move(options)),
      clock_(clock),
      hits_(metrics.GetCounter("anyclaude_reply_cache_lookups_total",
                               "Requests that a stored reply could answer", {{"result", "hit"}})),
      misses_(metrics.GetCounter("anyclaude_reply_cache_lookups_total",
                                 "Requests that a stored reply could answer",
                                 {{"result", "miss"}})),
      database_(std::move(database)),
      table_(*database_, options_.limits),
      thread_(1) {}

ReplyCache::~ReplyCache() = default;

std::unique_ptr<backend::Call> ReplyCache::Start(chat::ChatRequest request,
                                                 std::shared_ptr<chat::ChatSink> sink) {
  if (!IsCacheable(options_.policy, request)) {
    return inner_.Start(std::move(request), std::move(sink));
  }
  auto call = std::make_shared<CachedCall>(std::move(sink));
  thread_.Post([this, call, request = std::move(request)]() mutable {
    if (call->cancelled()) return;
    const std::string key = ReplyKey(options_.scope, request);
    std::optional<std::vector<chat::ChatEvent>> events;
    if (const auto body = Find(key)) events = DecodeEvents(*body);
    if (events.has_value()) {
      hits_.Add();
      for (chat::ChatEvent& event : *events) {
        MakeFresh(&event, request.model);
        call->OnEvent(std::move(event));
      }
      return;
    }
    misses_.Add();
    auto running =
        inner_.Start(std::move(request), std::make_shared<StoringSink>(*this, key, call));
    call->Adopt(&running);  // otherwise it ends here, with `running`
  });
  return std::make_unique<CachedCall::Handle>(std::move(call));
}

void ReplyCache::CountTokens(chat::ChatRequest request, std::function<void(Result<int64_t>)> done) {
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> ReplyCache::Models() const { return inner_.Models(); }

std::optional<std::string> ReplyCache::Find(const std::string& key) {
  Result<std::optional<std::string>> found = table_.Get(key, NowMs());
  if (found.ok()) return std::move(found).value();
  obs::Warn("gateway", "the reply cache cannot be read", {{"why", found.status().message()}});
  return std::nullopt;
}

void ReplyCache::Store(const std::string& key, const std::string& body) {
  const Status stored = table_.Put(key, body, NowMs());
  if (!stored.ok()) {
    obs::Warn("gateway", "a reply could not be stored", {{"why", stored.message()}});
  }
}

int64_t ReplyCache::NowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.WallNow()).count();
}

}  // namespace ac::gateway
