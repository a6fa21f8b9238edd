#include "hub/model_ref.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ac::hub {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kHub = "https://hub.example";

ModelRef Parse(std::string_view text) {
  const Result<ModelRef> ref = ParseModelRef(text, kHub);
  EXPECT_TRUE(ref.ok()) << text << ": " << ref.status();
  return ref.ok() ? *ref : ModelRef{};
}

TEST(ModelRefTest, ARepositoryMayNameQuantisationAndRevision) {
  EXPECT_EQ(Parse("acme/coder").repo, "acme/coder");
  EXPECT_EQ(Parse("acme/coder").revision, "main");
  EXPECT_EQ(Parse("acme/coder:Q4_K_M").quant, "Q4_K_M");
  const ModelRef both = Parse("acme/coder@v1.2:Q8_0");
  EXPECT_EQ(both.repo, "acme/coder");
  EXPECT_EQ(both.revision, "v1.2");
  EXPECT_EQ(both.quant, "Q8_0");
}

TEST(ModelRefTest, AddressesOfTheHubAreRepositories) {
  EXPECT_EQ(Parse("https://hub.example/acme/coder").repo, "acme/coder");
  EXPECT_EQ(Parse("https://hub.example/acme/coder/").repo, "acme/coder");
  const ModelRef tree = Parse("https://hub.example/acme/coder/tree/dev");
  EXPECT_EQ(tree.revision, "dev");
  const ModelRef file =
      Parse("https://hub.example/acme/coder/resolve/main/q4/a.gguf?download=true");
  EXPECT_EQ(file.repo, "acme/coder");
  EXPECT_EQ(file.file, "q4/a.gguf");
}

TEST(ModelRefTest, OtherAddressesAreFiles) {
  const ModelRef ref = Parse("http://files.example:8080/x/model.gguf?key=1");
  EXPECT_EQ(ref.repo, "");
  EXPECT_EQ(ref.url, "http://files.example:8080/x/model.gguf?key=1");
}

TEST(ModelRefTest, EveryNameOfTheListIsARepositoryWithAQuantisation) {
  EXPECT_FALSE(Catalog().empty());
  for (const CatalogEntry& entry : Catalog()) {
    const ModelRef ref = Parse(entry.name);
    EXPECT_NE(ref.repo.find('/'), std::string::npos) << entry.name;
    EXPECT_NE(ref.quant, "") << entry.name;
  }
}

TEST(ModelRefTest, WhatIsNoModelSaysWhichFormsThereAre) {
  for (const std::string_view text :
       {"", "coder", "/coder", "acme/", "acme/a/b", "acme/co der", "acme/..", "acme/coder:",
        "acme/coder@", "https://hub.example/acme", "https://hub.example/acme/coder/issues/1",
        "https://hub.example/acme/coder/resolve/main/../../x.gguf"}) {
    const Result<ModelRef> ref = ParseModelRef(text, kHub);
    ASSERT_FALSE(ref.ok()) << text;
    EXPECT_THAT(ref.status().message(), HasSubstr("owner/name")) << text;
  }
  EXPECT_THAT(ParseModelRef("https://u:secret@files.example/x.zip", kHub).status().message(),
              ::testing::AllOf(HasSubstr(".gguf"), ::testing::Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace ac::hub
