#include "kv/disk_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "kv/disk_folder.h"
#include "support/fault_file_system.h"
#include "support/prefix_pages.h"
#include "support/temp_dir.h"

namespace ac::kv {
namespace {

using ac::testing::FaultFileSystem;
using ac::testing::PrefixPages;
using ac::testing::TempDir;

constexpr Hash128 kModel{1, 2};
constexpr Hash128 kOtherModel{3, 4};

class DiskStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<DiskStore> Open(const Hash128& fingerprint = kModel,
                                  uint64_t max_bytes = uint64_t{1} << 30,
                                  FileSystem& fs = FileSystem::Real()) {
    DiskStoreOptions options;
    options.folder = FingerprintFolder(root(), fingerprint);
    options.fingerprint = fingerprint;
    options.about = "model: test\n";
    options.max_bytes = max_bytes;
    options.max_queued = 4096;
    options.warn = [this](const std::string& line) { warnings_.push_back(line); };
    Result<std::unique_ptr<DiskStore>> store = DiskStore::Open(options, pages_.pool().layout(), fs);
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return nullptr;
    (*store)->WaitUntilListed();
    return std::move(*store);
  }
  std::string root() const { return dir_ / "kv"; }
  std::string folder() const { return FingerprintFolder(root(), kModel); }
  // Any file of a page in the folder.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      if (entry.path().extension() == ".page") files.push_back(entry.path());
    }
    return files;
  }

  TempDir dir_;
  PrefixPages pages_{512};
  std::vector<std::string> warnings_;
};

std::vector<TokenId> Tokens(int count, TokenId first = 1) {
  std::vector<TokenId> tokens(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) tokens[static_cast<size_t>(i)] = first + i;
  return tokens;
}

TEST_F(DiskStoreTest, WhatWasWrittenIsReadBackByTheNextProcess) {
  const std::vector<TokenId> prompt = Tokens(23);
  {
    const auto store = Open();
    pages_.Write(*store, prompt);
    EXPECT_EQ(pages_.free_pages(), 512) << "every page was given back";
  }
  const auto store = Open();
  EXPECT_EQ(pages_.Read(*store, prompt), 23);
  std::vector<TokenId> branch = Tokens(23);
  branch[13] = 99;
  EXPECT_EQ(pages_.Read(*store, branch), 13) << "the common part of a page counts";
  EXPECT_EQ(pages_.Read(*store, Tokens(23, 50)), 0);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(DiskStoreTest, ConversationsShareTheirCommonPagesAndNothingIsWrittenTwice) {
  const auto store = Open();
  std::vector<TokenId> a = Tokens(40);
  std::vector<TokenId> b = Tokens(40);
  for (size_t i = 32; i < 40; ++i) b[i] = 100;
  pages_.Write(*store, a);
  pages_.Write(*store, b);
  pages_.Write(*store, a);
  EXPECT_EQ(store->stats().files, 12u) << "8 shared pages of 4 tokens, 2 of each";
  EXPECT_EQ(store->stats().written_pages, 12u);
  EXPECT_EQ(pages_.Read(*store, a), 40);
  EXPECT_EQ(pages_.Read(*store, b), 40);
}

TEST_F(DiskStoreTest, APartFilledPageIsStoredWhenItIsMoreThanHalfFull) {
  const auto store = Open();
  pages_.Write(*store, Tokens(10));
  EXPECT_EQ(pages_.Read(*store, Tokens(10)), 8);
  pages_.Write(*store, Tokens(11));
  EXPECT_EQ(pages_.Read(*store, Tokens(11)), 11);
}

TEST_F(DiskStoreTest, TheBudgetKeepsWhatIsUsedAndTheBeginnings) {
  const uint64_t page = PageFileBytes(4, pages_.pool().layout().page_bytes());
  const auto store = Open(kModel, 10 * page);
  pages_.Write(*store, Tokens(24));       // 6 pages
  pages_.Write(*store, Tokens(24, 100));  // 6 more: two of the first must go
  const DiskStats stats = store->stats();
  EXPECT_EQ(stats.files, 10u);
  EXPECT_EQ(stats.evicted_pages, 2u);
  EXPECT_LE(stats.bytes, 10 * page);
  EXPECT_EQ(Files().size(), 10u);
  const int64_t kept = pages_.Read(*store, Tokens(24)) + pages_.Read(*store, Tokens(24, 100));
  EXPECT_EQ(kept, 40) << "every page kept is reachable: only ends were dropped";
}

TEST_F(DiskStoreTest, DamageAnywhereInAFileIsFoundAndTheRestOfThePrefixIsComputedAgain) {
  const std::vector<TokenId> prompt = Tokens(12);
  for (const double place : {0.001, 0.05, 0.3, 0.6, 0.999}) {
    for (const bool cut : {false, true}) {
      std::filesystem::remove_all(root());
      pages_.Write(*Open(), prompt);
      const PageKey second = ChildKey(ChildKey(kRootKey, Tokens(4)), Tokens(4, 5));
      const std::string path = JoinPath(folder(), PageFileName(second));
      const auto size = std::filesystem::file_size(path);
      const auto at = static_cast<uint64_t>(static_cast<double>(size) * place);
      const auto store = Open();  // lists the folder before the damage
      if (cut) {
        std::filesystem::resize_file(path, at);
      } else {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get() ^ 0x40);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
      }
      warnings_.clear();
      EXPECT_EQ(pages_.Read(*store, prompt), 4) << place << cut;
      EXPECT_EQ(warnings_.size(), 1u);
      EXPECT_EQ(store->stats().bad_pages, 1u);
      EXPECT_FALSE(std::filesystem::exists(path)) << "what is damaged does not come back";
      pages_.Write(*store, prompt);
      EXPECT_EQ(pages_.Read(*store, prompt), 12) << "and is written again";
    }
  }
}

