// Our renderings against Python's jinja2, set up as Transformers does, and against Hugging Face's
// JavaScript implementation: every shared template over a matrix of conversations and settings.
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "jinja/template.h"
#include "json/json.h"
#include "support/node.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"

namespace ac::jinja {
namespace {

constexpr const char* kPython =
    "/usr/bin/python3 '" AC_SOURCE_DIR "/tests/reference/jinja_oracle.py'";
constexpr auto kNow = std::chrono::seconds(1'700'000'000);  // the oracle's clock says the same

struct Case {
  std::string name;
  std::string source;
  json::Object context;
};

std::string Read(const std::string& path) {
  auto text = ReadFile(FileSystem::Real(), path);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

json::Value ReadJson(const std::string& name) {
  auto value = json::Parse(Read(AC_SOURCE_DIR "/tests/reference/" + name));
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : json::Value();
}

// Every conversation under every setting, with the generation prompt on and off.
std::vector<json::Object> Contexts(std::vector<std::string>* names) {
  const json::Value file = ReadJson("jinja_conversations.json");
  std::vector<json::Object> contexts;
  for (const auto& conversation : *json::AsObject(json::Find(file, "conversations"))) {
    for (const auto& setting : *json::AsObject(json::Find(file, "settings"))) {
      for (const bool prompt : {true, false}) {
        json::Object context = *json::AsObject(&setting.value());
        context["messages"] = conversation.value();
        context["bos_token"] = "<s>";
        context["eos_token"] = "</s>";
        context["add_generation_prompt"] = prompt;
        contexts.push_back(std::move(context));
        names->push_back(std::string(conversation.key()) + ", " + std::string(setting.key()) +
                         (prompt ? ", with prompt" : ""));
      }
    }
  }
  contexts.emplace_back();
  names->push_back("no variables at all");
  return contexts;
}

std::vector<Case> SharedTemplates() {
  std::vector<std::string> names;
  const std::vector<json::Object> contexts = Contexts(&names);
  std::vector<Case> cases;
  const std::string folder = testing::SharedData("templates");
  const auto files = FileSystem::Real().List(folder);
  EXPECT_TRUE(files.ok()) << files.status();
  if (!files.ok()) return cases;
  EXPECT_GE(files->size(), 13u);
  for (const std::string& file : *files) {
    const std::string source = Read(folder + "/" + file);
    for (size_t i = 0; i < contexts.size(); ++i) {
      cases.push_back({file + ": " + names[i], source, contexts[i]});
    }
  }
  return cases;
}

std::vector<Case> RecordedCases() {
  std::vector<Case> cases;
  const std::string text = Read(AC_SOURCE_DIR "/tests/reference/jinja_cases.jsonl");
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const auto item = json::Parse(std::string_view(text).substr(start, end - start));
    start = end + 1;
    EXPECT_TRUE(item.ok()) << item.status();
    const json::Object* context = json::AsObject(json::Find(*item, "context"));
    const std::string source(*json::GetString(*item, "template"));
    cases.push_back({source, source, context == nullptr ? json::Object() : *context});
  }
  return cases;
}

std::string Requests(const std::vector<Case>& cases) {
  std::string lines;
  for (const Case& item : cases) {
    json::Object request;
    request["template"] = item.source;
    request["context"] = item.context;
    // Boost's own writer keeps 1.0 a float, which our compact one for JavaScript does not.
    lines += boost::json::serialize(request) + "\n";
  }
  return lines;
}

std::vector<Result<std::string>> RenderAll(const std::vector<Case>& cases) {
  ::setenv("TZ", "UTC", 1);
  static FakeClock clock(kNow);
  RenderOptions options;
  options.clock = &clock;
  std::map<std::string, Result<std::shared_ptr<const Template>>> parsed;
  std::vector<Result<std::string>> results;
  for (const Case& item : cases) {
    auto known = parsed.find(item.source);
    if (known == parsed.end()) {
      known = parsed.emplace(item.source, Template::Parse(item.source, "t")).first;
    }
    const auto& source = known->second;
    results.push_back(source.ok() ? (*source)->Render(item.context, options)
                                  : Result<std::string>(source.status()));
  }
  return results;
}

// Runs the Python oracle; one answer per case.
std::vector<json::Value> AskPython(const std::vector<Case>& cases) {
  const testing::TempDir folder;
  const Status written = WriteFileAtomic(FileSystem::Real(), folder / "requests", Requests(cases));
  EXPECT_TRUE(written.ok()) << written;
  const std::string command =
      std::string(kPython) + " < '" + (folder / "requests") + "' > '" + (folder / "answers") + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  const std::string text = Read(folder / "answers");
  std::vector<json::Value> answers;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    auto answer = json::Parse(std::string_view(text).substr(start, end - start));
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (answer.ok()) answers.push_back(std::move(*answer));
    start = end + 1;
  }
  EXPECT_EQ(answers.size(), cases.size());
  return answers;
}

void ExpectSameAsPython(const std::vector<Case>& cases) {
  const std::vector<json::Value> answers = AskPython(cases);
  const auto results = RenderAll(cases);
  ASSERT_EQ(answers.size(), results.size());
  size_t rendered = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i].name);
    if (const auto text = json::GetString(answers[i], "text")) {
      ASSERT_TRUE(results[i].ok()) << results[i].status();
      ASSERT_EQ(*results[i], *text);
      ++rendered;
      continue;
    }
    const std::string message(json::GetString(answers[i], "message").value_or(""));
    ASSERT_FALSE(results[i].ok()) << "Python failed: " << message << "; we rendered "
                                  << *results[i];
    if (json::GetString(answers[i], "error") == "TemplateError") {
      ASSERT_EQ(RaisedMessage(results[i].status()), message) << results[i].status();
    }
  }
  EXPECT_GT(rendered, cases.size() / 2) << "the comparison is about texts, not failures";
}

