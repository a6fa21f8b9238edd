// The compute threads: one ParallelFor at a time, spread over a fixed set of workers.
//
// The pool owns threads() - 1 threads; the caller is worker 0, so a pool of one has no threads at
// all. Work is handed out in chunks from one atomic counter: whoever is slow, or descheduled by a
// busy neighbour, takes fewer chunks and nobody waits for a worker that has not started. Idle
// workers spin for a moment, because the next call of a decode step is microseconds away, and then
// sleep in the kernel.
//
// A worker that loses its CPU in the middle of a chunk holds everybody up for a time slice. Where
// that costs more than the workers bring, the caller works alone for a while and then tries again:
// a busy machine never makes many threads slower than one.
//
// Thread-safe: calls from several threads take turns. A ParallelFor inside a body of the same pool
// runs inline with the worker index of that body. Bodies must not throw, nor wait for each other:
// one of them may be given everything.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/function_ref.h"
#include "base/mutex.h"

namespace ac::cpu {

class ThreadPool {
 public:
  // Work on [begin, end) as `worker`, which is in [0, threads()) and never in two bodies at once:
  // it indexes scratch space.
  using Body = FunctionRef<void(int64_t begin, int64_t end, int worker)>;

  struct Options {
    int threads = 0;   // with the caller; 0 = HostTopology().threads
    bool pin = false;  // workers 1.. to cores 1.. of HostTopology(); the caller pins itself
    // How long an idle worker spins before it sleeps, and a caller before it sleeps for the last
    // worker. Longer than the gaps inside a decode step, shorter than anyone would notice.
    std::chrono::microseconds spin{50};
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Covers [0, count) and returns when all of it is done; what bodies wrote is then visible. Each
  // begin is a multiple of `grain` and each chunk, but the last, a multiple long.
  void ParallelFor(int64_t count, int64_t grain, Body body);

 private:
  struct Job {
    int64_t count = 0;
    int64_t chunk = 1;  // elements
    int32_t chunks = 0;
    const Body* body = nullptr;
  };
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr int32_t kStop = -1;

  void WorkerLoop(int worker);
  int32_t AwaitChunks();
  void RunChunks(int worker);
  void AwaitCompletion();
  bool ClaimChunk(int32_t* left);
  void Judge(TimePoint now, std::chrono::nanoseconds busy, std::chrono::nanoseconds waited);

  const int threads_;
  const std::chrono::nanoseconds spin_;
  Mutex callers_;  // held by the caller whose job is running
  // Written by that caller while unclaimed_ is 0, read by workers only after they claimed a chunk.
  Job job_;
  // The same caller's account of the current window, and what follows from it.
  std::chrono::nanoseconds busy_{0};    // spent in bodies
  std::chrono::nanoseconds waited_{0};  // spent waiting for workers after that
  std::chrono::nanoseconds pause_;      // how long the next time alone is
  TimePoint alone_until_{};
  // Apart, because workers hammer the first and the caller polls the second.
  alignas(64) std::atomic<int32_t> unclaimed_{0};   // chunks nobody has taken; kStop at the end
  alignas(64) std::atomic<int32_t> unfinished_{0};  // chunks not yet done
  std::vector<std::thread> workers_;
};

}  // namespace ac::cpu
