#include "cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace ac::cpu {
namespace {

ThreadPool::Options Threads(int threads) {
  ThreadPool::Options options;
  options.threads = threads;
  return options;
}

TEST(ThreadPool, EveryElementIsVisitedExactlyOnceForAnyCountGrainAndThreadNumber) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(Threads(threads));
    ASSERT_EQ(pool.threads(), threads);
    for (const int64_t count : {0, 1, 2, 7, 64, 1000, 4099}) {
      for (const int64_t grain : {1, 3, 16, 5000}) {
        std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
        pool.ParallelFor(count, grain, [&](int64_t begin, int64_t end, int worker) {
          EXPECT_GE(worker, 0);
          EXPECT_LT(worker, threads);
          EXPECT_LT(begin, end);
          for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
        });
        for (const auto& n : visits) ASSERT_EQ(n.load(), 1) << count << " by " << grain;
      }
    }
  }
}

TEST(ThreadPool, ChunksStartAtMultiplesOfTheGrain) {
  ThreadPool pool(Threads(2));
  std::atomic<bool> aligned = true;
  pool.ParallelFor(10'007, 24, [&](int64_t begin, int64_t end, int) {
    if (begin % 24 != 0 || (end % 24 != 0 && end != 10'007)) aligned = false;
  });
  EXPECT_TRUE(aligned);
}

TEST(ThreadPool, ACountBeyondInt32IsCovered) {
  ThreadPool pool(Threads(2));
  constexpr int64_t kCount = int64_t{1} << 40;
  std::atomic<int64_t> covered = 0;
  pool.ParallelFor(kCount, 1, [&](int64_t begin, int64_t end, int) { covered += end - begin; });
  EXPECT_EQ(covered, kCount);
}

TEST(ThreadPool, PlainWritesOfBodiesAreVisibleAfterwardsOverManyCalls) {
  ThreadPool pool(Threads(4));
  std::vector<int64_t> values(512, 0);
  for (int round = 1; round <= 2000; ++round) {
    pool.ParallelFor(512, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += i;
    });
    ASSERT_EQ(values[511], 511 * round);
  }
  for (int64_t i = 0; i < 512; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], i * 2000);
}

TEST(ThreadPool, WorkersThatFellAsleepWakeUpAgain) {
  ThreadPool::Options options = Threads(3);
  options.spin = std::chrono::microseconds(0);
  ThreadPool pool(options);
  for (int round = 0; round < 200; ++round) {
    // Each body waits for the other two: it can only end when all three workers run one (or the
    // caller does the whole alone, where the machine is too busy for three).
    std::atomic<int> arrived = 0;
    pool.ParallelFor(3, 1, [&](int64_t begin, int64_t end, int) {
      arrived += static_cast<int>(end - begin);
      while (arrived < 3) std::this_thread::yield();
    });
    ASSERT_EQ(arrived, 3);
  }
}

TEST(ThreadPool, NoWorkerIndexIsInTwoBodiesAtOnce) {
  ThreadPool pool(Threads(3));
  std::vector<std::atomic<int>> inside(3);
  std::atomic<bool> clash = false;
  std::vector<std::thread> callers;
  callers.reserve(3);
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        // Alternates between shared jobs and ones small enough to stay with the caller.
        pool.ParallelFor(round % 2 == 0 ? 64 : 1, 1, [&](int64_t, int64_t, int worker) {
          std::atomic<int>& mine = inside[static_cast<size_t>(worker)];
          if (mine.fetch_add(1) != 0) clash = true;
          mine.fetch_sub(1);
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_FALSE(clash);
}

TEST(ThreadPool, ANestedCallRunsInlineWithItsOwnersIndex) {
  for (const int threads : {1, 2}) {
    ThreadPool pool(Threads(threads));
    std::atomic<int64_t> inner_total = 0;
    std::atomic<bool> same_place = true;
    pool.ParallelFor(8, 1, [&](int64_t begin, int64_t end, int worker) {
      const std::thread::id here = std::this_thread::get_id();
      pool.ParallelFor(100, 1, [&](int64_t b, int64_t e, int inner_worker) {
        if (inner_worker != worker || std::this_thread::get_id() != here) same_place = false;
        inner_total += (e - b) * (end - begin);
      });
    });
    EXPECT_TRUE(same_place);
    EXPECT_EQ(inner_total, 800);
  }
}

TEST(ThreadPool, AnotherPoolInsideABodyStillSharesItsWork) {
  ThreadPool outer(Threads(1));
  ThreadPool inner(Threads(2));
  std::atomic<int> arrived = 0;
  outer.ParallelFor(1, 1, [&](int64_t, int64_t, int) {
    inner.ParallelFor(2, 1, [&](int64_t, int64_t, int) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
    });
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, APoolOfOneRunsOnTheCaller) {
  ThreadPool pool(Threads(1));
  const std::thread::id caller = std::this_thread::get_id();
  pool.ParallelFor(1000, 1, [&](int64_t begin, int64_t end, int worker) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 1000);
    EXPECT_EQ(worker, 0);
  });
}

TEST(ThreadPool, AStuckWorkerCostsItsOwnChunkOnly) {
  ThreadPool pool(Threads(2));
  std::atomic<bool> release = false;
  std::atomic<int> done_by_others = 0;
  std::atomic<bool> stuck = false;
  pool.ParallelFor(32, 1, [&](int64_t, int64_t, int) {
    if (!stuck.exchange(true)) {
      // The first chunk ends only when all 31 others are done, so they must not wait for it.
      while (!release) std::this_thread::yield();
    } else if (++done_by_others == 31) {
      release = true;
    }
  });
  EXPECT_EQ(done_by_others, 31);
}

TEST(ThreadPool, AWorkerThatHoldsEverybodyUpIsLeftOutForAWhileAndTriedAgain) {
  ThreadPool pool(Threads(2));
  // Worker 1 behaves as if it lost its CPU in every chunk it takes; the caller gives it the chance.
  const auto run = [&pool](bool* whole, bool* helped) {
    std::atomic<bool> took = false;
    *whole = false;
    pool.ParallelFor(64, 1, [&](int64_t begin, int64_t end, int worker) {
      if (begin == 0 && end == 64) {
        *whole = true;
      } else if (worker == 1) {
        took = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(25));
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
    *helped = took;
  };
  bool whole = false, helped = false;
  for (int i = 0; i < 1000 && !whole; ++i) run(&whole, &helped);
  EXPECT_TRUE(whole) << "the caller never worked alone";
  for (int i = 0; i < 100'000 && !helped; ++i) {
    run(&whole, &helped);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  EXPECT_TRUE(helped) << "the worker never came back";
}

TEST(ThreadPool, PinnedAndOversubscribedPoolsWork) {
  ThreadPool::Options options = Threads(6);
  options.pin = true;
  ThreadPool pool(options);
  std::atomic<int64_t> sum = 0;
  pool.ParallelFor(1000, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) sum += i;
  });
  EXPECT_EQ(sum, 499'500);
}

TEST(ThreadPool, ZeroThreadsMeansAsManyAsTheMachineGives) {
  ThreadPool pool(ThreadPool::Options{});
  EXPECT_GE(pool.threads(), 1);
}

TEST(ThreadPool, AnIdlePoolIsDestroyedAtOnce) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(Threads(4));
}

}  // namespace
}  // namespace ac::cpu
