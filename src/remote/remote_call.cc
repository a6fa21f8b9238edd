#include "remote/internal/remote_call.h"

#include <algorithm>
#include <utility>

#include "api/errors.h"
#include "obs/log.h"
#include "remote/discovery.h"

namespace ac::remote {
namespace {

constexpr int kMaxAdaptations = 8;
constexpr size_t kMaxRefusalBytes = size_t{64} << 10;
// A server that asks for a longer pause is not waited for: the client is told to.
constexpr int64_t kLongestPause = 30;
constexpr Nanos kFirstPause = std::chrono::milliseconds(400);
// Until a server has counted once.
constexpr int64_t kAssumedBytesPerToken = 4;
// Left free between prompt and window when the prompt's size is an estimate.
constexpr int64_t kWindowMargin = 256;
constexpr int64_t kLeastOutput = 1024;

std::vector<chat::ToolSpec> CallableTools(const chat::ChatRequest& request) {
  if (request.tool_choice.kind == chat::ToolChoice::Kind::kNone) return {};
  std::vector<chat::ToolSpec> tools;
  for (const chat::ToolSpec& tool : request.tools) {
    if (tool.type.empty() || !tool.input_schema.empty()) tools.push_back(tool);
  }
  return tools;
}

size_t TextBytes(const chat::ChatEvent& event) {
  if (const auto* text = event.As<chat::TextDelta>()) return text->text.size();
  if (const auto* thinking = event.As<chat::ThinkingDelta>()) return thinking->text.size();
  if (const auto* arguments = event.As<chat::ToolArgsDelta>())
    return arguments->partial_json.size();
  return 0;
}

}  // namespace

RemoteCall::RemoteCall(std::shared_ptr<RemoteCore> core, chat::ChatRequest request,
                       std::shared_ptr<chat::ChatSink> sink)
    : core_(std::move(core)), sink_(std::move(sink)), request_(std::move(request)) {}

void RemoteCall::Begin() {
  core_->metrics.requests.Add();
  {
    MutexLock lock(mutex_);
    if (request_.stream) {
      early_timer_ = core_->timer.After(core_->options.early_start, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->EarlyStart();
      });
    }
  }
  const Admission::Ticket ticket =
      core_->admission.Enter([self = shared_from_this()] { self->Granted(); });
  {
    MutexLock lock(mutex_);
    ticket_ = ticket;
    if (ticket == 0) {
      Fail(Status(Code::kOverloaded,
                  "[remote] " + std::to_string(core_->options.max_waiting) + " requests wait for " +
                      std::string(core_->peer().kind->title) + " already; try again later"));
    }
  }
  LeaveIfDue();
}

void RemoteCall::Granted() {
  {
    MutexLock lock(mutex_);
    has_turn_ = true;
    if (sink_ == nullptr) {
      leave_due_ = true;
    } else {
      Send();
    }
  }
  LeaveIfDue();
}

void RemoteCall::Detach() {
  http::Call call;
  Timer::Id timers[2];
  Admission::Ticket waiting = 0;
  std::shared_ptr<chat::ChatSink> sink;
  {
    MutexLock lock(mutex_);
    sink = std::move(sink_);
    sink_ = nullptr;
    call = std::move(http_);
    timers[0] = std::exchange(retry_timer_, 0);
    timers[1] = std::exchange(early_timer_, 0);
    if (std::exchange(breaker_waits_, false)) core_->breaker.Abandoned();
    if (has_turn_) {
      leave_due_ = true;
    } else {
      waiting = ticket_;
    }
  }
  call = http::Call();  // closes the connection: the server stops generating
  for (const Timer::Id timer : timers) core_->timer.Cancel(timer);
  if (waiting != 0) core_->admission.Withdraw(waiting);
  LeaveIfDue();
}

