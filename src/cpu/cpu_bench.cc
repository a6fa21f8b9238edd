// Dispatch latency of ThreadPool against the textbook pool (a mutex, a condition variable, all
// workers checked in and out of every job), and memory bandwidth.

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/bandwidth.h"
#include "cpu/thread_pool.h"

namespace ac::cpu {
namespace {

class NaivePool {
 public:
  explicit NaivePool(int threads) : threads_(threads) {
    for (int worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { Loop(worker); });
    }
  }
  ~NaivePool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    start_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void ParallelFor(int64_t count, const std::function<void(int64_t, int64_t, int)>& body) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      body_ = &body;
      count_ = count;
      running_ = threads_ - 1;
      ++generation_;
    }
    start_.notify_all();
    RunShare(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void RunShare(int worker) {
    const int64_t begin = count_ * worker / threads_;
    const int64_t end = count_ * (worker + 1) / threads_;
    (*body_)(begin, end, worker);
  }
  void Loop(int worker) {
    for (int seen = 0;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return stop_ || generation_ != seen; });
        if (stop_) return;
        seen = generation_;
      }
      RunShare(worker);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ == 0) done_.notify_one();
    }
  }

  const int threads_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int64_t, int64_t, int)>* body_ = nullptr;
  int64_t count_ = 0;
  int generation_ = 0, running_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

// About `loops` dependent multiplications: a stand-in for the rows of a small matrix.
void Work(int64_t loops) {
  uint64_t x = 1;
  for (int64_t i = 0; i < loops; ++i) benchmark::DoNotOptimize(x = x * 6364136223846793005u + 1);
}

ThreadPool::Options Threads(int64_t threads) {
  ThreadPool::Options options;
  options.threads = static_cast<int>(threads);
  return options;
}

// Arguments: threads, multiplications in the whole job.
void BM_ParallelFor(benchmark::State& state) {
  ThreadPool pool(Threads(state.range(0)));
  for (auto _ : state) {
    pool.ParallelFor(state.range(1), 16,
                     [](int64_t begin, int64_t end, int) { Work(end - begin); });
  }
}

void BM_NaivePool(benchmark::State& state) {
  NaivePool pool(static_cast<int>(state.range(0)));
  const std::function<void(int64_t, int64_t, int)> body = [](int64_t begin, int64_t end, int) {
    Work(end - begin);
  };
  for (auto _ : state) pool.ParallelFor(state.range(1), body);
}

// Calls 200 us apart: the workers have gone to sleep.
void BM_ParallelForCold(benchmark::State& state) {
  ThreadPool pool(Threads(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    state.ResumeTiming();
    pool.ParallelFor(state.range(1), 16,
                     [](int64_t begin, int64_t end, int) { Work(end - begin); });
  }
}

void BM_ReadBandwidth(benchmark::State& state) {
  ThreadPool pool(Threads(state.range(0)));
  double best = 0;
  for (auto _ : state) {
    const Result<Bandwidth> bandwidth = MeasureReadBandwidth(pool);
    if (bandwidth.ok()) best = std::max(best, bandwidth->gb_per_s);
  }
  state.counters["GB/s"] = best;
}

BENCHMARK(BM_ParallelFor)->ArgsProduct({{1, 2}, {64, 1024, 65536}})->UseRealTime();
BENCHMARK(BM_NaivePool)->ArgsProduct({{1, 2}, {64, 1024, 65536}})->UseRealTime();
BENCHMARK(BM_ParallelForCold)->Args({2, 1024})->Args({2, 65536})->Iterations(2000)->UseRealTime();
BENCHMARK(BM_ReadBandwidth)->Arg(1)->Arg(2)->Iterations(2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ac::cpu
