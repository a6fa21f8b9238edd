#include "loadtest/stream_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <queue>

#include "base/mutex.h"
#include "http/client.h"
#include "http/sse.h"
#include "json/json.h"

namespace ac::loadtest {
namespace {

constexpr std::chrono::seconds kPatience{120};  // without a byte

std::string Body(int64_t prompt_bytes, int number) {
  std::string system;
  while (static_cast<int64_t>(system.size()) < prompt_bytes) {
    system += "Read the file before you change it. ";
  }
  // No two requests are the same: a gateway may answer equal ones from memory.
  return json::Write(json::Object{
      {"model", "claude-sonnet-4-5"},
      {"max_tokens", 4096},
      {"stream", true},
      {"system", json::Array{json::Object{{"type", "text"}, {"text", system}}}},
      {"messages", json::Array{json::Object{{"role", "user"},
                                            {"content", fmt::format("Question {}.", number)}}}}});
}

// One client and the reply it reads. Everything but `call` belongs to the HTTP client's thread
// while a request runs.
struct Slot {
  http::Call call;
  std::unique_ptr<http::SseParser> parser;
  int status = 0;
  Nanos sent{0};
  Nanos first_byte{0};
  Nanos first_token{0};
  size_t text_bytes = 0;
  int64_t tokens = 0;
  bool ended = false;
  std::string failure;
};

class Load {
 public:
  explicit Load(const LoadPlan& plan)
      : plan_(plan),
        slots_(static_cast<size_t>(plan.streams)),
        client_({.timeouts = {.first_byte = kPatience, .idle = kPatience},
                 .proxy = http::ProxyConfig{},
                 .max_idle_per_host = static_cast<size_t>(plan.streams)}) {}

  LoadResult Run() {
    const int first = std::min(plan_.streams, plan_.requests);
    for (int i = 0; i < first; ++i) {
      if (i > 0) Clock::Real().SleepFor(plan_.between_starts);
      Ask(&slots_[static_cast<size_t>(i)], i);
    }
    int started = first;
    for (int done = 0; done < plan_.requests; ++done) {
      Slot* const slot = NextDone();
      Note(*slot);
      if (started < plan_.requests) Ask(slot, started++);
    }
    result_.most_open = most_open_;
    return std::move(result_);
  }

 private:
  void Ask(Slot* slot, int number) {
    *slot = Slot();
    slot->parser = std::make_unique<http::SseParser>(
        [this, slot](const http::SseEvent& event) { OnEvent(slot, event); });
    http::ClientRequest request{.method = "POST", .url = plan_.url + "/v1/messages"};
    request.headers.Add("content-type", "application/json");
    request.headers.Add("anthropic-version", "2023-06-01");
    if (!plan_.api_key.empty()) request.headers.Add("x-api-key", plan_.api_key);
    request.body = Body(plan_.prompt_bytes, number);
    slot->call = client_.Start(
        std::move(request),
        {.on_connected = [slot] { slot->sent = Clock::Real().Now(); },
         .on_headers = [slot](const http::Response& head) { slot->status = head.status; },
         .on_data = [this, slot](std::string_view bytes) { OnData(slot, bytes); },
         .on_done = [this, slot](const Status& status) { OnDone(slot, status); }});
  }

  static void OnData(Slot* slot, std::string_view bytes) {
    if (slot->first_byte == Nanos(0)) slot->first_byte = Clock::Real().Now();
    if (slot->status != 200) {
      slot->failure.append(bytes.substr(0, 300));
    } else if (const Status status = slot->parser->Feed(bytes); !status.ok()) {
      slot->failure = status.ToString();
    }
  }

  void OnEvent(Slot* slot, const http::SseEvent& event) {
    if (event.event == "error") slot->failure = event.data;
    if (event.event == "message_stop") slot->ended = true;
    if (event.event != "content_block_delta") return;
    const Result<json::Value> value = json::Parse(event.data);
    const json::Value* delta = value.ok() ? json::Find(*value, "delta") : nullptr;
    if (delta == nullptr) return;
    const std::string text(json::GetString(*delta, "text").value_or(""));
    if (text.empty()) return;
    if (slot->first_token == Nanos(0)) {
      slot->first_token = Clock::Real().Now();
      most_open_ = std::max(most_open_, ++open_);
    }
    slot->text_bytes += text.size();
    ++slot->tokens;
  }

  void OnDone(Slot* slot, const Status& status) {
    (void)slot->parser->Finish();
    if (slot->first_token != Nanos(0)) --open_;
    if (!status.ok()) {
      slot->failure = status.ToString();
    } else if (slot->status != 200) {
      slot->failure = fmt::format("HTTP {}: {}", slot->status, slot->failure);
    } else if (slot->failure.empty() && (!slot->ended || slot->text_bytes != plan_.text_bytes)) {
      slot->failure = fmt::format("the reply is not whole: {} of {} bytes{}", slot->text_bytes,
                                  plan_.text_bytes, slot->ended ? "" : ", no message_stop");
    }
    {
      MutexLock lock(mutex_);
      done_.push(slot);
    }
    changed_.NotifyOne();
  }

  Slot* NextDone() {
    MutexLock lock(mutex_);
    while (done_.empty()) changed_.Wait(mutex_);
    Slot* const slot = done_.front();
    done_.pop();
    return slot;
  }

  void Note(const Slot& slot) {
    result_.tokens += slot.tokens;
    if (!slot.failure.empty()) {
      ++result_.failed;
      if (result_.first_failure.empty()) result_.first_failure = slot.failure;
      return;
    }
    ++result_.complete;
    result_.first_byte_s.push_back(Seconds(slot.first_byte - slot.sent));
    result_.first_token_s.push_back(Seconds(slot.first_token - slot.sent));
  }

  const LoadPlan plan_;
  LoadResult result_;
  std::vector<Slot> slots_;
  int open_ = 0;  // both: of the HTTP client's thread until the last request is done
  int most_open_ = 0;
  Mutex mutex_;
  CondVar changed_;
  std::queue<Slot*> done_ AC_GUARDED_BY(mutex_);
  http::Client client_;  // last: its callbacks use everything above
};

}  // namespace

LoadResult RunLoad(const LoadPlan& plan) { return Load(plan).Run(); }

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

}  // namespace ac::loadtest