void RemoteCall::LeaveIfDue() {
  bool leave = false;
  {
    MutexLock lock(mutex_);
    if (has_turn_ && leave_due_) {
      leave = true;
      has_turn_ = false;
    }
    leave_due_ = false;
  }
  if (leave) core_->admission.Leave();
}

// --- Sending -------------------------------------------------------------------------------------

void RemoteCall::Send() {
  retry_timer_ = 0;
  if (!core_->breaker.Allow()) {
    core_->metrics.circuit.Set(1);
    const auto seconds = static_cast<int64_t>(Seconds(core_->breaker.TimeToRetry())) + 1;
    const Peer peer = core_->peer();
    Emit({chat::Error{
        Unavailable("[remote] " + std::string(peer.kind->title) + " at " + peer.url +
                    " keeps failing and gets no requests for " + std::to_string(seconds) + " s; " +
                    std::string(peer.kind->start_hint)),
        seconds}});
    return;
  }
  breaker_waits_ = true;
  core_->metrics.circuit.Set(0);
  const ServerKind& kind = *core_->options.kind;
  const Learned learned = core_->learned();
  endpoint_ = learned.no_native_endpoint ? api::Endpoint::kChatCompletions : kind.endpoint;
  chat::ChatRequest shaped = ShapeRequest(request_, kind, learned, endpoint_);
  const std::string model = PickModel(kind, core_->options.model, request_.model, core_->Models());
  if (endpoint_ == api::Endpoint::kChatCompletions) TellNotToThink(model, &shaped);

  int64_t tokens = 0;
  const size_t bytes = PromptBytes(shaped);
  const bool measured = core_->EstimateTokens(bytes, &tokens);
  if (!measured) tokens = static_cast<int64_t>(bytes) / kAssumedBytesPerToken;
  const int64_t window = core_->WindowOf(model);
  if (window > 0 && measured && kind.quirks.truncates && tokens > window) {
    TellBreaker(true);
    return Fail(api::PromptTooLong(tokens, window));
  }
  if (window > 0 && shaped.max_tokens.has_value()) {
    const int64_t room = std::max(kLeastOutput, window - tokens - kWindowMargin);
    shaped.max_tokens = std::min(*shaped.max_tokens, room);
  }

  Result<std::string> body =
      api::SerializeRequest(endpoint_, shaped, SerializeOptionsFor(kind, learned, model));
  if (!body.ok()) {
    TellBreaker(true);
    return Fail(body.status());
  }
  const int attempt = ++attempt_;
  connected_ = refused_ = false;
  head_ = {};
  decoder_ = api::MakeEventDecoder(endpoint_, {.model = request_.model, .ids = &core_->ids});
  rescue_ = std::make_unique<TextRescue>(
      kind.quirks.calls_as_text ? CallableTools(request_) : std::vector<chat::ToolSpec>(),
      core_->ids);
  sent_at_ = core_->clock.Now();
  const auto self = shared_from_this();
  http_ = core_->client.Start(
      {.method = "POST",
       .url = core_->EndpointUrl(endpoint_),
       .headers = core_->RequestHeaders(),
       .body = std::move(body).value(),
       .repeatable = !kind.cloud,  // on a kept connection that was dead
       .timeouts = core_->Timeouts()},
      {.on_connected = [self, attempt] { self->OnConnected(attempt); },
       .on_headers = [self, attempt](const http::Response& head) { self->OnHead(attempt, head); },
       .on_data = [self, attempt](std::string_view data) { self->OnData(attempt, data); },
       .on_done = [self, attempt](const Status& status) { self->OnDone(attempt, status); }});
}

void RemoteCall::SendAfter(Nanos delay) {
  core_->metrics.retries.Add();
  ++attempt_;  // what the failed one still says is not heard
  retry_timer_ = core_->timer.After(delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      MutexLock lock(self->mutex_);
      if (self->sink_ != nullptr) self->Send();
    }
    self->LeaveIfDue();
  });
}

