#include "app/mode_health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "remote/server_kind.h"
#include "support/http_server.h"

namespace ac::app {
namespace {

using ac::testing::Eventually;
using ac::testing::ExchangePtr;

class ModeHealthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = ac::testing::Serve([this](const http::Request& request, const ExchangePtr& exchange) {
      ++asked_;
      const bool known = request.path == "/api/v0/models";
      exchange->Respond(http::Response::Make(known ? 200 : 404, "application/json",
                                             R"({"data":[{"id":"m","state":"loaded"}]})"));
    });
    // Every server that could be on this machine is ours, and none of them but one answers.
    for (const remote::ServerKind& kind : remote::ServerKinds()) {
      if (kind.mode == "custom") continue;
      variables_[remote::VariableName(kind, "_URL")] = server_->url();
    }
    variables_["OPENAI_API_KEY"] = "k";
  }
  Environment environment() {
    return [variables = variables_](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    };
  }
  static const ModeState* Find(const std::vector<ModeState>& states, const std::string& name) {
    const auto found = std::find_if(states.begin(), states.end(),
                                    [&](const ModeState& state) { return state.name == name; });
    return found == states.end() ? nullptr : &*found;
  }

  std::atomic<int> asked_{0};
  std::map<std::string, std::string> variables_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(ModeHealthTest, TellsWhichModesWouldWork) {
  ModeHealth health("ollama", environment());
  std::vector<ModeState> states;
  ASSERT_TRUE(Eventually([&] { return !(states = health.Look()).empty(); }));
  const ModeState* studio = Find(states, "lmstudio");
  ASSERT_NE(studio, nullptr);
  EXPECT_TRUE(studio->ok);
  EXPECT_EQ(studio->state, "answers at " + server_->url() + "/v1");
  const ModeState* vllm = Find(states, "vllm");
  ASSERT_NE(vllm, nullptr);
  EXPECT_FALSE(vllm->ok);
  EXPECT_EQ(vllm->state, "no answer at " + server_->url() + "/v1");
  EXPECT_NE(Find(states, "local"), nullptr);
  ASSERT_NE(Find(states, "openai"), nullptr);
  EXPECT_EQ(Find(states, "openai")->state, "a key is set");
  EXPECT_EQ(Find(states, "gemini"), nullptr) << "a cloud without a key is no choice";
  EXPECT_EQ(Find(states, "ollama"), nullptr) << "it serves";
}

TEST_F(ModeHealthTest, NobodyIsAskedWhileNobodyLooks) {
  { ModeHealth health("local", environment(), std::chrono::milliseconds(1)); }
  EXPECT_EQ(asked_, 0);
  ModeHealth health("local", environment(), std::chrono::milliseconds(1));
  health.Look();
  ASSERT_TRUE(Eventually([&] { return asked_ > 0; }));
  // Two rounds, then it waits for the next look: the number of questions stands still.
  int before = -1;
  ASSERT_TRUE(Eventually([&] { return std::exchange(before, asked_.load()) == asked_; }));
  std::vector<ModeState> states;
  ASSERT_TRUE(Eventually([&] { return !(states = health.Look()).empty(); }));
}

TEST_F(ModeHealthTest, AServerThatComesIsFound) {
  variables_["LMSTUDIO_URL"] = "http://127.0.0.1:1";
  const auto gone = environment();
  std::atomic<bool> back{false};
  const std::string here = server_->url();
  ModeHealth health(
      "local",
      [&, gone](const std::string& name) -> std::optional<std::string> {
        return name == "LMSTUDIO_URL" && back ? here : gone(name);
      },
      std::chrono::milliseconds(1));
  const auto ok = [&] {
    const auto states = health.Look();
    const ModeState* studio = Find(states, "lmstudio");
    return studio != nullptr && studio->ok;
  };
  ASSERT_TRUE(Eventually([&] { return !health.Look().empty(); }));
  EXPECT_FALSE(ok());
  back = true;
  EXPECT_TRUE(Eventually(ok));
}

}  // namespace
}  // namespace ac::app
