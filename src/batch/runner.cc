#include "batch/runner.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/mutex.h"
#include "batch/output.h"

namespace ac::batch {
namespace {

struct Pending {
  const Item* item = nullptr;
  int attempt = 1;
  Nanos not_before{0};
};

struct Finished {
  Pending pending;
  std::optional<http::Response> reply;  // none: `status` says why
  Status status;
};

bool IsBusy(const Finished& finished) {
  if (!finished.reply) {
    return finished.status.code() == Code::kUnavailable ||
           finished.status.code() == Code::kDeadlineExceeded;
  }
  const int status = finished.reply->status;
  return status == 429 || status == 502 || status == 503 || status == 529;
}

class Runner {
 public:
  Runner(http::Client& client, Journal& journal, const RunOptions& options)
      : client_(client), journal_(journal), options_(options) {}

  Status Run(const std::vector<Item>& items, const RunProgress& progress) {
    int64_t done = 0;
    for (const Item& item : items) {
      if (journal_.IsDone(item)) {
        ++done;
      } else {
        waiting_.push_back({.item = &item});
      }
    }
    while (!waiting_.empty() || !running_.empty()) {
      StartWaiting();
      for (Finished& finished : TakeFinished()) {
        running_.erase(finished.pending.item->line);
        if (IsBusy(finished) && finished.pending.attempt < options_.attempts) {
          Postpone(finished);
          continue;
        }
        const Item& item = *finished.pending.item;
        AC_RETURN_IF_ERROR(journal_.Append(item, finished.reply
                                                     ? OutcomeOfReply(item, *finished.reply)
                                                     : OutcomeOfFailure(item, finished.status)));
        if (progress) progress(++done, journal_.totals());
      }
    }
    return OkStatus();
  }

 private:
  void StartWaiting() {
    const Nanos now = Clock::Real().Now();
    // In the order of the input, but nobody waits behind one that was told to come later.
    for (auto it = waiting_.begin();
         it != waiting_.end() && running_.size() < static_cast<size_t>(options_.parallel);) {
      if (it->not_before > now) {
        ++it;
        continue;
      }
      Start(*it);
      it = waiting_.erase(it);
    }
  }

  void Start(const Pending& pending) {
    http::ClientRequest request{.method = "POST",
                                .url = options_.url + pending.item->path,
                                .headers = {{"Content-Type", "application/json"}},
                                .body = pending.item->body};
    if (!options_.api_key.empty()) {
      request.headers.Add("Authorization", "Bearer " + options_.api_key);
      request.headers.Add("x-api-key", options_.api_key);
    }
    request.repeatable = true;
    // A queued request has no first byte for as long as those before it take.
    request.timeouts = http::ClientTimeouts{.first_byte = std::chrono::milliseconds(0),
                                            .idle = std::chrono::milliseconds(0)};
    auto reply = std::make_shared<http::Response>();
    http::Call call = client_.Start(
        std::move(request), {.on_headers = [reply](const http::Response& head) { *reply = head; },
                             .on_data = [reply](std::string_view bytes) { reply->body += bytes; },
                             .on_done =
                                 [this, pending, reply](const Status& status) {
                                   Finished finished{.pending = pending, .status = status};
                                   if (status.ok()) finished.reply = std::move(*reply);
                                   MutexLock lock(mutex_);
                                   finished_.push_back(std::move(finished));
                                   changed_.NotifyOne();
                                 }});
    running_.emplace(pending.item->line, std::move(call));
  }

  // Waits for a reply, or for the moment when a postponed request may start.
  std::deque<Finished> TakeFinished() {
    MutexLock lock(mutex_);
    const auto earliest = std::min_element(
        waiting_.begin(), waiting_.end(),
        [](const Pending& a, const Pending& b) { return a.not_before < b.not_before; });
    const bool room = running_.size() < static_cast<size_t>(options_.parallel);
    const Nanos until = earliest != waiting_.end() && room ? earliest->not_before : Nanos::max();
    while (finished_.empty()) {
      if (until == Nanos::max()) {
        changed_.Wait(mutex_);
        continue;
      }
      const Nanos now = Clock::Real().Now();
      if (now >= until) break;
      changed_.WaitFor(mutex_, until - now);
    }
    return std::exchange(finished_, {});
  }

  void Postpone(const Finished& finished) {
    Nanos pause = options_.first_pause * (int64_t{1} << (finished.pending.attempt - 1));
    if (finished.reply) {
      const std::string_view after = finished.reply->headers.Get("retry-after");
      int64_t seconds = 0;
      std::from_chars(after.data(), after.data() + after.size(), seconds);
      pause = std::max<Nanos>(pause, std::chrono::seconds(std::clamp<int64_t>(seconds, 0, 600)));
    }
    waiting_.push_back({.item = finished.pending.item,
                        .attempt = finished.pending.attempt + 1,
                        .not_before = Clock::Real().Now() + pause});
  }

  http::Client& client_;
  Journal& journal_;
  const RunOptions& options_;
  std::deque<Pending> waiting_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Finished> finished_ AC_GUARDED_BY(mutex_);
  // Last, so that calls end before what their callbacks use.
  std::unordered_map<int64_t, http::Call> running_;  // by input line
};

}  // namespace

Status RunBatch(http::Client& client, const std::vector<Item>& items, Journal& journal,
                const RunOptions& options, const RunProgress& progress) {
  return Runner(client, journal, options).Run(items, progress);
}

}  // namespace ac::batch
