#include "obs/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "json/json.h"
#include "obs/log_capture.h"
#include "obs/span.h"

namespace ac::obs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// 2026-01-31T12:00:00.123Z
constexpr Nanos kNoon = std::chrono::milliseconds(1'769'860'800'123);

TEST(Log, ATextLineHasTimeLevelModuleMessageAndFields) {
  const FakeClock clock(kNoon);
  const LogCapture log(Level::kDebug, LogFormat::kText, &clock);
  const std::string name = "two words";
  Info("kv", "restored prefix",
       {{"tokens", 18490}, {"ms", 12.5}, {"hit", true}, {"name", name}, {"id", "x"}});
  Warn("kv", "disk tier off");
  EXPECT_THAT(
      log.lines(),
      ElementsAre("2026-01-31T12:00:00.123Z INFO  [kv] restored prefix tokens=18490 ms=12.5 "
                  "hit=true name=\"two words\" id=x",
                  "2026-01-31T12:00:00.123Z WARN  [kv] disk tier off"));
}

TEST(Log, AJsonLineIsOneJsonObject) {
  const FakeClock clock(kNoon);
  const LogCapture log(Level::kDebug, LogFormat::kJson, &clock);
  Error("http", "said \"no\"\n",
        {{"big", std::numeric_limits<uint64_t>::max()},
         {"negative", int64_t{-5}},
         {"nan", std::numeric_limits<double>::quiet_NaN()},
         {"bad utf8", std::string("a\xff\x01z")}});
  ASSERT_THAT(log.lines(), SizeIs(1));
  const Result<json::Value> line = json::Parse(log.lines()[0]);
  ASSERT_TRUE(line.ok()) << log.lines()[0];
  EXPECT_EQ(json::GetString(*line, "time"), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(json::GetString(*line, "level"), "error");
  EXPECT_EQ(json::GetString(*line, "module"), "http");
  EXPECT_EQ(json::GetString(*line, "message"), "said \"no\"\n");
  EXPECT_EQ(json::GetInt(*line, "negative"), -5);
  EXPECT_TRUE(json::Find(*line, "nan")->is_null());
  EXPECT_EQ(json::GetString(*line, "bad utf8"), "a\xef\xbf\xbd\x01z");
  EXPECT_THAT(log.lines()[0], HasSubstr("18446744073709551615"));
}

TEST(Log, LevelsBelowTheSetOneAreDropped) {
  const LogCapture log(Level::kWarn);
  Debug("a", "debug");
  Info("a", "info");
  Warn("a", "warn");
  Error("a", "error");
  EXPECT_THAT(log.lines(), SizeIs(2));
  EXPECT_FALSE(LogEnabled(Level::kInfo));
  EXPECT_TRUE(LogEnabled(Level::kWarn));
}

TEST(Log, TheOffLevelSilencesErrorsToo) {
  const LogCapture log(Level::kOff);
  Error("a", "error");
  EXPECT_THAT(log.lines(), IsEmpty());
}

TEST(Log, SecretsAreTakenOutOfMessagesAndFields) {
  const std::string key = std::string("sk-ant-") + "api03-secret12345";
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const LogCapture log(Level::kDebug, format);
    Info("http", "client sent " + key,
         {{"x-api-key", "plain1"},
          {"note", "Authorization: Bearer plain2"},
          {"password", 1234},
          {"url", "/v1?key=plain3"}});
    const std::string line = log.lines().at(0);
    EXPECT_THAT(line, Not(HasSubstr("secret12345")));
    EXPECT_THAT(line, Not(HasSubstr("plain")));
    EXPECT_THAT(line, Not(HasSubstr("1234")));
    EXPECT_THAT(line, HasSubstr("[redacted]"));
  }
}

TEST(Log, TextFromAClientCannotForgeALine) {
  const LogCapture log;
  Info("http", "path", {{"path", "/\n2026-01-31 ERROR [kv] all gone\x1b[2J"}});
  ASSERT_THAT(log.lines(), SizeIs(1));
  EXPECT_THAT(log.lines()[0], Not(HasSubstr("\n")));
  EXPECT_THAT(log.lines()[0], Not(HasSubstr("\x1b")));
}

TEST(Log, ThreadsMayLogWhileTheSinkChanges) {
  const LogCapture outer;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 200; ++i) Info("test", "line", {{"thread", t}, {"i", i}});
    });
  }
  size_t inner_lines = 0;
  for (int i = 0; i < 50; ++i) {
    const LogCapture inner;
    std::this_thread::yield();
    inner_lines += inner.lines().size();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(outer.lines().size() + inner_lines, 800u);
}

