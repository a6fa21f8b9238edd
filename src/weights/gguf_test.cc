#include "weights/gguf.h"

#include <gtest/gtest.h>

#include "support/shared_data.h"
#include "weights/model_file.h"

namespace ac::weights {
namespace {

TEST(GoldenModels, EveryFileOpensAndDescribesItself) {
  AC_REQUIRE_SHARED_DATA();
  const auto names = FileSystem::Real().List(testing::SharedData("golden"));
  ASSERT_TRUE(names.ok()) << names.status();
  for (const std::string& name : *names) {
    if (!name.ends_with(".gguf")) continue;
    Result<std::unique_ptr<ModelFile>> model =
        ModelFile::Open(testing::SharedData("golden/" + name));
    ASSERT_TRUE(model.ok()) << model.status();
    const ModelConfig& c = (*model)->config();
    EXPECT_EQ(c.n_layers, 3) << name;
    EXPECT_EQ(c.vocab_size, 4096) << name;
    EXPECT_EQ(c.rope.style, c.architecture == "llama" ? RopeStyle::kNormal : RopeStyle::kNeox);
    EXPECT_EQ(c.head_dim, c.architecture == "llama" || c.architecture == "qwen2" ? 64 : 128)
        << name;
    EXPECT_EQ((*model)->Find("rope_freqs.weight") != nullptr, c.architecture == "llama");
    for (const Tensor& tensor : (*model)->tensors()) {
      const Status finite = CheckFinite(tensor);
      EXPECT_TRUE(finite.ok()) << name << ": " << finite;
    }
  }
}

}  // namespace
}  // namespace ac::weights
