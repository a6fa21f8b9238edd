#include <gtest/gtest.h>

#include "engine/loaded_model.h"
#include "support/temp_dir.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"

namespace ac::engine {
namespace {

TEST(RecommendedSampling, ComesFromTheArchitecture) {
  EXPECT_EQ(RecommendedSampling("qwen3", nullptr).repetition_penalty, 1.05);
  EXPECT_EQ(RecommendedSampling("llama", nullptr).temperature, 0.6);
}

TEST(RecommendedSampling, TheFilesOwnValuesWinAndNonsenseIsLeftOut) {
  const testing::TempDir folder;
  const std::string path = folder / "model.gguf";
  weights::GgufMetadataBuilder metadata;
  metadata.AddFloat32("general.sampling.temp", 0.0f);
  metadata.AddFloat32("general.sampling.penalty_repeat", 1.0f);
  metadata.AddFloat32("general.sampling.top_p", 7.0f);
  auto writer = weights::GgufWriter::Create(FileSystem::Real(), path, metadata, {});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Finish().ok());
  const auto file = weights::GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const SamplingParams params = RecommendedSampling("qwen3", &file->metadata());
  EXPECT_EQ(params.temperature, 0.0);
  EXPECT_EQ(params.repetition_penalty, 1.0);
  EXPECT_EQ(params.top_p, 0.8);
  EXPECT_EQ(params.top_k, 20);
}

}  // namespace
}  // namespace ac::engine
