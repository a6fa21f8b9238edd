// The same weights read from GGUF, safetensors and MLX files give the same logits.
#include <gtest/gtest.h>

#include <cmath>

#include "support/model_copies.h"
#include "support/model_runner.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"

namespace ac {
namespace {

using testing::ModelRunner;
using testing::SharedData;

// Logits of every token of a prompt that crosses a page.
std::vector<std::vector<float>> Logits(const std::string& path) {
  auto opened = ModelRunner::Open(path, {});
  if (!opened.ok()) {
    ADD_FAILURE() << opened.status();
    return {};
  }
  std::vector<model::TokenId> tokens;
  for (int i = 0; i < 70; ++i) tokens.push_back((i * 37 + 11) % 4000);
  ModelRunner::Sequence sequence;
  auto rows = (*opened)->Run({{&sequence, tokens, model::LogitRows::kAll}});
  if (!rows.ok()) {
    ADD_FAILURE() << rows.status();
    return {};
  }
  return std::move(rows).value();
}

void ExpectClose(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b,
                 double each, double mean) {
  ASSERT_EQ(a.size(), 70u);
  ASSERT_EQ(a.size(), b.size());
  double sum = 0, max = 0;
  for (size_t r = 0; r < a.size(); ++r) {
    for (size_t i = 0; i < a[r].size(); ++i) {
      const double d = std::abs(static_cast<double>(a[r][i]) - static_cast<double>(b[r][i]));
      sum += d;
      max = std::max(max, d);
    }
  }
  EXPECT_LE(max, each);
  EXPECT_LE(sum / static_cast<double>(a.size() * a[0].size()), mean);
}

class CopyTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    AC_REQUIRE_SHARED_DATA();
    path_ = SharedData("golden/" + GetParam() + ".gguf");
    auto file = weights::ModelFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = std::move(file).value();
  }
  std::string path_;
  std::unique_ptr<weights::ModelFile> file_;
};

class FloatCopyTest : public CopyTest {};

TEST_P(FloatCopyTest, ASafetensorsCopyGivesTheSameLogits) {
  const testing::TempDir dir;
  testing::WriteSafetensorsCopy(*file_, dir.path(), {.type = AC_F16, .shards = 2});
  // The published order of a head's dimensions differs for llama, hence the order of float sums.
  ExpectClose(Logits(dir.path()), Logits(path_), 2e-3, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, FloatCopyTest,
                         ::testing::Values("llama-F16", "qwen2-F16", "qwen3-F16", "qwen3moe-F16"),
                         [](const auto& test) {
                           return test.param.substr(0, test.param.find('-'));
                         });

class MlxCopyTest : public CopyTest {};

TEST_P(MlxCopyTest, AnMlxCopyGivesTheSameLogits) {
  const testing::TempDir mlx, floats;
  testing::WriteMlxCopy(*file_, mlx.path());
  testing::WriteSafetensorsCopy(*file_, floats.path(), {.type = AC_F32});
  const auto logits = Logits(mlx.path());
  // Against the same values as floats: neither rounds its inputs.
  ExpectClose(logits, Logits(floats.path()), 2e-3, 1e-4);
  // Against the GGUF file, whose products round their inputs to 8 bits.
  ExpectClose(logits, Logits(path_), 1.0, 0.06);
}

INSTANTIATE_TEST_SUITE_P(Models, MlxCopyTest, ::testing::Values("llama-Q8_0", "qwen2-Q4_0"),
                         [](const auto& test) {
                           return test.param.substr(0, test.param.find('-'));
                         });

}  // namespace
}  // namespace ac