TEST_F(DiskStoreTest, AFileUnderAnotherNameIsNeverTaken) {
  const std::vector<TokenId> mine = Tokens(4);
  const std::vector<TokenId> other = Tokens(4, 50);
  pages_.Write(*Open(), other);
  std::filesystem::rename(JoinPath(folder(), PageFileName(ChildKey(kRootKey, other))),
                          JoinPath(folder(), PageFileName(ChildKey(kRootKey, mine))));
  EXPECT_EQ(pages_.Read(*Open(), mine), 0);
}

// Two prompts whose pages got the same name, as after a collision of hashes: the file of one, with
// whole checksums, lies where the other's should be.
TEST_F(DiskStoreTest, TokensAreComparedWhateverTheHashSays) {
  const std::vector<TokenId> mine = Tokens(4);
  pages_.Write(*Open(), mine);
  const auto store = Open();
  const std::string path = JoinPath(folder(), PageFileName(ChildKey(kRootKey, mine)));
  PageHeader forged{.fingerprint = kModel,
                    .key = ChildKey(kRootKey, mine),
                    .parent = kRootKey,
                    .tokens = Tokens(4, 50)};
  const std::vector<std::byte> payload(pages_.pool().layout().page_bytes());
  ASSERT_TRUE(WritePageFile(FileSystem::Real(), path, path + ".tmp", forged, payload).ok());
  EXPECT_EQ(pages_.Read(*store, mine), 0);
  EXPECT_EQ(store->stats().bad_pages, 1u);
}

TEST_F(DiskStoreTest, ForeignFilesAndOtherFingerprintsAreIgnored) {
  const std::vector<TokenId> prompt = Tokens(8);
  pages_.Write(*Open(kOtherModel), prompt);
  pages_.Write(*Open(), Tokens(4, 70));
  const std::string own = folder();
  for (const auto& entry :
       std::filesystem::directory_iterator(FingerprintFolder(root(), kOtherModel))) {
    if (entry.path().extension() != ".page") continue;
    std::filesystem::copy(entry.path(), own + "/" + entry.path().filename().string());
  }
  std::ofstream(own + "/notes.page") << "mine";
  std::ofstream(own + "/README") << "mine";
  std::filesystem::create_directory(own + "/sub.page");
  const auto store = Open();
  EXPECT_EQ(store->stats().files, 1u);
  EXPECT_EQ(pages_.Read(*store, prompt), 0);

  const auto reports = CheckFolders(FileSystem::Real(), root(), FolderCheck::kRepair);
  ASSERT_TRUE(reports.ok()) << reports.status();
  ASSERT_EQ(reports->size(), 2u);
  uint64_t damaged = 0;
  for (const FolderReport& report : *reports) damaged += report.damaged;
  EXPECT_EQ(damaged, 2u) << "the pages of another model";
  EXPECT_EQ(Files().size(), 3u) << "one good page, a foreign file and a foreign folder";
  EXPECT_TRUE(std::filesystem::exists(own + "/README"));
  ASSERT_TRUE(ClearFolders(FileSystem::Real(), root()).ok());
  EXPECT_TRUE(std::filesystem::exists(own + "/notes.page"));
  EXPECT_FALSE(std::filesystem::exists(FingerprintFolder(root(), kOtherModel)));
}

TEST_F(DiskStoreTest, TwoProcessesShareTheFolder) {
  const auto a = Open();
  const auto b = Open();
  pages_.Write(*a, Tokens(20));
  EXPECT_EQ(pages_.Read(*b, Tokens(20)), 20) << "found although it was not there at the start";
  pages_.Write(*b, Tokens(20));
  EXPECT_EQ(b->stats().written_pages, 0u);
  std::filesystem::remove(JoinPath(folder(), PageFileName(ChildKey(kRootKey, Tokens(4)))));
  EXPECT_EQ(pages_.Read(*a, Tokens(20)), 0) << "evicted by the other: computed again";
  EXPECT_EQ(warnings_.size(), 1u);
}

