// The disk tier: pages of published prefixes as files in one folder, written behind the engine's
// back and read back into pages of the pool.
//
// Offer() queues what the folder lacks; a writer thread of lowest priority stores it. Match() says
// how far a prompt is known here, StartRestore() reads it on a reader thread. Whatever is damaged,
// missing or not what was asked for ends a restore early, and the rest is computed again. When
// writing fails (disk full, folder gone or read-only) it stops for good with one warning; reading
// goes on. Several processes may share the folder: files appear whole, hold what their names say,
// and one that vanished is simply not found. When somebody removes files (`cache clear`, `verify`)
// the folder is listed again, so that what is gone gets written again. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status.h"
#include "kv/disk_index.h"
#include "kv/disk_options.h"
#include "kv/page_file.h"
#include "kv/page_pool.h"
#include "kv/place.h"
#include "kv/restore.h"
#include "kv/write_pace.h"

namespace ac::kv {

class DiskStore {
 public:
  // Starts the threads; the folder's files are listed in the background. Fails when the folder
  // cannot be made or written.
  static Result<std::unique_ptr<DiskStore>> Open(DiskStoreOptions options, const PageLayout& layout,
                                                 FileSystem& fs = FileSystem::Real(),
                                                 Clock& clock = Clock::Real());
  // Finishes the page being written and drops the rest of the queue.
  ~DiskStore();
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;

  // Queues every page of the prefix that is neither stored nor queued, parents first. A part-filled
  // last page is worth its bytes only when it saves more than half a page of computing. Returns the
  // pages taken: they must keep their content until TakeWritten() gives them back.
  // A page in which a place lies counts as used until the place's time is over.
  std::vector<PageId> Offer(std::span<const TokenId> tokens, std::span<const PageId> pages,
                            const PagePool& pool, std::span<const Place> places = {});
  std::vector<PageId> TakeWritten();
  // Forgets what waits and waits for the page being written: all taken pages can be taken back.
  void DropQueued();
  // While tokens are generated the writer takes only a small share of the time (write_pace.h).
  void SetDecoding(bool decoding) { pace_.SetDecoding(decoding); }
  // Waits until everything offered so far is written (or cannot be).
  void Flush();
  // Waits at most `seconds`; false: something is still not written.
  bool FlushFor(double seconds);
  // The folder's files are known: before, nothing is written and little is found.
  bool listed() const;
  void WaitUntilListed();

  DiskMatch Match(std::span<const TokenId> tokens, int64_t pages_known);
  // Ends early when it takes longer than `patience_s`; 0: it takes its time.
  std::shared_ptr<Restore> StartRestore(DiskMatch match, std::vector<std::byte*> destinations,
                                        RestoreOrder order = RestoreOrder::kPages,
                                        double patience_s = 0);
  // Expected time, from what earlier reads took.
  double RestoreSeconds(const DiskMatch& match) const;

  // The prefixes most worth having in memory, best first, at most `max_pages` different pages.
  std::vector<std::vector<TokenId>> MostValuable(int64_t max_pages);

  DiskStats stats() const;
  const std::string& folder() const { return options_.folder; }
  const Hash128& fingerprint() const { return options_.fingerprint; }
  uint64_t max_bytes() const { return options_.max_bytes; }

 private:
  struct Job {
    PageHeader header;
    std::span<const std::byte> data;  // empty: only mark the file as used
    PageId page = kNoPage;
    int64_t keep_s = 0;  // counts as used so long from now
  };
  struct KeyHash {
    size_t operator()(const PageKey& key) const { return static_cast<size_t>(key.low); }
  };

  DiskStore(DiskStoreOptions options, const PageLayout& layout, FileSystem& fs, Clock& clock);
  void WriteLoop();
  void ReadLoop();
  void ListFolder();
  Status FollowFolder();
  Status WritePage(const Job& job);
  void MakeRoom(uint64_t bytes, const PageKey& parent);
  // What became of reading: how many pages from the front are good, which one was bad and why.
  struct ReadResult {
    size_t good = 0;
    size_t bad = 0;  // of a failure
    Status status;
  };
  void Read(Restore& restore);
  ReadResult ReadByPages(Restore& restore, Nanos begin);
  ReadResult ReadByLayers(Restore& restore, Nanos begin);
  bool GivenUp(const Restore& restore, Nanos begin) const;
  Status CheckHeader(const PageHeader& header, const DiskMatch::Page& wanted) const;
  Status ReadPage(const DiskMatch::Page& wanted, std::byte* destination);
  bool AdoptFromFolder(const PageKey& parent, std::span<const TokenId> rest) AC_REQUIRES(mutex_);
  void StopWriting(const Status& why);
  std::string PathOf(const PageKey& key) const;
  int64_t NowSeconds() const;

  const DiskStoreOptions options_;
  const PageLayout layout_;
  FileSystem& fs_;
  Clock& clock_;
  WritePace pace_;

  mutable Mutex mutex_;
  CondVar changed_;
  DiskIndex index_ AC_GUARDED_BY(mutex_);
  std::deque<Job> queue_ AC_GUARDED_BY(mutex_);
  std::unordered_set<PageKey, KeyHash> queued_ AC_GUARDED_BY(mutex_);  // also the one being written
  std::vector<PageId> written_ AC_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Restore>> restores_ AC_GUARDED_BY(mutex_);
  DiskStats stats_ AC_GUARDED_BY(mutex_);
  bool busy_ AC_GUARDED_BY(mutex_) = false;  // the writer holds a job
  bool listed_ AC_GUARDED_BY(mutex_) = false;
  bool list_again_ AC_GUARDED_BY(mutex_) = false;  // somebody else removed files
  bool stopping_ AC_GUARDED_BY(mutex_) = false;
  double bytes_per_second_ AC_GUARDED_BY(mutex_) = 0;  // of restores; 0: none measured yet
  uint64_t next_temporary_ = 0;                        // the writer's

  std::thread writer_;
  std::thread reader_;
};

}  // namespace ac::kv
