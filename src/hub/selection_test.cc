#include "hub/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<RemoteFile> Files(std::initializer_list<const char*> paths) {
  std::vector<RemoteFile> files;
  for (const char* path : paths) files.push_back({.path = path});
  return files;
}

std::vector<std::string> Chosen(const ModelRef& ref, std::initializer_list<const char*> paths) {
  const Result<Selection> selection = SelectFiles(ref, Files(paths));
  std::vector<std::string> chosen;
  if (!selection.ok()) return {selection.status().message()};
  for (const RemoteFile& file : selection->files) chosen.push_back(file.path);
  return chosen;
}

ModelRef Ref(std::string quant) { return {.repo = "acme/coder", .quant = std::move(quant)}; }

TEST(SelectionTest, WithoutAWishTheUsualQuantisationIsTaken) {
  EXPECT_THAT(Chosen(Ref(""), {"c-Q2_K.gguf", "c-Q4_K_M.gguf", "c-Q8_0.gguf", "README.md"}),
              ElementsAre("c-Q4_K_M.gguf"));
  EXPECT_THAT(Chosen(Ref(""), {"c-Q8_0.gguf", "c-BF16.gguf"}), ElementsAre("c-Q8_0.gguf"));
  EXPECT_THAT(Chosen(Ref(""), {"only-IQ1_S.gguf"}), ElementsAre("only-IQ1_S.gguf"));
}

TEST(SelectionTest, ATypeIsNotFoundInsideAnotherType) {
  EXPECT_THAT(Chosen(Ref("q4_0"), {"c-IQ4_0.gguf", "c-Q4_0.gguf", "c-Q4_0_4_4.gguf"}),
              ElementsAre("c-Q4_0.gguf"));
  EXPECT_THAT(Chosen(Ref("f16"), {"c-BF16.gguf", "c.F16.gguf"}), ElementsAre("c.F16.gguf"));
  EXPECT_THAT(Chosen(Ref("Q4_K"), {"c-Q4_K_M.gguf"})[0], HasSubstr("c-Q4_K_M"));
}

TEST(SelectionTest, EveryPartOfASplitModelIsTaken) {
  EXPECT_THAT(Chosen(Ref("q8_0"), {"q8/c-q8_0-00001-of-00002.gguf", "q8/c-q8_0-00002-of-00002.gguf",
                                   "c-q4_0.gguf"}),
              ElementsAre("q8/c-q8_0-00001-of-00002.gguf", "q8/c-q8_0-00002-of-00002.gguf"));
  const Result<Selection> split =
      SelectFiles(Ref("q8_0"), Files({"c-q8_0-00001-of-00002.gguf", "c-q8_0-00002-of-00002.gguf"}));
  EXPECT_EQ(split->name, "c-q8_0");
}

TEST(SelectionTest, ANamedFileBringsItsParts) {
  const ModelRef ref{.repo = "acme/coder", .file = "c-00002-of-00002.gguf"};
  EXPECT_THAT(Chosen(ref, {"c-00001-of-00002.gguf", "c-00002-of-00002.gguf", "d.gguf"}),
              ElementsAre("c-00001-of-00002.gguf", "c-00002-of-00002.gguf"));
  EXPECT_THAT(Chosen({.repo = "acme/coder", .file = "x.gguf"}, {"d.gguf"})[0], HasSubstr("x.gguf"));
}

TEST(SelectionTest, ProjectorsOfVisionModelsAreNoModels) {
  EXPECT_THAT(Chosen(Ref(""), {"mmproj-F16.gguf", "c-Q4_0.gguf"}), ElementsAre("c-Q4_0.gguf"));
}

TEST(SelectionTest, AFolderIsTakenWithWhatTheEngineReads) {
  EXPECT_THAT(Chosen(Ref(""), {"README.md", "config.json", "model-00001-of-00002.safetensors",
                               "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                               "onnx/model.safetensors", "pytorch_model.bin", "tokenizer.json",
                               "tokenizer_config.json", "vocab.json"}),
              ElementsAre("config.json", "model-00001-of-00002.safetensors",
                          "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                          "tokenizer.json", "tokenizer_config.json"));
}

TEST(SelectionTest, WhatCannotBeChosenListsWhatCan) {
  EXPECT_THAT(Chosen(Ref("q3_k"), {"c-Q4_0.gguf", "c-Q8_0.gguf"})[0],
              ::testing::AllOf(HasSubstr("q3_k"), HasSubstr("c-Q4_0"), HasSubstr("c-Q8_0")));
  EXPECT_THAT(Chosen(Ref(""), {"pytorch_model.bin", "config.json"})[0], HasSubstr("neither"));
  EXPECT_THAT(Chosen(Ref("q4_0"), {"config.json", "model.safetensors"})[0], HasSubstr("no GGUF"));
}

}  // namespace
}  // namespace ac::hub
