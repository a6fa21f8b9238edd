#include "gateway/recorder.h"

#include <atomic>
#include <ctime>
#include <random>
#include <utility>
#include <vector>

#include "backend/joined_replies.h"
#include "chat/dump.h"
#include "chat/reply.h"
#include "gateway/request_measure.h"
#include "gateway/trace_json.h"
#include "json/json.h"
#include "obs/log.h"
#include "obs/redact.h"
#include "store/ledger.h"
#include "store/schema.h"

namespace ac::gateway {
namespace {

int64_t Milliseconds(Nanos time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

// The day on the user's wall: what "cost per day" means to them.
std::string LocalDay(int64_t wall_ms) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[16];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d", &local));
}

void NoteMarks(const std::vector<chat::Block>& blocks, bool* short_lived, bool* long_lived) {
  for (const chat::Block& block : blocks) {
    if (block.cache_ttl == "1h") *long_lived = true;
    if (block.cache_ttl == "5m") *short_lived = true;
  }
}

// From the request's marks, because the usage does not tell them apart.
store::CacheLife CacheLifeOf(const chat::ChatRequest& request) {
  bool short_lived = false;
  bool long_lived = false;
  NoteMarks(request.system, &short_lived, &long_lived);
  for (const chat::Message& message : request.messages) {
    NoteMarks(message.blocks, &short_lived, &long_lived);
  }
  if (long_lived) return short_lived ? store::CacheLife::kMixed : store::CacheLife::kOneHour;
  return store::CacheLife::kFiveMinutes;
}

uint64_t RandomNumber() {
  static std::atomic<uint64_t> next{std::random_device()()};
  return next.fetch_add(1);
}

}  // namespace

struct Recorder::Record {
  Record(const ObservedRequest& observed, const std::string& mode)
      : request{.id = store::MakeTraceId(Milliseconds(observed.wall), RandomNumber()),
                .wall_ms = Milliseconds(observed.wall),
                .method = observed.http.method,
                .path = observed.http.path,
                .headers = observed.http.headers,
                .body = observed.http.body,
                .model = observed.chat.model,
                .session = observed.chat.metadata.session_id,
                .agent = observed.chat.metadata.agent_id},
        cache_life(CacheLifeOf(observed.chat)),
        measure(observed.now, mode) {}

  TracedRequest request;
  store::CacheLife cache_life;
  RequestMeasure measure;
  chat::ReplyBuilder reply;
  std::vector<TracedEvent> events;
};

class Recorder::Watch : public RequestWatch {
 public:
  Watch(Recorder& owner, const ObservedRequest& request)
      : owner_(owner),
        started_(request.now),
        record_(std::make_unique<Record>(request, owner.options_.mode)) {}
  void OnEvent(const chat::ChatEvent& event, Nanos now) override {
    record_->measure.Apply(event, now);
    if (!owner_.options_.traces) return;
    record_->reply.Apply(event);
    AddTracedEvent(event, Seconds(now - started_) * 1000, &record_->events);
  }
  void OnEnd(Ending ending, Nanos now) override {
    record_->measure.End(ending, now);
    owner_.Enqueue(std::move(record_));
  }

