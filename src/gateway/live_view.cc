#include "gateway/live_view.h"

#include <algorithm>
#include <utility>

#include "chat/dump.h"
#include "json/json.h"

namespace ac::gateway {
namespace {

constexpr size_t kRecent = 30;
constexpr size_t kPoints = 200;

json::Value Maybe(const std::optional<double>& value) {
  return value ? json::Value(*value) : json::Value(nullptr);
}

}  // namespace

struct LiveView::Entry {
  Entry(uint64_t count, const ObservedRequest& request, const std::string& mode)
      : number(count),
        started(request.now),
        model(request.chat.model),
        session(request.chat.metadata.session_id.substr(0, 8)),
        agent(request.chat.metadata.agent_id.substr(0, 8)),
        measure(request.now, mode) {}

  std::string_view Phase() const {
    if (measure.answering()) return "decoding";
    return measure.accepted() ? "prefill" : "queued";
  }
  json::Object Common() const {
    const chat::Usage& usage = measure.usage();
    return {{"number", number},
            {"model", model},
            {"session", session},
            {"agent", agent},
            {"served_by", measure.served_by()},
            {"computed", usage.input_tokens + usage.cache_creation},
            {"reused", usage.cache_read}};
  }
  json::Object Running(Nanos now) const {
    json::Object out = Common();
    out["phase"] = Phase();
    out["age_s"] = Seconds(now - started);
    out["prompt_done"] = measure.prompt_done();
    out["prompt_total"] = measure.prompt_total();
    out["prefill_left_s"] = Maybe(measure.prefill_seconds_left());
    out["pieces"] = pieces;
    const double writing = pieces > 1 ? Seconds(last_piece - first_piece) : 0;
    out["pieces_per_s"] =
        writing > 0 ? json::Value(static_cast<double>(pieces - 1) / writing) : json::Value(nullptr);
    return out;
  }
  json::Object Finished() const {
    json::Object out = Common();
    out["outcome"] = EndingName(measure.ending());
    out["output"] = measure.usage().output_tokens;
    out["first_ms"] = Maybe(measure.first_ms());
    out["total_ms"] = measure.total_ms();
    out["tokens_per_s"] = Maybe(measure.tokens_per_second());
    out["error"] = measure.error().message();
    out["miss"] = measure.diagnosis() ? measure.diagnosis()->reason : "";
    out["missed_tokens"] = measure.diagnosis() ? measure.diagnosis()->missed_tokens : 0;
    if (measure.prompt()) out["prompt"] = chat::ToJson(*measure.prompt());
    return out;
  }

  const uint64_t number;
  const Nanos started;
  const std::string model;
  const std::string session;
  const std::string agent;
  RequestMeasure measure;
  int64_t pieces = 0;
  Nanos first_piece{0};
  Nanos last_piece{0};
};

class LiveView::Watch : public RequestWatch {
 public:
  Watch(LiveView& owner, std::shared_ptr<Entry> entry) : owner_(owner), entry_(std::move(entry)) {}
  void OnEvent(const chat::ChatEvent& event, Nanos now) override {
    MutexLock lock(owner_.mutex_);
    entry_->measure.Apply(event, now);
    const bool is_piece = event.As<chat::TextDelta>() || event.As<chat::ThinkingDelta>() ||
                          event.As<chat::ToolArgsDelta>();
    if (!is_piece) return;
    if (entry_->pieces++ == 0) entry_->first_piece = now;
    entry_->last_piece = now;
  }
  void OnEnd(Ending ending, Nanos now) override {
    MutexLock lock(owner_.mutex_);
    entry_->measure.End(ending, now);
    owner_.Finish(entry_);
  }

 private:
  LiveView& owner_;
  const std::shared_ptr<Entry> entry_;
};

LiveView::LiveView(std::string version, std::string mode, Clock& clock)
    : version_(std::move(version)), mode_(std::move(mode)), clock_(clock), started_(clock.Now()) {}

std::unique_ptr<RequestWatch> LiveView::OnStarted(const ObservedRequest& request) {
  MutexLock lock(mutex_);
  auto entry = std::make_shared<Entry>(next_number_++, request, mode_);
  running_.push_back(entry);
  return std::make_unique<Watch>(*this, std::move(entry));
}

void LiveView::SetExtra(Extra extra) {
  MutexLock lock(mutex_);
  extra_ = std::move(extra);
}

void LiveView::Finish(const std::shared_ptr<Entry>& entry) {
  running_.remove(entry);
  recent_.push_front(entry);
  if (recent_.size() > kRecent) recent_.pop_back();
  const chat::Usage& usage = entry->measure.usage();
  if (usage.PromptTokens() == 0 || !entry->measure.by_mode()) return;
  points_.push_back(
      {Seconds(clock_.Now() - started_),
       static_cast<double>(usage.cache_read) / static_cast<double>(usage.PromptTokens())});
  if (points_.size() > kPoints) points_.pop_front();
}

std::string LiveView::CacheSnapshot() const {
  MutexLock lock(mutex_);
  json::Object all;
  if (extra_) extra_(&all);
  json::Object snapshot;
  if (const json::Value* engine = all.if_contains("engine")) snapshot["engine"] = *engine;
  json::Array requests;
  for (const auto& entry : recent_) {
    if (!entry->measure.prompt()) continue;
    json::Object request = entry->Common();
    request["miss"] = entry->measure.diagnosis() ? entry->measure.diagnosis()->reason : "";
    request["prompt"] = chat::ToJson(*entry->measure.prompt());
    requests.push_back(std::move(request));
  }
  snapshot["requests"] = std::move(requests);
  return json::WritePretty(snapshot) + "\n";
}

std::string LiveView::Snapshot() const {
  const Nanos now = clock_.Now();
  json::Object snapshot{
      {"version", version_}, {"mode", mode_}, {"uptime_s", Seconds(now - started_)}};
  MutexLock lock(mutex_);
  json::Array running;
  for (const auto& entry : running_) running.push_back(entry->Running(now));
  json::Array recent;
  for (const auto& entry : recent_) recent.push_back(entry->Finished());
  json::Array points;
  for (const Point& point : points_) points.push_back(json::Array{point.age_s, point.hit_rate});
  snapshot["running"] = std::move(running);
  snapshot["recent"] = std::move(recent);
  snapshot["hit_rates"] = std::move(points);
  if (extra_) extra_(&snapshot);
  return json::Write(snapshot);
}

}  // namespace ac::gateway
