// What rounding keys and values costs in quality: the distributions of the next token with a bf16
// and an 8-bit cache against those with an F32 cache, on every golden model. Prints the table of
// docs/benchmarks.md.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/select.h"
#include "support/golden_cases.h"
#include "support/model_runner.h"
#include "support/shared_data.h"

namespace ac {
namespace {

using testing::ModelRunner;
using Distribution = std::vector<double>;  // log-probabilities

// After every token of the four prompts and of their golden continuations.
std::vector<Distribution> Distributions(const std::string& name, kv::KvType type) {
  auto opened = ModelRunner::Open(testing::SharedData("golden/" + name + ".gguf"),
                                  {.table = kernels::RunnableTables().front(), .kv_type = type});
  if (!opened.ok()) {
    ADD_FAILURE() << opened.status();
    return {};
  }
  std::vector<Distribution> all;
  for (const auto& golden :
       testing::ReadGoldenCases(testing::SharedData("golden/" + name + ".golden.json"))) {
    auto tokens = golden.prompt;
    for (const auto& step : golden.steps) tokens.push_back(step.token);
    ModelRunner::Sequence sequence;
    const auto rows = (*opened)->Run({{&sequence, tokens, model::LogitRows::kAll}});
    if (!rows.ok()) {
      ADD_FAILURE() << rows.status();
      return {};
    }
    for (const auto& row : *rows) all.push_back(testing::LogSoftmax(row));
    (*opened)->Free(sequence);
  }
  return all;
}

struct Cost {
  double kl = 0;        // mean of KL(exact || rounded), in nats
  double same_top = 0;  // share of positions with the same best token
};

Cost Compare(const std::vector<Distribution>& exact, const std::vector<Distribution>& rounded) {
  Cost cost;
  for (size_t i = 0; i < exact.size(); ++i) {
    for (size_t t = 0; t < exact[i].size(); ++t) {
      cost.kl += std::exp(exact[i][t]) * (exact[i][t] - rounded[i][t]);
    }
    const auto top = [](const Distribution& d) {
      return std::max_element(d.begin(), d.end()) - d.begin();
    };
    cost.same_top += top(exact[i]) == top(rounded[i]) ? 1 : 0;
  }
  const auto count = static_cast<double>(exact.size());
  return {cost.kl / count, cost.same_top / count};
}

class KvQualityTest : public ::testing::TestWithParam<std::string> {};

TEST_P(KvQualityTest, RoundedKeysAndValuesHardlyMoveTheNextToken) {
  AC_REQUIRE_SHARED_DATA();
  const auto exact = Distributions(GetParam(), kv::KvType::kF32);
  ASSERT_GT(exact.size(), 4u * 24u);
  const Cost bf16 = Compare(exact, Distributions(GetParam(), kv::KvType::kBF16));
  const Cost q8 = Compare(exact, Distributions(GetParam(), kv::KvType::kQ8));
  std::printf("| %s | %zu | %.2e | %.2f %% | %.2e | %.2f %% |\n", GetParam().c_str(), exact.size(),
              bf16.kl, 100 * bf16.same_top, q8.kl, 100 * q8.same_top);
  // Not equal to the exact one: the cache under test was really used.
  EXPECT_GT(bf16.kl, 0);
  EXPECT_GT(q8.kl, 0);
  // Where a router is nearly undecided, any rounding may choose another expert.
  const double limit = GetParam().find("moe") == std::string::npos ? 0.005 : 0.02;
  EXPECT_LT(bf16.kl, limit);
  EXPECT_LT(q8.kl, limit);
}

INSTANTIATE_TEST_SUITE_P(Models, KvQualityTest, ::testing::ValuesIn(testing::GoldenNames()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ac
