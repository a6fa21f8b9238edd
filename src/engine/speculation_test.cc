// Speculation never changes the text: greedy, sampled, with penalties, stops and in company.
#include "engine/speculation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/engine.h"
#include "support/collecting_sink.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::MakeToyTokenizer;
using ac::testing::ToyModel;

constexpr size_t kFileTokens = 200;

// Repeats what it read one file ago, like an edit; now and then it writes something else. Its
// logits are a distribution, and a clock that it moves makes steps cost what reading weights costs:
// nearly the same for one token and for many.
class CopyingModel : public ToyModel {
 public:
  CopyingModel() : ToyModel(64) {}

  int32_t Next(std::span<const int32_t> tokens) const override {
    const int32_t other = ToyModel::Next(tokens);
    if (other % 16 == 0 || tokens.size() < kFileTokens) return other;
    return tokens[tokens.size() - kFileTokens];
  }
  void WriteLogits(std::span<const int32_t> seen, float* logits) const override {
    for (int32_t id = 0; id < vocab_size(); ++id) logits[id] = id % 7 == 3 ? 1.0f : -1.0f;
    logits[Next(seen)] = 5.0f;
  }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    int64_t tokens = 0;
    for (const model::Chunk& chunk : batch) tokens += static_cast<int64_t>(chunk.tokens.size());
    clock.Advance(std::chrono::microseconds(10000 + 50 * tokens));
    return ToyModel::Forward(batch, pages, logits);
  }

  FakeClock clock;
};

// A small model beside the large one: says the same most of the time, for a fraction of the cost.
class SmallModel : public ToyModel {
 public:
  SmallModel(const CopyingModel& large, FakeClock& clock)
      : ToyModel(64), large_(large), clock_(clock) {}

  void WriteLogits(std::span<const int32_t> seen, float* logits) const override {
    std::fill_n(logits, vocab_size(), 0.0f);
    const int32_t next = large_.Next(seen);
    const bool errs = useless || (seen.size() % 5 == 0);
    logits[errs ? (next + 1) % vocab_size() : next] = 12.0f;
  }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    clock_.Advance(std::chrono::microseconds(500));
    return ToyModel::Forward(batch, pages, logits);
  }
  bool useless = false;

 private:
  const CopyingModel& large_;
  FakeClock& clock_;
};

struct Outcome {
  std::vector<TokenId> tokens;
  std::string text;
  FinishInfo info;
  int64_t steps = 0;
  int64_t draft_steps = 0;
};

enum class SmallOne { kNone, kGood, kUseless, kFailing };

class SpeculationTest : public ::testing::Test {
 protected:
  static std::vector<TokenId> File() {
    std::vector<TokenId> tokens;
    uint32_t state = 7;
    for (size_t i = 0; i < kFileTokens; ++i) {
      state = state * 1664525u + 1013904223u;
      tokens.push_back(static_cast<TokenId>(state >> 26));
    }
    // The answer begins like the file.
    tokens.insert(tokens.end(), tokens.begin(), tokens.begin() + 5);
    return tokens;
  }
  static GenerateRequest Request(uint64_t seed, double temperature) {
    GenerateRequest request;
    request.prompt = File();
    request.max_tokens = 150;
    request.sampling.temperature = temperature;
    request.sampling.seed = seed;
    return request;
  }
  static std::vector<Outcome> Run(Speculation speculation, std::vector<GenerateRequest> requests,
                                  SmallOne small_one = SmallOne::kNone) {
    CopyingModel model;
    SmallModel small(model, model.clock);
    small.useless = small_one == SmallOne::kUseless;
    if (small_one == SmallOne::kFailing) {
      small.on_forward = [](std::span<const model::Chunk>) { return Internal("injected"); };
    }
    std::shared_ptr<speculation::DraftModel> draft;
    if (small_one != SmallOne::kNone) {
      Result<kv::PagePool> own = kv::PagePool::Create(ToyModel::Layout(), 4096);
      EXPECT_TRUE(own.ok());
      draft =
          std::make_shared<speculation::DraftModel>(small, std::move(own).value(), 64, model.clock);
    }
    const auto tokenizer = MakeToyTokenizer();
    Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 4096);
    EXPECT_TRUE(pool.ok());
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    {
      Engine engine(model, *tokenizer, std::move(pool).value(),
                    {.speculation = speculation, .draft = draft}, model.clock);
      for (GenerateRequest& request : requests) {
        sinks.push_back(std::make_shared<CollectingSink>());
        EXPECT_TRUE(engine.Submit(std::move(request), sinks.back()).ok());
      }
      for (const auto& sink : sinks) EXPECT_TRUE(sink->Wait());
      EXPECT_TRUE(engine.CheckIntegrity().ok());
    }
    std::vector<Outcome> outcomes;
    for (const auto& sink : sinks) {
      outcomes.push_back({sink->tokens, sink->text, sink->info, model.steps, small.steps});
    }
    return outcomes;
  }
  static void ExpectTheSame(const std::vector<Outcome>& a, const std::vector<Outcome>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].tokens, b[i].tokens) << i;
      EXPECT_EQ(a[i].text, b[i].text) << i;
      EXPECT_EQ(a[i].info.reason, b[i].info.reason) << i;
      EXPECT_EQ(a[i].info.stop_string, b[i].info.stop_string) << i;
      EXPECT_EQ(a[i].info.output_tokens, b[i].info.output_tokens) << i;
    }
  }
};