// The clock stands still: a writer that rests while tokens are generated rests until it is needed.
TEST_F(DiskStoreTest, WhoWaitsForThePagesDoesNotWaitForThePace) {
  FakeClock clock;
  DiskStoreOptions options;
  options.folder = folder();
  options.fingerprint = kModel;
  options.max_queued = 4096;
  const auto store =
      DiskStore::Open(options, pages_.pool().layout(), FileSystem::Real(), clock).value();
  store->WaitUntilListed();
  store->SetDecoding(true);
  pages_.Write(*store, Tokens(40));
  EXPECT_EQ(store->stats().written_pages, 10u);
  EXPECT_EQ(pages_.Read(*store, Tokens(40)), 40);
}

TEST_F(DiskStoreTest, AFullDiskEndsWritingWithOneWarningAndReadingGoesOn) {
  pages_.Write(*Open(), Tokens(8));
  FaultFileSystem fs(FileSystem::Real());
  const auto store = Open(kModel, uint64_t{1} << 30, fs);
  fs.FailAt(fs.operations() + 3, FaultFileSystem::Mode::kOnce);
  pages_.Write(*store, Tokens(40, 100));
  pages_.Write(*store, Tokens(40, 200));
  EXPECT_EQ(warnings_.size(), 1u);
  EXPECT_FALSE(store->stats().writing);
  EXPECT_EQ(pages_.free_pages(), 512);
  EXPECT_EQ(pages_.Read(*store, Tokens(8)), 8);
}

TEST_F(DiskStoreTest, AFolderThatVanishesEndsWritingWithOneWarning) {
  const auto store = Open();
  std::filesystem::remove_all(root());
  pages_.Write(*store, Tokens(40));
  EXPECT_EQ(warnings_.size(), 1u);
  EXPECT_FALSE(store->stats().writing);
  EXPECT_EQ(pages_.Read(*store, Tokens(40)), 0);
}

TEST_F(DiskStoreTest, AClearedFolderIsFilledAgainAndTold) {
  const auto store = Open();
  pages_.Write(*store, Tokens(40));
  ASSERT_TRUE(ClearFolders(FileSystem::Real(), root()).ok());
  EXPECT_FALSE(std::filesystem::exists(folder()));
  EXPECT_EQ(pages_.Read(*store, Tokens(40)), 0) << "one line tells why";
  store->Flush();
  pages_.Write(*store, Tokens(40));
  EXPECT_EQ(pages_.Read(*store, Tokens(40)), 40);
  ASSERT_EQ(warnings_.size(), 2u);
  EXPECT_NE(warnings_[1].find("was cleared while in use"), std::string::npos) << warnings_[1];
  EXPECT_TRUE(store->stats().writing);
}

TEST_F(DiskStoreTest, AClearedFolderIsNoticedByTheNextWriteToo) {
  const auto store = Open();
  pages_.Write(*store, Tokens(40));
  ASSERT_TRUE(ClearFolders(FileSystem::Real(), root()).ok());
  pages_.Write(*store, Tokens(8, 100));
  pages_.Write(*store, Tokens(40));
  EXPECT_EQ(pages_.Read(*store, Tokens(40)), 40);
  EXPECT_EQ(pages_.Read(*store, Tokens(8, 100)), 8);
}

TEST_F(DiskStoreTest, WhatVerifyRemovesUnderARunningStoreIsWrittenAgain) {
  const auto store = Open();
  pages_.Write(*store, Tokens(20));
  const std::string second =
      JoinPath(folder(), PageFileName(ChildKey(ChildKey(kRootKey, Tokens(4)), Tokens(4, 5))));
  std::filesystem::resize_file(second, 100);
  const auto reports = CheckFolders(FileSystem::Real(), root(), FolderCheck::kRepair);
  ASSERT_TRUE(reports.ok()) << reports.status();
  EXPECT_EQ(reports->front().damaged, 1u);
  EXPECT_EQ(reports->front().unreachable, 3u);
  EXPECT_EQ(pages_.Read(*store, Tokens(20)), 4);
  store->Flush();
  pages_.Write(*store, Tokens(20));
  EXPECT_EQ(pages_.Read(*store, Tokens(20)), 20);
}

TEST_F(DiskStoreTest, AReadOnlyFolderCannotBeOpenedAndTheErrorNamesIt) {
  FaultFileSystem fs(FileSystem::Real());
  fs.FailAt(0, FaultFileSystem::Mode::kForever);  // what making a folder meets there
  DiskStoreOptions options;
  options.folder = folder();
  const auto store = DiskStore::Open(options, pages_.pool().layout(), fs);
  EXPECT_FALSE(store.ok());
}

