// Golden files, tests/golden/: *.req.json becomes a neutral request, an events file becomes the
// exact bytes of every dialect. AC_UPDATE_GOLDEN=1 writes what is there now; read the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "api/codec.h"
#include "api/stream_checker.h"
#include "chat/dump.h"
#include "chat/reply.h"
#include "json/json.h"

namespace ac::api {
namespace {

namespace fs = std::filesystem;

struct Shape {
  std::string folder;
  Endpoint endpoint;
};

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape> shapes = {
      {"anthropic", Endpoint::kMessages},
      {"openai_chat", Endpoint::kChatCompletions},
      {"openai_completions", Endpoint::kCompletions},
      {"openai_responses", Endpoint::kResponses},
  };
  return shapes;
}

fs::path GoldenDir() { return fs::path(AC_SOURCE_DIR) / "tests/golden"; }

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<fs::path> FilesIn(const fs::path& folder, const std::string& suffix) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().ends_with(suffix)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void ExpectGolden(const fs::path& path, const std::string& actual) {
  if (std::getenv("AC_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  ASSERT_TRUE(fs::exists(path)) << path << " is missing; AC_UPDATE_GOLDEN=1 writes it";
  EXPECT_EQ(ReadAll(path), actual) << path;
}

std::vector<chat::ChatEvent> EventsOf(const fs::path& path) {
  std::vector<chat::ChatEvent> events;
  const Result<json::Value> list = json::Parse(ReadAll(path));
  EXPECT_TRUE(list.ok()) << path << list.status();
  if (!list.ok() || !list->is_array()) return events;
  for (const json::Value& item : list->get_array()) {
    Result<chat::ChatEvent> event = chat::EventFromJson(item);
    EXPECT_TRUE(event.ok()) << path << event.status();
    if (event.ok()) events.push_back(*event);
  }
  return events;
}

TEST(Golden, RequestsBecomeTheirNeutralForm) {
  int count = 0;
  for (const Shape& shape : Shapes()) {
    for (const fs::path& path : FilesIn(GoldenDir() / shape.folder, ".req.json")) {
      const Result<chat::ChatRequest> request = ParseRequest(shape.endpoint, ReadAll(path));
      ASSERT_TRUE(request.ok()) << path << request.status();
      fs::path golden = path;
      golden.replace_extension("").replace_extension(".neutral.json");
      ExpectGolden(golden, json::WritePretty(chat::ToJson(*request)) + "\n");
      ++count;
    }
  }
  EXPECT_GE(count, 8);
}

TEST(Golden, EventsBecomeTheirExactBytes) {
  int count = 0;
  for (const fs::path& path : FilesIn(GoldenDir() / "events", ".events.json")) {
    const std::vector<chat::ChatEvent> events = EventsOf(path);
    ASSERT_TRUE(CheckEvents(events).ok()) << path << CheckEvents(events);
    for (const Shape& shape : Shapes()) {
      EncoderOptions options{.model = "the-model",
                             .include_usage = true,
                             .logprobs = true,
                             .created = 1700000000,
                             .previous_response_id = ""};
      const auto encoder = MakeEventEncoder(shape.endpoint, options);
      chat::ReplyBuilder builder;
      std::string bytes;
      for (const chat::ChatEvent& event : events) {
        encoder->Encode(event, &bytes);
        builder.Apply(event);
      }
      fs::path golden = GoldenDir() / shape.folder / path.filename();
      golden.replace_extension("").replace_extension(".sse");
      ExpectGolden(golden, bytes);
      if (bytes.find("\"error\":{") == std::string::npos) {
        EXPECT_TRUE(CheckSse(shape.endpoint, bytes).ok())
            << golden << CheckSse(shape.endpoint, bytes);
      }
      if (builder.reply().error.ok()) {
        golden.replace_extension(".reply.json");
        const Result<json::Value> body =
            json::Parse(EncodeReply(shape.endpoint, options, builder.reply()));
        ASSERT_TRUE(body.ok()) << golden << body.status();
        ExpectGolden(golden, json::WritePretty(*body) + "\n");
      }
      ++count;
    }
  }
  EXPECT_GE(count, 28);
}

}  // namespace
}  // namespace ac::api
