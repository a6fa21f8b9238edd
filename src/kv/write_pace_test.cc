#include "kv/write_pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace ac::kv {
namespace {

// The clock stands still: what rests under it ends for another reason than time.
class WritePaceTest : public ::testing::Test {
 protected:
  static constexpr Nanos kPiece = std::chrono::hours(1);
  FakeClock clock_;
  WritePace pace_{clock_};
};

TEST_F(WritePaceTest, NobodyRestsWhileNothingIsDecoded) {
  pace_.Rest(kPiece);
  pace_.SetDecoding(true);
  pace_.SetDecoding(false);
  pace_.Rest(kPiece);
}

TEST_F(WritePaceTest, ARestEndsWhenDecodingEnds) {
  pace_.SetDecoding(true);
  std::thread writer([&] { pace_.Rest(kPiece); });
  pace_.SetDecoding(false);
  writer.join();
}

TEST_F(WritePaceTest, ARestEndsWhenSomebodyWaitsAndNoneBeginsUntilThen) {
  pace_.SetDecoding(true);
  std::thread writer([&] { pace_.Rest(kPiece); });
  const WritePace::Hurry hurry(pace_);
  writer.join();
  pace_.Rest(kPiece);
}

TEST_F(WritePaceTest, ARestIsAsManyPartsAsWereWorked) {
  constexpr Nanos kShort = std::chrono::microseconds(1);
  pace_.SetDecoding(true);
  pace_.Rest(Nanos(0));
  std::atomic<bool> rested = false;
  std::thread writer([&] {
    pace_.Rest(kShort);
    rested = true;
  });
  // Each turn wakes the writer, which looks at the clock; it began at the first one at the latest.
  const Nanos begin = clock_.Now();
  while (!rested) {
    clock_.Advance(kShort);
    pace_.SetDecoding(true);
  }
  writer.join();
  EXPECT_GE(clock_.Now() - begin, kShort * WritePace::kRestParts);
}

}  // namespace
}  // namespace ac::kv