TEST_F(DiskStoreTest, LayerAfterLayerGivesTheSamePagesAndFindsTheSameDamage) {
  const auto order = RestoreOrder::kLayers;
  {
    const auto store = Open();
    pages_.Write(*store, Tokens(24));
    EXPECT_EQ(pages_.Read(*store, Tokens(24), order), 24);
    EXPECT_EQ(pages_.Read(*store, Tokens(22), order), 22) << "a page that is used in part";
    EXPECT_EQ(pages_.Read(*store, Tokens(3), order), 3);
    EXPECT_EQ(pages_.Read(*store, Tokens(3, 50), order), 0) << "nothing to read";
  }
  const Result<std::string> whole = ReadFile(FileSystem::Real(), Files()[0]);
  ASSERT_TRUE(whole.ok());
  for (size_t at = 0; at < whole->size(); at += 29) {
    const std::string file = Files()[0];
    std::string damaged = *whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    ASSERT_TRUE(WriteFileAtomic(FileSystem::Real(), file, damaged).ok());
    const auto store = Open();
    EXPECT_LT(pages_.Read(*store, Tokens(24), order), 24) << "byte " << at;
    pages_.Write(*store, Tokens(24));
    ASSERT_EQ(pages_.Read(*store, Tokens(24), order), 24);
  }
}

TEST_F(DiskStoreTest, ARestoreThatTakesTooLongEndsWithWhatItHas) {
  const auto store = Open();
  pages_.Write(*store, Tokens(24));
  for (const RestoreOrder order : {RestoreOrder::kPages, RestoreOrder::kLayers}) {
    const DiskMatch match = store->Match(Tokens(24), 0);
    std::vector<std::byte*> destinations;
    std::vector<PageId> pages;
    for (size_t i = 0; i < match.pages.size(); ++i) {
      pages.push_back(pages_.pool().Allocate().value());
      destinations.push_back(pages_.pool().data(pages.back()));
    }
    const auto restore = store->StartRestore(match, destinations, order, /*patience_s=*/1e-9);
    EXPECT_FALSE(order == RestoreOrder::kLayers && restore->WaitForLayers(2));
    restore->Wait();
    EXPECT_LT(restore->pages(), match.pages.size());
    EXPECT_EQ(restore->failure(), "") << "slow is no damage";
    for (const PageId page : pages) pages_.pool().Release(page);
  }
}

TEST_F(DiskStoreTest, AMarkedPlaceOutlivesWhatWasUsedLaterAlsoAfterARestart) {
  const uint64_t page = PageFileBytes(4, pages_.pool().layout().page_bytes());
  {
    const auto store = Open(kModel, 6 * page);
    const Place place{.tokens = 12, .keep_s = 6 * 3600};
    pages_.Write(*store, Tokens(12), {&place, 1});
  }
  const auto store = Open(kModel, 6 * page);
  for (TokenId first = 100; first < 600; first += 100) pages_.Write(*store, Tokens(12, first));
  EXPECT_EQ(pages_.Read(*store, Tokens(12)), 12) << "marked for six hours";
  EXPECT_EQ(pages_.Read(*store, Tokens(12, 100)), 0);
}

TEST_F(DiskStoreTest, AFailureOfAnyOperationNeverGivesWrongPages) {
  const std::vector<TokenId> prompt = Tokens(17);
  ac::testing::FailAtEveryOperation(
      FileSystem::Real(), FaultFileSystem::Mode::kOnce,
      [&](FileSystem& fs) {
        std::filesystem::remove_all(root());
        DiskStoreOptions options;
        options.folder = folder();
        options.fingerprint = kModel;
        Result<std::unique_ptr<DiskStore>> store =
            DiskStore::Open(options, pages_.pool().layout(), fs);
        if (!store.ok()) return;
        (*store)->WaitUntilListed();
        pages_.Write(**store, prompt);
        pages_.Read(**store, prompt);  // checks the content of whatever it gets
      },
      [&](uint64_t) {
        EXPECT_EQ(pages_.free_pages(), 512);
        const auto store = Open();
        pages_.Write(*store, prompt);
        EXPECT_EQ(pages_.Read(*store, prompt), 16);
      });
}

TEST_F(DiskStoreTest, TheMostValuablePrefixesAreTheLastUsed) {
  const auto store = Open();
  pages_.Write(*store, Tokens(12));
  EXPECT_EQ(store->MostValuable(100), (std::vector<std::vector<TokenId>>{Tokens(12)}));
  EXPECT_EQ(store->MostValuable(2), (std::vector<std::vector<TokenId>>{Tokens(8)}));
  EXPECT_TRUE(store->MostValuable(0).empty());
}

}  // namespace
}  // namespace ac::kv