TEST(Log, DebugVariableMapsToLevels) {
  struct Case {
    const char* text;
    int number;
    Level level;
    bool bodies;
  };
  for (const Case& c :
       {Case{"", 0, Level::kWarn, false}, Case{"0", 0, Level::kWarn, false},
        Case{"1", 1, Level::kInfo, false}, Case{"2", 2, Level::kDebug, false},
        Case{"3", 3, Level::kDebug, true}, Case{"9", 3, Level::kDebug, true},
        Case{"99999999999", 3, Level::kDebug, true}, Case{"-1", 0, Level::kWarn, false},
        Case{"true", 1, Level::kInfo, false}, Case{"2x", 1, Level::kInfo, false}}) {
    const DebugLevel debug = ParseDebugLevel(c.text);
    EXPECT_EQ(debug.number, c.number) << c.text;
    EXPECT_EQ(debug.level, c.level) << c.text;
    EXPECT_EQ(debug.bodies, c.bodies) << c.text;
  }
}

class LogFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ac_log_test_XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    previous_ = SetLog({});
  }
  void TearDown() override {
    SetLog(std::move(previous_));
    FileSystem& fs = FileSystem::Real();
    for (const std::string& sub : {directory_ + "/logs", directory_}) {
      const Result<std::vector<std::string>> names = fs.List(sub);
      for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
        fs.Remove(JoinPath(sub, name)).ok();
      }
      fs.Remove(sub).ok();
    }
  }
  static unsigned Mode(const std::string& path) {
    struct stat st = {};
    return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777u : 0u;
  }

  std::string directory_;
  LogSetup previous_;
};

TEST_F(LogFileTest, AFileLogIsPrivateAndRotates) {
  const mode_t old_mask = ::umask(0);
  LogOptions options;
  options.file = directory_ + "/logs/a.log";
  options.max_file_bytes = 4096;
  options.max_files = 3;
  ASSERT_TRUE(StartLog(options).ok());
  for (int i = 0; i < 400; ++i) Info("test", "a line of some length", {{"i", i}});
  ::umask(old_mask);

  const Result<std::vector<std::string>> names = FileSystem::Real().List(directory_ + "/logs");
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names, ElementsAre("a.1.log", "a.2.log", "a.log"));
  EXPECT_EQ(Mode(directory_ + "/logs"), 0700u);
  for (const std::string& name : *names) {
    const std::string path = directory_ + "/logs/" + name;
    EXPECT_EQ(Mode(path), 0600u) << name;
    EXPECT_LE(FileSystem::Real().Stat(path)->size, 4096u) << name;
  }
  const Result<std::string> last = ReadFile(FileSystem::Real(), options.file);
  ASSERT_TRUE(last.ok());
  EXPECT_THAT(*last, HasSubstr("i=399\n"));
}

TEST_F(LogFileTest, AFileThatOthersCouldReadIsNarrowed) {
  const std::string path = directory_ + "/old.log";
  ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), path, "before\n").ok());
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  LogOptions options;
  options.file = path;
  ASSERT_TRUE(StartLog(options).ok());
  Info("test", "after");
  EXPECT_EQ(Mode(path), 0600u);
  EXPECT_THAT(*ReadFile(FileSystem::Real(), path), HasSubstr("before\n"));
}

TEST_F(LogFileTest, AnUnwritablePlaceIsAClearError) {
  LogOptions options;
  options.file = "/proc/nowhere/a.log";
  const Status status = StartLog(options);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("[obs]"));
  EXPECT_THAT(status.message(), HasSubstr("/proc/nowhere"));
  options.file = directory_;  // a directory
  EXPECT_FALSE(StartLog(options).ok());
}

TEST_F(LogFileTest, LinesLostToAFullDiskAreCounted) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  const Counter dropped = Metrics::Default().GetCounter(
      "anyclaude_log_lines_dropped_total", "Log lines lost to a full disk or a closed pipe.");
  const double before = dropped.value();
  LogOptions options;
  options.file = directory_ + "/full.log";
  ASSERT_EQ(::symlink("/dev/full", options.file.c_str()), 0);
  ASSERT_TRUE(StartLog(options).ok());
  Info("test", "into the void");
  EXPECT_GT(dropped.value(), before);
}

TEST(Span, TheSecondsGoToTheHistogramAndTheLog) {
  FakeClock clock;
  Metrics metrics;
  const Histogram histogram = metrics.GetHistogram("anyclaude_test_seconds", "h", LatencyBounds());
  const LogCapture log;
  {
    Span span(histogram, "kv", "restore", clock);
    clock.Advance(std::chrono::milliseconds(1500));
    EXPECT_EQ(span.Stop(), 1.5);
    clock.Advance(std::chrono::seconds(5));
    EXPECT_EQ(span.Stop(), 1.5);
  }
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.sum(), 1.5);
  ASSERT_THAT(log.lines(), SizeIs(1));
  EXPECT_THAT(log.lines()[0], HasSubstr("[kv] restore seconds=1.5"));
}

TEST(Span, WithoutANameOnlyTheHistogramHears) {
  FakeClock clock;
  Metrics metrics;
  const Histogram histogram = metrics.GetHistogram("anyclaude_test_seconds", "h", LatencyBounds());
  const LogCapture log;
  {
    const Span span(histogram, clock);
    clock.Advance(std::chrono::seconds(2));
  }
  EXPECT_EQ(histogram.sum(), 2.0);
  EXPECT_THAT(log.lines(), IsEmpty());
}

}  // namespace
}  // namespace ac::obs
