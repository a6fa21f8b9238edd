// Speculation with a draft model when both are real files: the text stays, and what was guessed is
// counted by where it came from.
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/load_draft.h"
#include "engine/loaded_model.h"
#include "support/collecting_sink.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"
#include "weights/synth.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;

constexpr const char* kStarter = AC_SOURCE_DIR "/models/starter/starter.gguf";

// Whether guesses pay is decided by time, and tests must not depend on the machine: a step takes
// what it takes where reading weights is all that matters.
class TimedModel : public model::ForwardModel {
 public:
  TimedModel(model::ForwardModel& inner, FakeClock& clock, std::chrono::microseconds step)
      : inner_(inner), clock_(clock), step_(step) {}
  int vocab_size() const override { return inner_.vocab_size(); }
  int64_t context_length() const override { return inner_.context_length(); }
  void SetInterrupt(const std::atomic<bool>* flag) override { inner_.SetInterrupt(flag); }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    clock_.Advance(step_);
    return inner_.Forward(batch, pages, logits);
  }

 private:
  model::ForwardModel& inner_;
  FakeClock& clock_;
  const std::chrono::microseconds step_;
};

struct DraftedAnswer {
  std::vector<TokenId> tokens;
  EngineStats stats;
  std::string metrics;
};

kv::PagePool DraftPagesOf(const LoadedModel& model, int64_t tokens) {
  const kv::PageLayout layout = model.model().Layout(kv::KvType::kBF16);
  return kv::PagePool::Create(layout, tokens / layout.page_tokens + 4).value();
}

DraftedAnswer GenerateWith(LoadedModel& large, LoadedModel* draft, const std::string& prompt) {
  FakeClock clock;
  TimedModel target(large, clock, std::chrono::microseconds(10'000));
  std::unique_ptr<TimedModel> small;
  obs::Metrics metrics;
  EngineOptions options{.speculation = Speculation::kOff, .metrics = &metrics};
  if (draft != nullptr) {
    small = std::make_unique<TimedModel>(*draft, clock, std::chrono::microseconds(200));
    options.speculation = Speculation::kDraft;
    options.draft = std::make_shared<speculation::DraftModel>(
        *small, DraftPagesOf(*draft, 3 * speculation::DraftModel::kMostTokens),
        draft->tokenizer().vocab_size(), clock);
  }
  Engine engine(target, large.tokenizer(), DraftPagesOf(large, 1024), options, clock);
  GenerateRequest request;
  request.prompt = large.tokenizer().Encode(prompt);
  request.max_tokens = 100;
  request.ignore_end_tokens = true;
  request.sampling.temperature = 0;
  auto sink = std::make_shared<CollectingSink>();
  EXPECT_TRUE(engine.Submit(std::move(request), sink).ok());
  EXPECT_TRUE(sink->Wait());
  EXPECT_EQ(sink->tokens.size(), 100u) << sink->info.status;
  EXPECT_TRUE(engine.CheckIntegrity().ok());
  return {sink->tokens, engine.stats(), metrics.RenderPrometheus()};
}

TEST(DraftFilesTest, AModelThatDraftsForItselfIsAlwaysRightAndCounted) {
  auto large = LoadedModel::Load(kStarter, {});
  ASSERT_TRUE(large.ok()) << large.status();
  auto draft = LoadDraft(kStarter, {}, **large);
  ASSERT_TRUE(draft.ok()) << draft.status();
  const std::string prompt = "Read the file src/main.cc and say what it does.\n";
  const DraftedAnswer plain = GenerateWith(**large, nullptr, prompt);
  const DraftedAnswer drafted = GenerateWith(**large, draft->get(), prompt);
  EXPECT_EQ(drafted.tokens, plain.tokens);
  EXPECT_EQ(plain.stats.guessed_tokens, 0u);
  EXPECT_GT(drafted.stats.drafted_tokens, 20u);
  EXPECT_EQ(drafted.stats.drafted_right, drafted.stats.drafted_tokens);
  EXPECT_EQ(drafted.stats.guessed_tokens, drafted.stats.drafted_tokens) << "no other source";
  const std::string count = std::to_string(drafted.stats.drafted_tokens);
  for (const std::string& line :
       {"anyclaude_engine_guessed_tokens_total{source=\"model\"} " + count,
        "anyclaude_engine_guessed_right_tokens_total{source=\"model\"} " + count,
        std::string("anyclaude_engine_guessed_tokens_total{source=\"text\"} 0")}) {
    EXPECT_NE(drafted.metrics.find(line + "\n"), std::string::npos) << line << drafted.metrics;
  }
}

// The same weights with fewer bits: right most of the time.
TEST(DraftFilesTest, ADraftOfFewerBitsGivesTheSameText) {
  AC_REQUIRE_SHARED_DATA();
  uint64_t guessed = 0;
  for (const auto& [target, small] : {std::pair("qwen2-F16", "qwen2-Q4_0"),
                                      {"qwen3-F16", "qwen3-Q4_K_M"},
                                      {"llama-Q8_0", "llama-Q4_K_M"}}) {
    const auto path = [](const std::string& name) {
      return ac::testing::SharedData("golden/" + name + ".gguf");
    };
    auto large = LoadedModel::Load(path(target), {});
    ASSERT_TRUE(large.ok()) << large.status();
    auto draft = LoadDraft(path(small), {}, **large);
    ASSERT_TRUE(draft.ok()) << draft.status();
    for (const char* prompt : {"int main() {\n", "Once upon a time there was"}) {
      const DraftedAnswer plain = GenerateWith(**large, nullptr, prompt);
      const DraftedAnswer drafted = GenerateWith(**large, draft->get(), prompt);
      EXPECT_EQ(drafted.tokens, plain.tokens) << target;
      EXPECT_LE(drafted.stats.drafted_right, drafted.stats.drafted_tokens);
      guessed += drafted.stats.drafted_tokens;
    }
  }
  EXPECT_GT(guessed, 0u);
}

TEST(DraftFilesTest, AFileWithAnotherVocabularyIsRefusedByName) {
  const ac::testing::TempDir dir;
  const std::string other = dir.path() + "/other.gguf";
  ASSERT_TRUE(
      weights::Synthesize({"tiny-qwen2", weights::Recipe::kQ8_0, 1}, other, FileSystem::Real(), {})
          .ok());
  auto large = LoadedModel::Load(kStarter, {});
  ASSERT_TRUE(large.ok()) << large.status();
  const auto draft = LoadDraft(other, {}, **large);
  ASSERT_FALSE(draft.ok());
  EXPECT_EQ(draft.status().code(), Code::kInvalidArgument);
  EXPECT_NE(draft.status().message().find(other), std::string::npos) << draft.status();
  EXPECT_NE(draft.status().message().find("another vocabulary"), std::string::npos);
}

}  // namespace
}  // namespace ac::engine
