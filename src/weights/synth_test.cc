#include "weights/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "quant/quant.h"
#include "weights/model_file.h"

namespace ac::weights {
namespace {

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

TEST(Synth, TinyShapesOpenInEveryRecipeWithFiniteWeightsOfSensibleScale) {
  for (const std::string& shape : SynthShapes()) {
    if (!shape.starts_with("tiny-")) continue;
    for (const char* recipe :
         {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_k", "q4_k_m", "q5_k_m", "q6_k"}) {
      const std::string path = TempPath("synth.gguf");
      const Status made =
          Synthesize({shape, *RecipeByName(recipe), 1}, path, FileSystem::Real(), {});
      ASSERT_TRUE(made.ok()) << made;
      Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(path);
      ASSERT_TRUE(model.ok()) << shape << " " << recipe << ": " << model.status();
      for (const Tensor& tensor : (*model)->tensors()) {
        ASSERT_TRUE(CheckFinite(tensor).ok()) << shape << " " << recipe << " " << tensor.name;
        if (tensor.n_dims < 2) continue;
        std::vector<float> row(static_cast<size_t>(tensor.matrix.cols));
        double sum = 0;
        double squares = 0;
        for (int64_t r = 0; r < tensor.matrix.rows; ++r) {
          quant::DequantizeRow(tensor.matrix, r, row.data());
          for (const float x : row) {
            sum += x;
            squares += double{x} * x;
          }
        }
        const double count = static_cast<double>(tensor.matrix.rows * tensor.matrix.cols);
        const double wanted = 1.0 / std::sqrt(static_cast<double>(tensor.matrix.cols));
        EXPECT_NEAR(std::sqrt(squares / count) / wanted, 1.0, 0.15) << recipe << " " << tensor.name;
        EXPECT_NEAR(sum / count / wanted, 0.0, 0.15) << recipe << " " << tensor.name;
      }
    }
  }
}

}  // namespace
}  // namespace ac::weights
