#include "hub/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file_system.h"
#include "hub/digest.h"
#include "support/fake_hub.h"
#include "support/temp_dir.h"

namespace ac::hub {
namespace {

using ac::testing::FakeHub;
using ac::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// 300,000 bytes that repeat nowhere near.
std::string Content() {
  std::string content;
  for (int i = 0; content.size() < 300'000; ++i) content += std::to_string(i * i) + ",";
  return content;
}

class HubTest : public ::testing::Test {
 protected:
  std::string DigestOf(const std::string& content, DigestKind kind) {
    const std::string path = directory_ / "digest";
    EXPECT_TRUE(WriteFileAtomic(fs_, path, content).ok());
    return *FileDigest(fs_, path, kind, {});
  }
  void PutModel(const std::string& name = "c-Q4_0.gguf") {
    server_.Put(name, {content_, DigestOf(content_, DigestKind::kSha256), ""});
  }
  Result<PulledModel> Pull(const std::string& text, std::string token = "") {
    const Result<ModelRef> ref = ParseModelRef(text, server_.url());
    if (!ref.ok()) return ref.status();
    HubOptions options{.endpoint = server_.url(), .token = std::move(token)};
    options.download.first_pause = std::chrono::milliseconds(1);
    return Hub(options, client_, fs_).Pull(*ref, directory_ / "models", {});
  }
  std::vector<std::string> Names() {
    const auto names = fs_.List(directory_ / "models");
    return names.ok() ? *names : std::vector<std::string>{};
  }

  TempDir directory_;
  FileSystem& fs_ = FileSystem::Real();
  http::Client client_;
  FakeHub server_;
  const std::string content_ = Content();
};

TEST_F(HubTest, DigestsAreThoseOfGitAndSha256) {
  EXPECT_EQ(DigestOf("hello\n", DigestKind::kSha256),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(DigestOf("hello\n", DigestKind::kGitBlob), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST_F(HubTest, AModelArrivesWholeUnderItsName) {
  PutModel();
  const Result<PulledModel> model = Pull("acme/coder");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "c-Q4_0");
  EXPECT_EQ(model->bytes, content_.size());
  EXPECT_EQ(*ReadFile(fs_, model->path), content_);
  EXPECT_THAT(Names(), ElementsAre("c-Q4_0.gguf"));
}

TEST_F(HubTest, ABrokenTransferGoesOnWhereItEnded) {
  PutModel();
  server_.CutAfter(70'000, 3);
  const Result<PulledModel> model = Pull("acme/coder");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*ReadFile(fs_, model->path), content_);
  std::vector<std::string> ranges;
  for (const FakeHub::Seen& seen : server_.seen()) {
    if (seen.method == "GET") ranges.push_back(seen.range);
  }
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0], "");
  EXPECT_THAT(ranges, Not(::testing::Contains("bytes=0-")));
}

TEST_F(HubTest, AStoppedDownloadIsContinuedByTheNextOne) {
  PutModel();
  server_.StopAfter(100'000);
  EXPECT_FALSE(Pull("acme/coder").ok());
  ASSERT_THAT(Names(), ElementsAre(EndsWith(".part")));
  server_.Resume();
  ASSERT_TRUE(Pull("acme/coder").ok());
  EXPECT_EQ(server_.seen().back().range, "bytes=100000-");
  EXPECT_THAT(Names(), ElementsAre("c-Q4_0.gguf"));
}

TEST_F(HubTest, APartWhoseBytesAreWrongIsFetchedAgain) {
  PutModel();
  server_.StopAfter(100'000);
  EXPECT_FALSE(Pull("acme/coder").ok());
  ASSERT_THAT(Names(), ElementsAre(EndsWith(".part")));
  {
    std::fstream part(directory_ / "models/" + Names()[0], std::ios::in | std::ios::out);
    part.seekp(50'000);
    part << "damage";
  }
  server_.Resume();
  const Result<PulledModel> model = Pull("acme/coder");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*ReadFile(fs_, model->path), content_);
  EXPECT_THAT(Names(), ElementsAre("c-Q4_0.gguf"));
}

TEST_F(HubTest, ContentWithTheWrongDigestNeverGetsItsName) {
  server_.Put("c-Q4_0.gguf", {content_, std::string(64, 'a'), ""});
  const Result<PulledModel> model = Pull("acme/coder");
  EXPECT_EQ(model.status().code(), Code::kDataLoss);
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(HubTest, WhatIsThereAlreadyIsNotFetchedAgain) {
  PutModel();
  ASSERT_TRUE(Pull("acme/coder").ok());
  const size_t before = server_.seen().size();
  ASSERT_TRUE(Pull("acme/coder").ok());
  EXPECT_EQ(server_.seen().size(), before);
}

TEST_F(HubTest, AFolderModelArrivesAsAFolder) {
  server_.Put("config.json", {"{}", "", DigestOf("{}", DigestKind::kGitBlob)});
  server_.Put("model.safetensors", {content_, DigestOf(content_, DigestKind::kSha256), ""});
  server_.Put("sub/other.bin", {"x", "", ""});
  const Result<PulledModel> model = Pull("acme/coder");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "coder");
  EXPECT_THAT(*fs_.List(model->path), ElementsAre("config.json", "model.safetensors"));
}

TEST_F(HubTest, TheTokenGoesToTheHubAndNotToWhereItRedirects) {
  PutModel();
  server_.RequireToken("hf_secret");
  const Result<PulledModel> refused = Pull("acme/coder");
  EXPECT_EQ(refused.status().code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.status().message(), HasSubstr("HF_TOKEN"));
  ASSERT_TRUE(Pull("acme/coder", "hf_secret").ok());
  for (const FakeHub::Seen& seen : server_.seen()) EXPECT_EQ(seen.authorization, "");
}

TEST_F(HubTest, AFileOfAnyServerIsFetchedButNeverOverwritten) {
  PutModel();
  const std::string address = server_.store_url() + "/c-Q4_0.gguf";
  const Result<PulledModel> model = Pull(address);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*ReadFile(fs_, model->path), content_);
  EXPECT_EQ(Pull(address).status().code(), Code::kAlreadyExists);
}

TEST_F(HubTest, WhatDoesNotExistIsSaid) {
  PutModel();
  EXPECT_EQ(Pull("acme/other").status().code(), Code::kNotFound);
  EXPECT_EQ(Pull(server_.store_url() + "/none.gguf").status().code(), Code::kNotFound);
  EXPECT_THAT(Names(), IsEmpty());
}

}  // namespace
}  // namespace ac::hub