void RemoteCall::EarlyStart() {
  MutexLock lock(mutex_);
  early_timer_ = 0;
  if (sink_ == nullptr || start_sent_) return;
  start_sent_ = true;
  sink_->OnEvent({chat::MessageStart{
      .id = core_->ids.Next(chat::kMessageIdPrefix), .model = request_.model, .usage = {}}});
}

// --- The reply -----------------------------------------------------------------------------------

void RemoteCall::OnConnected(int attempt) {
  MutexLock lock(mutex_);
  if (attempt == attempt_) connected_ = true;
}

void RemoteCall::OnHead(int attempt, const http::Response& head) {
  MutexLock lock(mutex_);
  if (attempt != attempt_ || sink_ == nullptr) return;
  head_ = head;
  refused_ = head.status / 100 != 2 || IsHtml(head, "");
}

void RemoteCall::OnData(int attempt, std::string_view bytes) {
  {
    MutexLock lock(mutex_);
    if (attempt != attempt_ || sink_ == nullptr) return;
    if (refused_) {
      const size_t room = kMaxRefusalBytes - std::min(kMaxRefusalBytes, head_.body.size());
      head_.body += bytes.substr(0, room);
      return;
    }
    std::vector<chat::ChatEvent> events;
    decoder_->Feed(bytes, &events);
    Handle(std::move(events));
  }
  LeaveIfDue();
}

void RemoteCall::OnDone(int attempt, const Status& status) {
  {
    MutexLock lock(mutex_);
    if (attempt != attempt_ || sink_ == nullptr) return;
    if (refused_) {
      HandleRefusal();
    } else if (!status.ok() && !server_began_) {
      // Once the request is out, a server that charges may have begun to work.
      const bool in_doubt = connected_ && core_->options.kind->cloud;
      const bool retriable = status.code() == Code::kUnavailable && !in_doubt;
      Status failure = ConnectionFailure(core_->peer(), status);
      // Not "unavailable": whoever falls back must know that this may have been charged for.
      if (in_doubt && !retriable && failure.code() == Code::kUnavailable) {
        failure = DataLoss(failure.message());
      }
      HandleFailure(failure, retriable, true);
    } else {
      std::vector<chat::ChatEvent> events;
      if (status.ok() || status.code() == Code::kUnavailable) {
        decoder_->Finish(&events);
      } else {
        events.push_back({chat::Error{status}});
      }
      Handle(std::move(events));
    }
  }
  LeaveIfDue();
}

void RemoteCall::Handle(std::vector<chat::ChatEvent> events) {
  std::vector<chat::ChatEvent> passed;
  for (chat::ChatEvent& event : events) rescue_->Pass(std::move(event), &passed);
  const int attempt = attempt_;
  for (chat::ChatEvent& event : passed) {
    if (sink_ == nullptr || attempt != attempt_) return;
    HandleEvent(std::move(event));
  }
}

void RemoteCall::HandleEvent(chat::ChatEvent event) {
  if (const auto* error = event.As<chat::Error>()) {
    if (server_began_) {
      core_->metrics.failures.Add();
      TellBreaker(false);
      return Emit({chat::Error{StreamFailure(core_->peer(), error->status)}});
    }
    const Code code = error->status.code();
    const bool busy = code == Code::kOverloaded || code == Code::kResourceExhausted;
    const bool own_fault = code == Code::kInvalidArgument || code == Code::kUnauthenticated;
    return HandleFailure(StreamFailure(core_->peer(), error->status), busy, !busy && !own_fault);
  }
  if (!server_began_) {
    core_->metrics.first_event.Observe(Seconds(core_->clock.Now() - sent_at_));
    server_began_ = event.As<chat::Ping>() == nullptr;
  }
  reply_bytes_ += TextBytes(event);
  if (event.As<chat::MessageStart>() != nullptr && std::exchange(start_sent_, true)) return;
  if (event.As<chat::Ping>() != nullptr && !start_sent_) return;
  if (auto* delta = std::get_if<chat::MessageDelta>(&event.value)) CompleteUsage(&delta->usage);
  if (event.As<chat::MessageStop>() != nullptr) {
    TellBreaker(true);
    core_->metrics.rescued_calls.Add(rescue_->rescued_calls());
  }
  Emit(std::move(event));
}