bool HasPythonJinja() {
  return std::system((std::string(kPython) + " --check > /dev/null 2>&1").c_str()) == 0;
}

#define REQUIRE_PYTHON_JINJA()                                                        \
  do {                                                                                \
    if (!HasPythonJinja()) {                                                          \
      if (std::getenv("CI") != nullptr) {                                             \
        FAIL() << "python3-jinja2 missing: run tools/bootstrap.sh --what test";       \
      } else {                                                                        \
        GTEST_SKIP() << "python3-jinja2 missing: run tools/bootstrap.sh --what test"; \
      }                                                                               \
    }                                                                                 \
  } while (0)

TEST(PythonOracle, SharedTemplatesRenderByteForByte) {
  AC_REQUIRE_SHARED_DATA();
  REQUIRE_PYTHON_JINJA();
  ExpectSameAsPython(SharedTemplates());
}

TEST(PythonOracle, RecordedCasesAreStillWhatPythonAnswers) {
  REQUIRE_PYTHON_JINJA();
  ExpectSameAsPython(RecordedCases());
}

// Where JavaScript cannot follow Python: it has no floats with a zero fraction, it prints null,
// booleans and containers its own way, and it compares mappings by identity (which one template
// asks).
bool JavaScriptDiffersByDesign(const Case& item, const std::string& ours) {
  for (const char* mark : {"1.0", "1.5", "None", "True", "False", "['", "[{'", "{'"}) {
    if (ours.find(mark) != std::string::npos) return true;
  }
  return item.source.find("message == user_messages[-1]") != std::string::npos;
}

TEST(JavaScriptOracle, SharedTemplatesRenderByteForByteWhereItCan) {
  AC_REQUIRE_SHARED_DATA();
  AC_REQUIRE_NPM_PACKAGE("@huggingface/jinja");
  const std::vector<Case> cases = SharedTemplates();
  const testing::TempDir folder;
  const Status written = WriteFileAtomic(FileSystem::Real(), folder / "requests", Requests(cases));
  ASSERT_TRUE(written.ok()) << written;
  const auto answers =
      json::Parse(testing::RunNode("tests/reference/jinja_oracle.mjs", {folder / "requests"}));
  ASSERT_TRUE(answers.ok()) << answers.status();
  const json::Array& texts = *json::AsArray(&*answers);
  const auto results = RenderAll(cases);
  ASSERT_EQ(texts.size(), results.size());
  size_t same = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto text = json::AsString(&texts[i]);
    if (!text || !results[i].ok()) continue;
    same += *results[i] == *text ? 1 : 0;
    if (JavaScriptDiffersByDesign(cases[i], *results[i])) continue;
    ASSERT_EQ(*results[i], *text) << cases[i].name;
  }
  EXPECT_GT(same, cases.size() / 2);
}

}  // namespace
}  // namespace ac::jinja
