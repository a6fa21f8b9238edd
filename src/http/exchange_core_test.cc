#include "http/internal/exchange_core.h"

#include <gtest/gtest.h>

namespace ac::http::internal {
namespace {

// A connection that counts how often it is woken, and a system that takes `room` bytes.
struct SleepingLine {
  size_t room = 1 << 20;
  std::string sent;
  int woken = 0;
  ExchangeCore core{{},
                    1024,
                    [this] { ++woken; },
                    [this](std::string_view bytes) {
                      const size_t n = std::min(bytes.size(), room);
                      sent += bytes.substr(0, n);
                      room -= n;
                      return n;
                    }};

  // The connection finds nothing to send and goes to sleep.
  std::string Sleep() {
    std::string bytes = core.Take().bytes;
    core.Sent(bytes.size());
    return bytes;
  }
};

TEST(ExchangeCore, AWriterSendsItselfWhileTheConnectionSleeps) {
  SleepingLine line;
  EXPECT_EQ(line.Sleep(), "");
  line.core.StartStream(200, {});
  EXPECT_TRUE(line.sent.ends_with("\r\n\r\n")) << line.sent;
  line.sent.clear();
  EXPECT_EQ(line.core.Write("abc"), 0u);
  EXPECT_EQ(line.core.Write("de"), 0u);
  EXPECT_EQ(line.sent, "3\r\nabc\r\n2\r\nde\r\n");
  EXPECT_EQ(line.woken, 0);
  line.core.Finish();
  EXPECT_EQ(line.woken, 1);
  EXPECT_EQ(line.Sleep(), "0\r\n\r\n");
}

TEST(ExchangeCore, WhatTheSystemDoesNotTakeIsLeftToTheConnectionInOrder) {
  SleepingLine line;
  EXPECT_EQ(line.Sleep(), "");
  line.core.StartStream(200, {});
  line.sent.clear();
  line.room = 4;
  EXPECT_EQ(line.core.Write("abc"), 4u);  // of "3\r\nabc\r\n"
  EXPECT_EQ(line.woken, 1);
  line.room = 100;
  line.core.Write("de");  // not past what waits
  EXPECT_EQ(line.sent, "3\r\na");
  EXPECT_EQ(line.woken, 1);
  EXPECT_EQ(line.Sleep(), "bc\r\n2\r\nde\r\n");
  line.core.Write("f");  // still not: the connection has not looked again
  EXPECT_EQ(line.Sleep(), "1\r\nf\r\n");
  EXPECT_EQ(line.Sleep(), "");
  line.core.Write("g");
  EXPECT_EQ(line.sent, "3\r\na1\r\ng\r\n");
}

TEST(ExchangeCore, NobodySendsOnASocketThatIsBeingClosed) {
  for (const bool detached : {false, true}) {
    SleepingLine line;
    EXPECT_EQ(line.Sleep(), "");
    line.core.StartStream(200, {});
    line.sent.clear();
    detached ? line.core.Detach() : line.core.LeaveSocket();
    line.core.Write("abc");
    EXPECT_EQ(line.sent, "");
  }
}

}  // namespace
}  // namespace ac::http::internal
