// Writes each request down: a trace file and a row of the ledger.
//
// The I/O threads only collect; a thread of the recorder redacts, compresses and writes, from a
// bounded queue. When the disk cannot keep up, requests are dropped from the record (counted and
// logged), never delayed. Thread-safe; the destructor writes what is queued.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "gateway/observer.h"
#include "obs/metrics.h"
#include "store/database.h"
#include "store/prices.h"
#include "store/trace_store.h"

namespace ac::gateway {

struct RecorderOptions {
  std::string home;
  std::string mode;
  std::string version;
  bool traces = true;  // files; the ledger is kept in any case
  store::TraceLimits limits;
  size_t max_queued = 256;
};

class Recorder : public RequestObserver {
 public:
  static Result<std::unique_ptr<Recorder>> Create(FileSystem& fs, RecorderOptions options,
                                                  obs::Metrics& metrics);
  ~Recorder() override;

  std::unique_ptr<RequestWatch> OnStarted(const ObservedRequest& request) override;

  // Waits until everything handed over so far is written.
  void Flush();

  struct Costs {
    double dollars = 0;   // of the requests whose cost is known
    int64_t unknown = 0;  // requests whose cost is not
  };
  Costs costs();  // of what is written

  struct Today {
    std::string day;  // local date
    double dollars = 0;
    int64_t known = 0;  // requests whose cost is known
    int64_t unknown = 0;
  };
  // What the ledger held of today at the start, and what was written since.
  Today today();

 private:
  struct Record;
  class Watch;
  Recorder(FileSystem& fs, RecorderOptions options, std::unique_ptr<store::Database> database,
           store::Prices prices, obs::Metrics& metrics);

  void Enqueue(std::unique_ptr<Record> record);
  void WriteLoop();
  Status Write(const Record& record);
  void AddCost(const std::string& day, const std::optional<double>& cost);

  const RecorderOptions options_;
  const obs::Counter dropped_;

  // The writer thread's own.
  store::TraceStore traces_;
  const std::unique_ptr<store::Database> database_;
  const store::Prices prices_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::unique_ptr<Record>> queue_ AC_GUARDED_BY(mutex_);
  bool writing_ AC_GUARDED_BY(mutex_) = false;
  Costs costs_ AC_GUARDED_BY(mutex_);
  Today today_ AC_GUARDED_BY(mutex_);
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ac::gateway
