#include "routing/routed_backend.h"

#include <gtest/gtest.h>

#include "routing/cluster_backend.h"
#include "support/fake_backend.h"

namespace ac::routing {
namespace {

chat::ChatRequest Request(size_t bytes) {
  chat::ChatRequest request;
  request.model = "x";
  request.messages = {{chat::Role::kUser, {{chat::Text{std::string(bytes, 'a')}, ""}}}};
  return request;
}

class RoutedBackendTest : public ::testing::Test {
 protected:
  RoutedBackend Make(RuleSet rules, std::optional<double> budget = {}) {
    return RoutedBackend({{.name = "local", .backend = &local_},
                          {.name = "cloud",
                           .backend = &cloud_,
                           .charges = true,
                           .price = Price{.input = 3, .cached = 0.3, .output = 15},
                           .usd_per_day = budget}},
                         std::move(rules), nullptr, clock_);
  }
  std::string Ask(RoutedBackend& backend, const chat::ChatRequest& request) {
    const auto sink = std::make_shared<CollectingChatSink>();
    const auto call = backend.Start(request, sink);
    return sink->Text() + (sink->Failure() == nullptr ? "" : sink->Failure()->status.message());
  }
  FakeClock clock_;
  FakeBackend local_, cloud_;
};

TEST_F(RoutedBackendTest, PredictsTheWaitFromWhatItMeasured) {
  local_.events = TextReply("local", {.input_tokens = 1000, .output_tokens = 10});
  cloud_.events = TextReply("cloud", {.input_tokens = 1000, .output_tokens = 10});
  local_.before_events = [this] {
    clock_.Advance(std::chrono::seconds(10));
  };  // 100 tokens a second
  RuleSet rules{.rules = {{"slow", {.wait_over_s = 20, .price_under = 1.0}, {{"cloud", ""}}}},
                .by_default = {{"local", ""}}};
  RoutedBackend backend = Make(rules);
  EXPECT_EQ(Ask(backend, Request(40'000)), "local") << "nothing is measured yet";
  EXPECT_EQ(Ask(backend, Request(40'000)), "local") << "its beginning has been read: no wait";
  chat::ChatRequest other = Request(40'000);
  other.system = {{chat::Text{"another beginning"}, ""}};
  EXPECT_EQ(Ask(backend, other), "cloud") << "10,000 cold tokens would take 100 s";
  EXPECT_EQ(Ask(backend, Request(4'000)), "local");
}

TEST_F(RoutedBackendTest, ABudgetEndsAndBeginsAgainTheNextDay) {
  cloud_.events = TextReply("cloud", {.input_tokens = 100'000, .output_tokens = 10'000});  // 0.45
  RoutedBackend backend = Make({.by_default = {{"cloud", ""}}}, 0.60);
  EXPECT_EQ(Ask(backend, Request(400)), "cloud");
  EXPECT_NEAR(backend.SpentToday("cloud"), 0.45, 1e-9);
  const std::string refused = Ask(backend, Request(400'000));
  EXPECT_NE(refused.find("budget"), std::string::npos) << refused;
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Ask(backend, Request(400)), "cloud");
}

TEST_F(RoutedBackendTest, FallsBackAlongTheDefaultChain) {
  local_.events = {{chat::Error{Unavailable("[x] gone")}}};
  cloud_.events = TextReply("cloud");
  RoutedBackend backend = Make({.by_default = {{"local", ""}, {"cloud", "big"}}});
  EXPECT_EQ(Ask(backend, Request(10)), "cloud");
  EXPECT_EQ(cloud_.models, std::vector<std::string>{"big"});
}

TEST(ClusterBackendTest, FailsOverAndKeepsConversationsTogether) {
  remote::Timer timer;
  std::vector<FakeBackend*> fakes;
  std::vector<Replica> replicas;
  std::vector<Health> health(3, Health::kReady);
  for (size_t i = 0; i < 3; ++i) {
    auto fake = std::make_unique<FakeBackend>();
    fake->events = TextReply(std::to_string(i));
    fakes.push_back(fake.get());
    replicas.push_back({.name = "r" + std::to_string(i),
                        .backend = std::move(fake),
                        .probe = [&health, i](auto done) { done(health[i]); }});
  }
  ClusterBackend cluster(std::move(replicas), {.health_interval = std::chrono::hours(1)}, timer);
  const auto ask = [&](const std::string& words, const std::string& session) {
    chat::ChatRequest request = Request(3000);
    request.messages[0].blocks[0].value = chat::Text{words + std::string(3000, '.')};
    request.metadata.session_id = session;
    const auto sink = std::make_shared<CollectingChatSink>();
    const auto call = cluster.Start(request, sink);
    return sink->Failure() == nullptr ? sink->Text() : "failed";
  };
  const std::string home = ask("one", "s");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("one", "s"), home);
  // The home dies: its conversations go on elsewhere, and stay there.
  const auto dead = static_cast<size_t>(home[0] - '0');
  health[dead] = Health::kDown;
  fakes[dead]->events = {{chat::Error{Unavailable("[x] refused")}}};
  const std::string next = ask("one", "s");
  EXPECT_NE(next, "failed");
  EXPECT_NE(next, home);
  EXPECT_EQ(cluster.health(dead), Health::kDown) << "noticed without waiting for the next probe";
  const size_t tries = fakes[dead]->models.size();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("one", "s"), next);
  EXPECT_EQ(fakes[dead]->models.size(), tries) << "what is down gets nothing";
}

}  // namespace
}  // namespace ac::routing