TEST_F(SpeculationTest, GreedyTextIsTheSameInFewerSteps) {
  const auto plain = Run(Speculation::kOff, {Request(1, 0)});
  const auto guessed = Run(Speculation::kNgram, {Request(1, 0)});
  ExpectTheSame(plain, guessed);
  EXPECT_GE(plain[0].steps, 150);
  EXPECT_LT(guessed[0].steps * 2, plain[0].steps);
}

TEST_F(SpeculationTest, SampledTextIsTheSameForTheSameSeed) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerateRequest request = Request(seed, 0.8);
    request.sampling.top_p = 0.95;
    request.sampling.repetition_penalty = 1.02;
    request.sampling.frequency_penalty = 0.01;
    request.top_logprobs = 2;
    ExpectTheSame(Run(Speculation::kOff, {request}), Run(Speculation::kNgram, {request}));
  }
}

TEST_F(SpeculationTest, StopsAndEndsCutTheTextAtTheSamePlace) {
  const auto tokens = Run(Speculation::kOff, {Request(3, 0.5)})[0].tokens;
  for (size_t at = 10; at < 60; at += 7) {
    GenerateRequest stop = Request(3, 0.5);
    stop.stop_strings = {
        std::string{static_cast<char>(tokens[at]), static_cast<char>(tokens[at + 1])}};
    GenerateRequest end = Request(3, 0.5);
    end.stop_tokens = {tokens[at]};
    GenerateRequest count = Request(3, 0.5);
    count.max_tokens = static_cast<int64_t>(at);
    for (const GenerateRequest& request : {stop, end, count}) {
      ExpectTheSame(Run(Speculation::kOff, {request}), Run(Speculation::kNgram, {request}));
    }
  }
}

TEST_F(SpeculationTest, ManySequencesGuessInOneStep) {
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 8; ++i) {
    requests.push_back(Request(i, i % 2 == 0 ? 0.0 : 0.7));
    requests.back().prompt.push_back(static_cast<TokenId>(i));
  }
  ExpectTheSame(Run(Speculation::kOff, requests), Run(Speculation::kAuto, requests));
}

// Forbids every third token of the vocabulary, another third after each token; every 16th token is
// followed by two that it forces.
class Thirds : public TokenConstraint {
 public:
  std::unique_ptr<TokenConstraint> Fork() const override { return std::make_unique<Thirds>(*this); }
  std::span<const uint64_t> Allowed() override {
    mask_ = 0;
    for (int id = 0; id < 64; ++id) mask_ |= Fits(id) ? uint64_t{1} << id : 0;
    return {&mask_, 1};
  }
  bool Accept(TokenId token) override {
    if (!Fits(token)) return false;
    accepted_.push_back(token);
    return true;
  }
  void Rollback(int count) override {
    accepted_.resize(accepted_.size() - static_cast<size_t>(count));
  }
  std::vector<TokenId> Forced() override {
    if (accepted_.empty() || accepted_.back() % 16 != 0) return {};
    const auto base = static_cast<int>(accepted_.size() % 3);
    return {base == 0 ? 1 : base == 1 ? 2 : 3, base == 0 ? 2 : base == 1 ? 3 : 1};
  }
  bool Fits(TokenId token) const { return token % 3 != static_cast<int>(accepted_.size() % 3); }

 private:
  std::vector<TokenId> accepted_;
  uint64_t mask_ = 0;
};

TEST_F(SpeculationTest, AGrammarSeesTheSameTokens) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerateRequest request = Request(seed, seed % 2 == 0 ? 0.0 : 0.7);
    request.constraint = std::make_shared<Thirds>();
    const auto plain = Run(Speculation::kOff, {request});
    ASSERT_EQ(plain[0].info.reason, FinishReason::kMaxTokens) << plain[0].info.status;
    ExpectTheSame(plain, Run(Speculation::kNgram, {request}));
  }
}

// What follows an answer that repeats nothing.
GenerateRequest NothingRepeats(uint64_t seed, double temperature) {
  GenerateRequest request;
  request.prompt = {1, 2, static_cast<TokenId>(seed % 60)};
  request.max_tokens = 150;
  request.sampling.temperature = temperature;
  request.sampling.seed = seed;
  return request;
}

TEST_F(SpeculationTest, ADraftModelGivesTheSameTextInFewerSteps) {
  for (const Speculation mode : {Speculation::kDraft, Speculation::kAuto}) {
    const auto plain = Run(Speculation::kOff, {NothingRepeats(1, 0)});
    const auto drafted = Run(mode, {NothingRepeats(1, 0)}, SmallOne::kGood);
    ExpectTheSame(plain, drafted);
    EXPECT_LT(drafted[0].steps * 5, plain[0].steps * 3);
    EXPECT_GT(drafted[0].draft_steps, 50);
  }
}

