#include "weights/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <sstream>

#include "quant/quant.h"
#include "support/weight_files.h"
#include "weights/gguf.h"
#include "weights/model_file.h"

namespace ac::weights {
namespace {

using ac::testing::TempPath;

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
        int64_t rows = 0;
        // Every seventh row is sample enough, and keeps the test quick under sanitizers.
        for (int64_t r = 0; r < tensor.matrix.rows; r += 7, ++rows) {
          quant::DequantizeRow(tensor.matrix, r, row.data());
          for (const float x : row) {
            sum += x;
            squares += double{x} * x;
          }
        }
        const double count = static_cast<double>(rows * tensor.matrix.cols);
        const double wanted = 1.0 / std::sqrt(static_cast<double>(tensor.matrix.cols));
        EXPECT_NEAR(std::sqrt(squares / count) / wanted, 1.0, 0.15) << recipe << " " << tensor.name;
        EXPECT_NEAR(sum / count / wanted, 0.0, 0.05) << recipe << " " << tensor.name;
      }
    }
  }
}

TEST(Synth, EqualSpecsGiveEqualBytesAndOtherSeedsOthers) {
  const auto make = [](uint64_t seed) {
    const std::string path = TempPath("same.gguf");
    EXPECT_TRUE(Synthesize({"tiny-qwen2", Recipe::kQ4_0, seed}, path, FileSystem::Real(), {}).ok());
    return *ReadFile(FileSystem::Real(), path);
  };
  const std::string first = make(1);
  EXPECT_EQ(first, make(1));
  EXPECT_NE(first, make(2));
}

TEST(Synth, RealShapesHaveTheSizesOfThePublicFiles) {
  const struct {
    const char* shape;
    const char* recipe;
    double gigabytes;
  } cases[] = {{"qwen3-coder-30b-a3b", "q4_0", 17.3}, {"qwen3-coder-30b-a3b", "q4_k_m", 18.6},
               {"qwen3-coder-30b-a3b", "bf16", 61.1}, {"qwen2.5-coder-7b", "q4_0", 4.43},
               {"qwen2.5-coder-7b", "q4_k_m", 4.68},  {"qwen2.5-coder-7b", "q8_0", 8.10},
               {"hermes-3-8b", "q4_k_m", 4.92},       {"hermes-3-8b", "f16", 16.06},
               {"qwen2.5-coder-0.5b", "q8_0", 0.525}, {"qwen2.5-coder-0.5b", "bf16", 0.988}};
  for (const auto& c : cases) {
    const Result<uint64_t> bytes = SynthBytes({c.shape, *RecipeByName(c.recipe), 1});
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_NEAR(static_cast<double>(*bytes) / 1e9 / c.gigabytes, 1.0, 0.01) << c.shape << c.recipe;
  }
}

TEST(Synth, UnknownShapesAreExplainedAndRecipesHaveNames) {
  const Status status =
      Synthesize({"gpt-9", Recipe::kQ4_0, 1}, TempPath("x"), FileSystem::Real(), {});
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("tiny-llama"), std::string::npos) << status;
  EXPECT_EQ(RecipeByName("Q4_K_M"), Recipe::kQ4_K_M);
  EXPECT_EQ(RecipeByName("q3"), std::nullopt);
  std::istringstream names{std::string(kRecipeNames)};
  for (std::string name; names >> name;) EXPECT_TRUE(RecipeByName(name).has_value()) << name;
}

TEST(Synth, AShapeCanBeCutToItsFirstLayers) {
  const std::string path = TempPath("cut.gguf");
  ASSERT_TRUE(Synthesize({"tiny-llama", Recipe::kQ8_0, 1, 2}, path, FileSystem::Real(), {}).ok());
  const auto cut = ModelFile::Open(path);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ((*cut)->config().n_layers, 2);
  for (const int layers : {-1, 4}) {
    const Result<uint64_t> none = SynthBytes({"tiny-llama", Recipe::kQ8_0, 1, layers});
    EXPECT_NE(none.status().message().find("has 3 layers"), std::string::npos) << none.status();
  }
}

TEST(Synth, TheVocabularyCoversEveryByteAndEndsItsTurns) {
  const std::string path = TempPath("v.gguf");
  ASSERT_TRUE(Synthesize({"tiny-llama", Recipe::kQ8_0, 1}, path, FileSystem::Real(), {}).ok());
  const auto model = ModelFile::Open(path, OpenScope::kVocabulary);
  ASSERT_TRUE(model.ok()) << model.status();
  const GgufMetadata& m = *(*model)->tokenizer_source().gguf;
  const auto tokens = m.GetStringArray("tokenizer.ggml.tokens");
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->size(), 1024u);
  EXPECT_EQ(std::set<std::string_view>(tokens->begin(), tokens->end()).size(), 1024u);
  EXPECT_EQ((*tokens)['A'], "A");
  EXPECT_EQ((*tokens)[' '], "\xC4\xA0") << "U+0120 stands for a space";
  EXPECT_EQ((*tokens)[0xAD], "\xC5\x83") << "U+0143 is the last of the shifted bytes";
  EXPECT_EQ((*tokens)[(*model)->tokenizer_source().eos_token_ids.at(0)], "<|im_end|>");
  EXPECT_NE((*model)->tokenizer_source().chat_template.find("<tool_call>"), std::string::npos);
}

// Fails the write that would pass `limit` bytes, as a full disk does.
class FullDisk : public FileSystem {
 public:
  explicit FullDisk(uint64_t limit) : limit_(limit) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    AC_ASSIGN_OR_RETURN(std::unique_ptr<File> file, Real().Open(path, mode));
    return std::unique_ptr<File>(std::make_unique<LimitedFile>(std::move(file), limit_));
  }
  Result<FileInfo> Stat(const std::string& path) override { return Real().Stat(path); }
  Result<std::vector<std::string>> List(const std::string& d) override { return Real().List(d); }
  Status CreateDirectories(const std::string& path) override {
    return Real().CreateDirectories(path);
  }
  Status Rename(const std::string& a, const std::string& b) override { return Real().Rename(a, b); }
  Status Remove(const std::string& path) override { return Real().Remove(path); }
  Status Touch(const std::string& path, int64_t ahead_s) override {
    return Real().Touch(path, ahead_s);
  }
  Status SyncDirectory(const std::string& d) override { return Real().SyncDirectory(d); }

 private:
  class LimitedFile : public File {
   public:
    LimitedFile(std::unique_ptr<File> file, uint64_t limit)
        : file_(std::move(file)), limit_(limit) {}
    Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
      return file_->ReadAt(offset, out);
    }
    Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
      if (offset + data.size() > limit_)
        return Status(Code::kResourceExhausted, "[test] disk full");
      return file_->WriteAt(offset, data);
    }
    Status Sync() override { return file_->Sync(); }
    Result<uint64_t> Size() override { return file_->Size(); }

   private:
    const std::unique_ptr<File> file_;
    const uint64_t limit_;
  };
  const uint64_t limit_;
};

TEST(Synth, AFullDiskLeavesNoFileBehind) {
  const std::string directory = TempPath("full");
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const uint64_t limit : {uint64_t{100}, uint64_t{300'000}}) {
    FullDisk disk(limit);
    const Status status =
        Synthesize({"tiny-qwen2", Recipe::kF16, 1}, directory + "/m.gguf", disk, {});
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
    EXPECT_TRUE(std::filesystem::is_empty(directory));
  }
}

}  // namespace
}  // namespace ac::weights
