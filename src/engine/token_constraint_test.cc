#include "engine/token_constraint.h"

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "support/collecting_sink.h"
#include "support/toy_model.h"
#include "support/toy_tokenizer.h"

namespace ac::engine {
namespace {

using ac::testing::CollectingSink;
using ac::testing::kToyEndToken;
using ac::testing::MakeToyTokenizer;
using ac::testing::ToyModel;

// One of two letters, then a fixed text, again and again; may end after each fixed text.
class Rhyme : public TokenConstraint {
 public:
  explicit Rhyme(bool forces) : forces_(forces) {}
  std::unique_ptr<TokenConstraint> Fork() const override { return std::make_unique<Rhyme>(*this); }
  std::span<const uint64_t> Allowed() override {
    mask_.assign(5, 0);
    for (TokenId token = 0; token <= kToyEndToken; ++token) {
      if (Fits(token)) mask_[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
    }
    return mask_;
  }
  bool Accept(TokenId token) override {
    if (!Fits(token)) return false;
    ++position_;
    return true;
  }
  void Rollback(int count) override { position_ -= static_cast<size_t>(count); }
  std::vector<TokenId> Forced() override {
    const size_t at = position_ % kLine.size();
    if (!forces_ || at == 0) return {};
    return {kLine.begin() + static_cast<std::ptrdiff_t>(at), kLine.end()};
  }

 private:
  static constexpr std::string_view kLine = "?ish!";
  bool Fits(TokenId token) const {
    const size_t at = position_ % kLine.size();
    if (at > 0) return token == kLine[at];
    return token == 'f' || token == 'd' || (token == kToyEndToken && position_ > 0);
  }
  const bool forces_;
  size_t position_ = 0;
  std::vector<uint64_t> mask_;
};

struct Answer {
  std::shared_ptr<CollectingSink> sink;
  int steps = 0;
};

Answer Generate(GenerateRequest request) {
  ToyModel model(300);
  const auto tokenizer = MakeToyTokenizer();
  Result<kv::PagePool> pool = kv::PagePool::Create(ToyModel::Layout(), 64);
  EXPECT_TRUE(pool.ok());
  Answer answer{std::make_shared<CollectingSink>()};
  {
    // Guesses would save steps too.
    Engine engine(model, *tokenizer, std::move(pool).value(), {.speculation = Speculation::kOff});
    EXPECT_TRUE(engine.Submit(std::move(request), answer.sink).ok());
    EXPECT_TRUE(answer.sink->Wait());
  }
  answer.steps = model.steps;
  return answer;
}

GenerateRequest Constrained(bool forces, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.max_tokens = max_tokens;
  request.sampling.seed = 5;
  request.constraint = std::make_shared<Rhyme>(forces);
  return request;
}

TEST(TokenConstraintTest, OnlyAllowedTokensAreGenerated) {
  const Answer answer = Generate(Constrained(false, 40));
  ASSERT_FALSE(answer.sink->text.empty());
  const std::string& text = answer.sink->text;
  for (size_t i = 0; i + 5 <= text.size(); i += 5) {
    EXPECT_TRUE(text.substr(i, 5) == "fish!" || text.substr(i, 5) == "dish!") << text;
  }
}

TEST(TokenConstraintTest, ForcedTokensCostNoForwardPass) {
  const Answer slow = Generate(Constrained(false, 40));
  const Answer quick = Generate(Constrained(true, 40));
  // The model is asked only where there is a choice, and its answers are the same.
  EXPECT_EQ(quick.sink->text, slow.sink->text);
  EXPECT_EQ(quick.sink->info.output_tokens, slow.sink->info.output_tokens);
  EXPECT_LT(quick.steps * 3, slow.steps);
}

TEST(TokenConstraintTest, ForcedTokensStopAtTheTokenLimit) {
  const Answer answer = Generate(Constrained(true, 7));
  EXPECT_EQ(answer.sink->tokens.size(), 7u);
  EXPECT_EQ(answer.sink->info.reason, FinishReason::kMaxTokens);
}

TEST(TokenConstraintTest, EachReplyWorksOnItsOwnFork) {
  const GenerateRequest request = Constrained(true, 12);
  EXPECT_EQ(Generate(request).sink->text, Generate(request).sink->text);
}

TEST(TokenConstraintTest, LogprobsAreTheModelsOwnSoNothingIsForced) {
  GenerateRequest request = Constrained(true, 10);
  request.top_logprobs = 0;
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.steps, static_cast<int>(answer.sink->tokens.size()));
}

}  // namespace
}  // namespace ac::engine