TEST_F(SpeculationTest, ADraftModelKeepsSampledTextGrammarsAndStops) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::vector<GenerateRequest> requests = {NothingRepeats(seed, 0.8), Request(seed, 0.5),
                                             NothingRepeats(seed + 5, 0)};
    requests[0].sampling.repetition_penalty = 1.02;
    requests[0].top_logprobs = 1;
    requests[1].constraint = std::make_shared<Thirds>();
    requests[2].stop_strings = {std::string("\x07\x08")};
    const auto plain = Run(Speculation::kOff, requests);
    ExpectTheSame(plain, Run(Speculation::kAuto, requests, SmallOne::kGood));
    ExpectTheSame(plain, Run(Speculation::kAuto, requests, SmallOne::kUseless));
    ExpectTheSame(plain, Run(Speculation::kDraft, requests, SmallOne::kGood));
  }
}

TEST_F(SpeculationTest, AUselessDraftModelIsHardlyAsked) {
  GenerateRequest request = NothingRepeats(1, 0);
  request.max_tokens = 1500;
  const auto plain = Run(Speculation::kOff, {request});
  const auto drafted = Run(Speculation::kDraft, {request}, SmallOne::kUseless);
  ExpectTheSame(plain, drafted);
  EXPECT_GE(drafted[0].draft_steps, 2) << "it was tried";
  EXPECT_LE(drafted[0].draft_steps, 40);
}

TEST_F(SpeculationTest, TextThatIsCopiedNeedsNoDraftModel) {
  const auto copied = Run(Speculation::kAuto, {Request(1, 0)}, SmallOne::kGood);
  ExpectTheSame(Run(Speculation::kOff, {Request(1, 0)}), copied);
  const auto drafted = Run(Speculation::kDraft, {Request(1, 0)}, SmallOne::kGood);
  EXPECT_LT(copied[0].draft_steps, drafted[0].draft_steps);
}

TEST_F(SpeculationTest, ADraftModelThatFailsHarmsNobody) {
  const auto plain = Run(Speculation::kOff, {NothingRepeats(1, 0), Request(2, 0.7)});
  const auto drafted =
      Run(Speculation::kAuto, {NothingRepeats(1, 0), Request(2, 0.7)}, SmallOne::kFailing);
  ExpectTheSame(plain, drafted);
  EXPECT_EQ(drafted[0].draft_steps, 1) << "not asked again";
}

// The distribution at a position right behind a guess, over many seeds, against the model's own.
class DistributionTest : public SpeculationTest, public ::testing::WithParamInterface<SmallOne> {};

TEST_P(DistributionTest, GuessedPositionsKeepTheModelsDistribution) {
  const Speculation mode =
      GetParam() == SmallOne::kNone ? Speculation::kNgram : Speculation::kDraft;
  constexpr int kRuns = 1200;
  constexpr size_t kPosition = 12;
  std::vector<GenerateRequest> requests;
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    requests.push_back(Request(seed + 1000, 1.0));
    requests.back().max_tokens = kPosition + 1;
  }
  std::map<int, int> classes;  // 0: the likeliest token, 1: a favoured one, 2: any other
  std::map<int, double> expected;
  const CopyingModel model;
  int counted = 0;
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < requests.size(); i += 100) {
    const auto some = Run(
        mode,
        {requests.begin() + static_cast<long>(i), requests.begin() + static_cast<long>(i) + 100},
        GetParam());
    outcomes.insert(outcomes.end(), some.begin(), some.end());
  }
  for (const Outcome& outcome : outcomes) {
    if (outcome.tokens.size() <= kPosition) continue;
    std::vector<TokenId> seen = File();
    seen.insert(seen.end(), outcome.tokens.begin(), outcome.tokens.begin() + kPosition);
    std::vector<float> logits(64);
    model.WriteLogits(seen, logits.data());
    double total = 0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit));
    const auto kind = [&](TokenId id) {
      return id == model.Next(seen) ? 0 : logits[static_cast<size_t>(id)] > 0 ? 1 : 2;
    };
    for (TokenId id = 0; id < 64; ++id) {
      expected[kind(id)] += std::exp(static_cast<double>(logits[static_cast<size_t>(id)])) / total;
    }
    ++classes[kind(outcome.tokens[kPosition])];
    ++counted;
  }
  ASSERT_EQ(counted, kRuns);
  double chi_squared = 0;
  for (const auto& [kind, count] : expected) {
    chi_squared += (classes[kind] - count) * (classes[kind] - count) / count;
  }
  EXPECT_LT(chi_squared, 13.8);  // 2 degrees of freedom, p = 0.001
}

INSTANTIATE_TEST_SUITE_P(TextAndModel, DistributionTest,
                         ::testing::Values(SmallOne::kNone, SmallOne::kGood));

}  // namespace
}  // namespace ac::engine
