// A token sink that remembers everything and lets a test wait for the end.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/request.h"

namespace ac::testing {

class CollectingSink : public engine::TokenSink {
 public:
  void OnStart(const engine::CacheReport& report) override {
    MutexLock lock(mutex_);
    prompt_tokens = report.prompt_tokens;
    cached_tokens = report.from_memory + report.from_disk;
  }
  void OnProgress(int64_t done, int64_t) override {
    MutexLock lock(mutex_);
    progress.push_back(done);
  }
  void OnToken(const engine::TokenEvent& event) override {
    MutexLock lock(mutex_);
    tokens.push_back(event.id);
    text += event.text;
    changed_.NotifyAll();
  }
  void OnFinish(const engine::FinishInfo& finish) override {
    MutexLock lock(mutex_);
    info = finish;
    text += finish.text;
    ++finishes;
    changed_.NotifyAll();
  }

  // False when the generation did not end within 30 seconds.
  bool Wait() {
    MutexLock lock(mutex_);
    const auto end = Deadline();
    while (finishes == 0 && std::chrono::steady_clock::now() < end) {
      changed_.WaitFor(mutex_, std::chrono::milliseconds(100));
    }
    return finishes == 1;
  }
  bool WaitForTokens(size_t count) {
    MutexLock lock(mutex_);
    const auto end = Deadline();
    while (tokens.size() < count && finishes == 0 && std::chrono::steady_clock::now() < end) {
      changed_.WaitFor(mutex_, std::chrono::milliseconds(100));
    }
    return tokens.size() >= count;
  }

  // Read after Wait().
  std::vector<int32_t> tokens;
  std::vector<int64_t> progress;
  std::string text;
  engine::FinishInfo info;
  int64_t prompt_tokens = -1;
  int64_t cached_tokens = -1;
  int finishes = 0;

 private:
  static std::chrono::steady_clock::time_point Deadline() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(30);
  }

  Mutex mutex_;
  CondVar changed_;
};

}  // namespace ac::testing