void RemoteCall::CompleteUsage(chat::Usage* usage) {
  const size_t prompt_bytes = PromptBytes(request_);
  if (usage->PromptTokens() > 0) {
    core_->Measured(prompt_bytes, usage->PromptTokens());
    core_->metrics.input_tokens.Add(
        static_cast<double>(usage->input_tokens + usage->cache_creation));
    core_->metrics.cached_tokens.Add(static_cast<double>(usage->cache_read));
    core_->metrics.output_tokens.Add(static_cast<double>(usage->output_tokens));
    return;
  }
  // Clients decide by these numbers when to compact; zero would mean never.
  if (!core_->EstimateTokens(prompt_bytes, &usage->input_tokens)) {
    usage->input_tokens = static_cast<int64_t>(prompt_bytes) / kAssumedBytesPerToken;
  }
  if (usage->output_tokens == 0) {
    usage->output_tokens = static_cast<int64_t>(reply_bytes_) / kAssumedBytesPerToken;
  }
  usage->estimated = true;
  core_->metrics.estimated_usage.Add();
}

// --- Failures ------------------------------------------------------------------------------------

void RemoteCall::HandleRefusal() {
  const std::string text = RefusalText(head_.status, head_.body);
  const bool html = IsHtml(head_, head_.body);
  Learned learned = core_->learned();
  if (!html && adaptations_ < kMaxAdaptations &&
      AdaptToRefusal(head_.status, text, endpoint_, &request_, &learned)) {
    ++adaptations_;
    core_->Learn(learned);
    obs::Warn("remote", "a refused request is sent in another form",
              {{"backend", core_->options.name},
               {"status", head_.status},
               {"reason", std::string_view(text)}});
    TellBreaker(true);
    return Send();
  }
  const bool server_at_fault = head_.status >= 500 && head_.status != 529;
  HandleFailure(ReplyFailure(core_->peer(), head_, head_.body), IsRetriable(head_.status) && !html,
                server_at_fault || (html && head_.status / 100 == 2));
}

void RemoteCall::HandleFailure(const Status& status, bool retriable, bool server_at_fault) {
  TellBreaker(!server_at_fault);
  const int64_t asked = RetryAfterSeconds(head_.headers, Clock::Real().WallNow());
  if (retriable && retries_ < core_->options.max_retries && asked <= kLongestPause) {
    const Nanos pause =
        asked > 0 ? Nanos(std::chrono::seconds(asked)) : kFirstPause * (1 << retries_);
    ++retries_;
    obs::Warn("remote", "a request without a reply is sent again",
              {{"backend", core_->options.name},
               {"after_s", Seconds(pause)},
               {"reason", std::string_view(status.message())}});
    return SendAfter(pause);
  }
  core_->metrics.failures.Add();
  Emit({chat::Error{status, asked}});
}

void RemoteCall::Fail(const Status& status) {
  core_->metrics.failures.Add();
  Emit({chat::Error{status}});
}

void RemoteCall::TellBreaker(bool good) {
  if (!std::exchange(breaker_waits_, false)) return;
  if (good) {
    core_->breaker.Succeeded();
  } else {
    core_->breaker.Failed();
  }
}

void RemoteCall::Emit(chat::ChatEvent event) {
  if (sink_ == nullptr) return;
  const bool last = event.As<chat::Error>() != nullptr || event.As<chat::MessageStop>() != nullptr;
  sink_->OnEvent(std::move(event));
  if (!last) return;
  sink_ = nullptr;
  leave_due_ = true;
}

}  // namespace ac::remote
