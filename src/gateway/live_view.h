// What is going on right now, as JSON for the page at / and for scripts.
//
// An observer that keeps the running requests and the last finished ones in memory. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/observer.h"
#include "gateway/request_measure.h"
#include "json/json_fwd.h"

namespace ac::gateway {

// The page itself (web/index.html): no assets from elsewhere.
std::string_view WebPage();

class LiveView : public RequestObserver {
 public:
  // Adds members to the snapshot that the gateway cannot know: the engine's pages, costs, modes.
  // Called at each snapshot on an I/O thread: it must not block.
  using Extra = std::function<void(json::Object*)>;

  LiveView(std::string version, std::string mode, Clock& clock = Clock::Real());

  std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) override;
  void SetExtra(Extra extra);

  std::string Snapshot() const;
  // What the cache did for the last requests, newest first, as indented JSON: for /cache.
  std::string CacheSnapshot() const;

 private:
  struct Entry;
  class Watch;
  struct Point {
    double age_s = 0;  // of the server when the request ended
    double hit_rate = 0;
  };
  void Finish(const std::shared_ptr<Entry>& entry);

  const std::string version_;
  const std::string mode_;
  Clock& clock_;
  const Nanos started_;

  mutable Mutex mutex_;
  Extra extra_ AC_GUARDED_BY(mutex_);
  uint64_t next_number_ AC_GUARDED_BY(mutex_) = 1;
  std::list<std::shared_ptr<Entry>> running_ AC_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Entry>> recent_ AC_GUARDED_BY(mutex_);  // newest first
  std::deque<Point> points_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::gateway
