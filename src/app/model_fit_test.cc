#include "app/model_fit.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "weights/synth.h"

namespace ac::app {
namespace {

constexpr bench::Peak kPeak{.float_gflops = 100, .byte_gops = 400, .read_gb_per_s = 20};

std::unique_ptr<weights::ModelFile> Model(const testing::TempDir& dir, weights::Recipe recipe) {
  const std::string path = dir / "model.gguf";
  const Status made = weights::Synthesize({"tiny-llama", recipe, 1}, path, FileSystem::Real(), {});
  EXPECT_TRUE(made.ok()) << made;
  auto file = weights::ModelFile::Open(path);
  EXPECT_TRUE(file.ok()) << file.status();
  return std::move(file).value();
}

TEST(ExpectedSpeed, FollowsTheMachineAndTheModel) {
  const testing::TempDir dir;
  const auto model = Model(dir, weights::Recipe::kQ8_0);
  const ExpectedSpeed speed = ExpectSpeed(*model, kPeak);
  EXPECT_GT(speed.decode_tokens_per_s, 0);
  EXPECT_GT(speed.prefill_tokens_per_s, 0);
  // A long prompt costs more than its share, because every token looks further back.
  EXPECT_GT(speed.agent_prompt_s, 18490 / speed.prefill_tokens_per_s);

  bench::Peak faster = kPeak;
  faster.read_gb_per_s *= 2;
  EXPECT_DOUBLE_EQ(ExpectSpeed(*model, faster).decode_tokens_per_s, 2 * speed.decode_tokens_per_s);
  EXPECT_DOUBLE_EQ(ExpectSpeed(*model, faster).agent_prompt_s, speed.agent_prompt_s);

  const testing::TempDir other;
  const ExpectedSpeed of_floats = ExpectSpeed(*Model(other, weights::Recipe::kF32), kPeak);
  EXPECT_LT(of_floats.decode_tokens_per_s, speed.decode_tokens_per_s);
}

}  // namespace
}  // namespace ac::app
