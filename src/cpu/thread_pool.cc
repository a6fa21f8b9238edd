#include "cpu/thread_pool.h"

#include <algorithm>
#include <limits>
#include <string>

#include "cpu/topology.h"

#if defined(__linux__)
#include <pthread.h>
#endif

namespace ac::cpu {
namespace {

// Enough that a worker lost for a while leaves little behind, few enough that claiming (some 50 ns
// on a contended line) stays a small part of a 50 us job.
constexpr int64_t kChunksPerThread = 16;

// Long enough to see more than one scheduler slice, short against what a reader of text notices.
constexpr auto kWindow = std::chrono::milliseconds(20);
// The first time alone, and the longest: doubled as long as trying again shows no better.
constexpr auto kShortPause = std::chrono::milliseconds(50);
constexpr auto kLongPause = std::chrono::seconds(1);

// Pauses between two looks at the clock.
constexpr int kPausesPerCheck = 32;

// Which pool's body this thread is inside of, so that a nested call runs inline.
struct CurrentBody {
  const ThreadPool* pool = nullptr;
  int worker = 0;
};
thread_local constinit CurrentBody current_body;

class ScopedBody {
 public:
  ScopedBody(const ThreadPool* pool, int worker) : outer_(current_body) {
    current_body = {pool, worker};
  }
  ~ScopedBody() { current_body = outer_; }
  ScopedBody(const ScopedBody&) = delete;
  ScopedBody& operator=(const ScopedBody&) = delete;

 private:
  const CurrentBody outer_;
};

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // `yield` is a no-op on most cores; isb waits about as long as pause
#endif
}

// Polls `done` for up to `budget`; returns whether it came true.
template <typename Condition>
bool SpinUntil(std::chrono::nanoseconds budget, Condition done) {
  if (done()) return true;
  if (budget.count() <= 0) return false;
  const auto deadline = std::chrono::steady_clock::now() + budget;
  do {
    for (int i = 0; i < kPausesPerCheck; ++i) {
      if (done()) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return done();
}

void NameThisThread(int worker) {
#if defined(__linux__)
  ::pthread_setname_np(::pthread_self(), ("compute-" + std::to_string(worker)).c_str());
#else
  static_cast<void>(worker);
#endif
}

}  // namespace

ThreadPool::ThreadPool(Options options)
    : threads_(options.threads > 0 ? options.threads : HostTopology().threads),
      spin_(options.spin),
      pause_(kShortPause) {
  std::vector<int> cores;
  if (options.pin) cores = HostTopology().cores;
  workers_.reserve(static_cast<size_t>(threads_ - 1));
  for (int worker = 1; worker < threads_; ++worker) {
    const size_t index = static_cast<size_t>(worker);
    // More workers than cores: the surplus stays where the scheduler puts it.
    const int cpu = index < cores.size() ? cores[index] : -1;
    workers_.emplace_back([this, worker, cpu] {
      NameThisThread(worker);
      if (cpu >= 0) PinThisThread(cpu);
      WorkerLoop(worker);
    });
  }
}

ThreadPool::~ThreadPool() {
  unclaimed_.store(kStop);
  unclaimed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(int64_t count, int64_t grain, Body body) {
  if (count <= 0) return;
  if (current_body.pool == this) {
    body(0, count, current_body.worker);
    return;
  }
  grain = std::max<int64_t>(grain, 1);
  MutexLock lock(callers_);
  const ScopedBody scope(this, 0);
  if (threads_ == 1 || count <= grain) {
    body(0, count, 0);
    return;
  }
  const TimePoint start = std::chrono::steady_clock::now();
  if (start < alone_until_) {
    body(0, count, 0);
    return;
  }

  const int64_t grains = (count - 1) / grain + 1;
  const int64_t grains_per_chunk = (grains - 1) / (threads_ * kChunksPerThread) + 1;
  const int64_t chunks = (grains - 1) / grains_per_chunk + 1;
  job_ = {count, grain * grains_per_chunk, static_cast<int32_t>(chunks), &body};
  unfinished_.store(job_.chunks, std::memory_order_relaxed);
  // Publishes the job. Sequentially consistent, as the wake-up of a worker that is just falling
  // asleep depends on it; notify_all is one load when nobody sleeps.
  unclaimed_.store(job_.chunks);
  unclaimed_.notify_all();
  RunChunks(0);
  const TimePoint own_end = std::chrono::steady_clock::now();
  AwaitCompletion();
  const TimePoint end = std::chrono::steady_clock::now();
  Judge(end, own_end - start, end - own_end);
}

// In the time the caller was busy, each worker can have done as much as it did. When waiting for
// them takes longer than that work would have taken here, they are no help.
void ThreadPool::Judge(TimePoint now, std::chrono::nanoseconds busy,
                       std::chrono::nanoseconds waited) {
  busy_ += busy;
  waited_ += waited;
  if (busy_ + waited_ < kWindow) return;
  if (waited_ > busy_ * (threads_ - 1)) {
    alone_until_ = now + pause_;
    pause_ = std::min<std::chrono::nanoseconds>(2 * pause_, kLongPause);
  } else {
    pause_ = kShortPause;
  }
  busy_ = waited_ = std::chrono::nanoseconds(0);
}

// Takes one chunk of whatever job is current; `left` is the count before the claim.
bool ThreadPool::ClaimChunk(int32_t* left) {
  *left = unclaimed_.load(std::memory_order_relaxed);
  while (*left > 0) {
    if (unclaimed_.compare_exchange_weak(*left, *left - 1, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

// A claimed chunk keeps the caller waiting, hence job_ and its body alive, until it is subtracted
// from unfinished_. That is all the synchronisation there is: a worker that comes late finds
// nothing to claim and touches nothing.
void ThreadPool::RunChunks(int worker) {
  int32_t finished = 0;
  for (int32_t left = 0; ClaimChunk(&left); ++finished) {
    const int64_t begin = int64_t{job_.chunks - left} * job_.chunk;
    (*job_.body)(begin, std::min(job_.count, begin + job_.chunk), worker);
  }
  if (finished > 0 && unfinished_.fetch_sub(finished) == finished) unfinished_.notify_all();
}

void ThreadPool::AwaitCompletion() {
  const auto done = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (SpinUntil(spin_, done)) return;
  // Somebody's last chunk takes long or its thread lost the CPU: sleeping gives it ours.
  for (int32_t left = unfinished_.load(); left != 0; left = unfinished_.load()) {
    unfinished_.wait(left);
  }
}

// Returns the chunks on offer (more than 0) or kStop.
int32_t ThreadPool::AwaitChunks() {
  int32_t seen = 0;
  const auto changed = [this, &seen] {
    seen = unclaimed_.load(std::memory_order_acquire);
    return seen != 0;
  };
  if (SpinUntil(spin_, changed)) return seen;
  while (!changed()) unclaimed_.wait(0);
  return seen;
}

void ThreadPool::WorkerLoop(int worker) {
  const ScopedBody scope(this, worker);
  while (AwaitChunks() != kStop) RunChunks(worker);
}

}  // namespace ac::cpu