 private:
  Recorder& owner_;
  const Nanos started_;
  std::unique_ptr<Record> record_;
};

Result<std::unique_ptr<Recorder>> Recorder::Create(FileSystem& fs, RecorderOptions options,
                                                   obs::Metrics& metrics) {
  AC_ASSIGN_OR_RETURN(store::Prices prices, store::Prices::Load(fs, options.home));
  AC_ASSIGN_OR_RETURN(auto database, store::OpenState(fs, options.home));
  const int64_t now_ms = Milliseconds(Clock::Real().WallNow());
  const int64_t two_days_ms = int64_t{48} * 3600 * 1000;
  AC_ASSIGN_OR_RETURN(const std::vector<store::LedgerSum> days,
                      store::Ledger(*database).Sum(store::GroupBy::kDay, now_ms - two_days_ms));
  Today today{.day = LocalDay(now_ms)};
  for (const store::LedgerSum& day : days) {
    if (day.key != today.day) continue;
    today.dollars = day.cost;
    today.unknown = day.unknown_costs;
    today.known = day.requests - day.unknown_costs;
  }
  std::unique_ptr<Recorder> recorder(
      new Recorder(fs, std::move(options), std::move(database), std::move(prices), metrics));
  MutexLock lock(recorder->mutex_);
  recorder->today_ = std::move(today);
  return recorder;
}

Recorder::Recorder(FileSystem& fs, RecorderOptions options,
                   std::unique_ptr<store::Database> database, store::Prices prices,
                   obs::Metrics& metrics)
    : options_(std::move(options)),
      dropped_(metrics.GetCounter("anyclaude_unrecorded_requests_total",
                                  "Requests without a trace and a ledger row")),
      traces_(fs, options_.home, options_.limits),
      database_(std::move(database)),
      prices_(std::move(prices)),
      thread_([this] { WriteLoop(); }) {}

Recorder::~Recorder() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

std::unique_ptr<RequestWatch> Recorder::OnStarted(const ObservedRequest& request) {
  return std::make_unique<Watch>(*this, request);
}

void Recorder::Enqueue(std::unique_ptr<Record> record) {
  {
    MutexLock lock(mutex_);
    if (queue_.size() < options_.max_queued) {
      queue_.push_back(std::move(record));
    } else {
      dropped_.Add();
    }
  }
  changed_.NotifyAll();
}

void Recorder::Flush() {
  MutexLock lock(mutex_);
  while (!queue_.empty() || writing_) changed_.Wait(mutex_);
}

Recorder::Costs Recorder::costs() {
  MutexLock lock(mutex_);
  return costs_;
}

Recorder::Today Recorder::today() {
  MutexLock lock(mutex_);
  return today_;
}

void Recorder::AddCost(const std::string& day, const std::optional<double>& cost) {
  MutexLock lock(mutex_);
  if (day > today_.day) today_ = {.day = day};
  if (cost.has_value()) {
    costs_.dollars += *cost;
    today_.dollars += *cost;
    ++today_.known;
  } else {
    ++costs_.unknown;
    ++today_.unknown;
  }
}

void Recorder::WriteLoop() {
  while (true) {
    std::unique_ptr<Record> record;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      record = std::move(queue_.front());
      queue_.pop_front();
      writing_ = true;
    }
    if (const Status status = Write(*record); !status.ok()) {
      dropped_.Add();
      obs::Warn("gateway", "a request could not be recorded", {{"why", status.message()}});
    }
    record.reset();
    {
      MutexLock lock(mutex_);
      writing_ = false;
    }
    changed_.NotifyAll();
  }
}

Status Recorder::Write(const Record& record) {
  const RequestMeasure& measure = record.measure;
  // A twin's tokens are in the row of the request that ran.
  const bool is_twin = measure.served_by() == backend::kServedByTwin;
  const chat::Usage usage = is_twin ? chat::Usage{} : measure.usage();
  store::RequestRow row;
  row.trace = record.request.id;
  row.started_ms = record.request.wall_ms;
  row.day = LocalDay(row.started_ms);
  row.mode = options_.mode;
  row.served_by = measure.served_by();
  row.model = record.request.model;
  row.endpoint = record.request.path;
  row.session = record.request.session;
  row.agent = record.request.agent;
  row.outcome = EndingName(measure.ending());
  row.error = obs::Redact(measure.error().message());
  if (measure.stop_reason()) row.stop_reason = chat::StopReasonName(*measure.stop_reason());
  row.input_tokens = usage.input_tokens;
  row.cache_read = usage.cache_read;
  row.cache_write = usage.cache_creation;
  row.output_tokens = usage.output_tokens;
  row.first_ms = measure.first_ms();
  row.prefill_ms = measure.prefill_ms();
  row.total_ms = measure.total_ms();
  if (measure.diagnosis()) row.miss_reason = measure.diagnosis()->reason;
  // What the gateway itself answers costs nothing.
  row.cost = measure.by_mode() ? prices_.CostOf({.mode = options_.mode,
                                                 .model = row.model,
                                                 .input_tokens = row.input_tokens,
                                                 .cache_read = row.cache_read,
                                                 .cache_write = row.cache_write,
                                                 .output_tokens = row.output_tokens,
                                                 .cache_life = record.cache_life,
                                                 .seconds = row.total_ms / 1000})
                               : std::optional<double>(0);
  if (options_.traces) {
    const std::string json =
        TraceJson({.version = options_.version, .mode = options_.mode, .cost = row.cost},
                  record.request, measure, record.reply.reply(), record.events);
    AC_ASSIGN_OR_RETURN(const store::StoredTrace stored,
                        traces_.Write(options_.mode, row.trace, obs::Redact(json), row.started_ms));
    row.trace_path = stored.path;
    row.trace_bytes = stored.bytes;
  }
  AddCost(row.day, row.cost);
  return store::Ledger(*database_).Add(row);
}

}  // namespace ac::gateway
