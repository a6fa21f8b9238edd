// Our forward pass against log-probabilities a widely used public engine gave for tiny models of
// every architecture and weight format, on every kernel table this machine runs.
#include <gtest/gtest.h>

#include <cmath>

#include "support/golden_cases.h"
#include "support/model_runner.h"
#include "support/shared_data.h"

namespace ac {
namespace {

using testing::GoldenNames;
using testing::LogSoftmax;
using testing::ModelRunner;
using Step = testing::GoldenStep;

// What the reference allows: it rounds activations to 8 bits for quantised files.
struct Tolerance {
  double each;    // of a log-probability...
  double share;   // ...for at least this share of the entries
  double mean;    // over all entries
  double margin;  // the best token must agree where the reference leads by more
};

Tolerance ToleranceOf(const std::string& name) {
  return name.find("F16") != std::string::npos ? Tolerance{0.03, 1.0, 0.03, 0.05}
                                               : Tolerance{0.25, 0.99, 0.06, 0.5};
}

class Differences {
 public:
  void Compare(const Step& reference, const std::vector<float>& logits, double margin,
               const std::string& where) {
    const auto ours = LogSoftmax(logits);
    for (const auto& [id, logprob] : reference.top) {
      all_.push_back(std::abs(ours[static_cast<size_t>(id)] - logprob));
    }
    if (reference.top[0].second - reference.top[1].second <= margin) return;
    const auto best = std::max_element(ours.begin(), ours.end()) - ours.begin();
    EXPECT_EQ(best, reference.token) << where;
  }

  void Check(const Tolerance& tolerance) {
    ASSERT_EQ(all_.size(), 4u * 24u * 10u);
    double sum = 0, max = 0;
    size_t within = 0;
    for (double d : all_) {
      sum += d;
      max = std::max(max, d);
      within += d <= tolerance.each ? 1 : 0;
    }
    const auto count = static_cast<double>(all_.size());
    EXPECT_GE(static_cast<double>(within) / count, tolerance.share) << "largest " << max;
    EXPECT_LE(sum / count, tolerance.mean) << "largest " << max;
    ::testing::Test::RecordProperty("mean", std::to_string(sum / count));
    ::testing::Test::RecordProperty("max", std::to_string(max));
  }

 private:
  std::vector<double> all_;
};

class GoldenTest
    : public ::testing::TestWithParam<std::tuple<std::string, const ac_kernel_table*>> {};

// The four prompts are prefilled in one batch and then decoded together. Each step is fed the
// reference's own token, so all 24 are compared whatever near-ties do.
TEST_P(GoldenTest, LogProbabilitiesAgreeWithTheReference) {
  AC_REQUIRE_SHARED_DATA();
  const auto& [name, table] = GetParam();
  const auto cases =
      testing::ReadGoldenCases(testing::SharedData("golden/" + name + ".golden.json"));
  ASSERT_EQ(cases.size(), 4u);
  auto opened =
      ModelRunner::Open(testing::SharedData("golden/" + name + ".gguf"), {.table = table});
  ASSERT_TRUE(opened.ok()) << opened.status();
  ModelRunner& runner = **opened;

  const Tolerance tolerance = ToleranceOf(name);
  Differences differences;
  std::vector<ModelRunner::Sequence> sequences(cases.size());
  for (size_t step = 0; step < cases[0].steps.size(); ++step) {
    std::vector<ModelRunner::Input> inputs;
    for (size_t c = 0; c < cases.size(); ++c) {
      inputs.push_back({&sequences[c],
                        step == 0 ? cases[c].prompt : std::vector{cases[c].steps[step - 1].token}});
    }
    const auto logits = runner.Run(inputs);
    ASSERT_TRUE(logits.ok()) << logits.status();
    for (size_t c = 0; c < cases.size(); ++c) {
      differences.Compare(cases[c].steps[step], (*logits)[c], tolerance.margin,
                          "case " + std::to_string(c) + " step " + std::to_string(step));
    }
  }
  differences.Check(tolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest,
                         ::testing::Combine(::testing::ValuesIn(GoldenNames()),
                                            ::testing::ValuesIn(kernels::RunnableTables())),
                         [](const auto& test) {
                           std::string name =
                               std::get<0>(test.param) + "_" + std::get<1>(test.param)->name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Golden, AllFourteenModelsAreThere) {
  AC_REQUIRE_SHARED_DATA();
  EXPECT_EQ(GoldenNames().size(), 14u);
}

}  // namespace
}  // namespace ac
