#include "kv/disk_store.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "kv/disk_folder.h"

namespace ac::kv {
namespace {

// A page that was used within this time is not marked as used again: marks are for the order of
// eviction, which needs no better.
constexpr int64_t kTouchSeconds = 60;
// Assumed until a restore was measured: a plain disk. Too low a guess would never be corrected.
constexpr double kAssumedBytesPerSecond = 500e6;
// A restore in the order of layers hands them out in so many pieces: enough to follow it closely,
// few enough that each piece of a page reads at the disk's speed.
constexpr int kBands = 8;

// How long the page of tokens [start, end) is worth keeping after each use.
int64_t KeepSeconds(std::span<const Place> places, size_t start, size_t end) {
  int64_t keep_s = 0;
  for (const Place& place : places) {
    const bool inside =
        place.tokens > static_cast<int64_t>(start) && place.tokens <= static_cast<int64_t>(end);
    if (inside) keep_s = std::max(keep_s, place.keep_s);
  }
  return keep_s;
}

}  // namespace

void Restore::Wait() { done_.wait(false, std::memory_order_acquire); }

bool Restore::WaitForLayers(int layers) {
  int there = layers_.load(std::memory_order_acquire);
  while (there != kEnded && there < layers) {
    layers_.wait(there, std::memory_order_acquire);
    there = layers_.load(std::memory_order_acquire);
  }
  return there != kEnded;
}

Result<std::unique_ptr<DiskStore>> DiskStore::Open(DiskStoreOptions options,
                                                   const PageLayout& layout, FileSystem& fs,
                                                   Clock& clock) {
  AC_RETURN_IF_ERROR(fs.CreateDirectories(options.folder));
  AC_RETURN_IF_ERROR(WriteAbout(fs, options.folder, options.about));
  std::unique_ptr<DiskStore> store(new DiskStore(std::move(options), layout, fs, clock));
  store->writer_ = std::thread([raw = store.get()] { raw->WriteLoop(); });
  store->reader_ = std::thread([raw = store.get()] { raw->ReadLoop(); });
  return store;
}

DiskStore::DiskStore(DiskStoreOptions options, const PageLayout& layout, FileSystem& fs,
                     Clock& clock)
    : options_(std::move(options)),
      layout_(layout),
      fs_(fs),
      clock_(clock),
      pace_(clock),
      index_(layout.page_tokens) {}

DiskStore::~DiskStore() {
  const WritePace::Hurry hurry(pace_);
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& restore : restores_) restore->Cancel();
    changed_.NotifyAll();
  }
  writer_.join();
  reader_.join();
}

std::string DiskStore::PathOf(const PageKey& key) const {
  return JoinPath(options_.folder, PageFileName(key));
}

int64_t DiskStore::NowSeconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow()).count();
}

// --- The engine's side

std::vector<PageId> DiskStore::Offer(std::span<const TokenId> tokens, std::span<const PageId> pages,
                                     const PagePool& pool, std::span<const Place> places) {
  std::vector<PageId> taken;
  const int64_t now = NowSeconds();
  const auto page_tokens = static_cast<size_t>(layout_.page_tokens);
  MutexLock lock(mutex_);
  if (!stats_.writing || !listed_) return taken;
  PageKey parent = kRootKey;
  // Marked as used: no longer than a minute ago is recent enough.
  const auto touch = [&](const DiskEntry& entry, int64_t keep_s) AC_REQUIRES(mutex_) {
    if (entry.last_use_s + kTouchSeconds >= now + keep_s) return;
    Job job;
    job.header.key = entry.key;
    job.keep_s = keep_s;
    queue_.push_back(std::move(job));
    index_.Touch(entry.key, now + keep_s);
  };
  const DiskEntry* last = nullptr;
  for (size_t i = 0; i * page_tokens < tokens.size(); ++i) {
    const size_t start = i * page_tokens;
    const auto mine = tokens.subspan(start, std::min(page_tokens, tokens.size() - start));
    if (2 * mine.size() <= page_tokens) break;
    const PageKey key = ChildKey(parent, mine);
    const DiskEntry* stored = index_.Find(key);
    const int64_t keep_s = KeepSeconds(places, start, start + mine.size());
    if (stored != nullptr) {
      last = stored;
      if (keep_s > 0) touch(*stored, keep_s);
    }
    if (stored == nullptr && !queued_.contains(key)) {
      if (queue_.size() >= options_.max_queued) {
        ++stats_.skipped_pages;
        break;  // a child without its parent is of no use
      }
      Job job;
      job.header = {.fingerprint = options_.fingerprint,
                    .key = key,
                    .parent = parent,
                    .position = static_cast<int64_t>(start),
                    .tokens = {mine.begin(), mine.end()}};
      job.data = {pool.data(pages[i]), layout_.page_bytes()};
      job.page = pages[i];
      job.keep_s = keep_s;
      queued_.insert(key);
      queue_.push_back(std::move(job));
      taken.push_back(pages[i]);
    }
    parent = key;
  }
  if (last != nullptr) touch(*last, 0);
  if (!queue_.empty()) changed_.NotifyAll();
  return taken;
}

std::vector<PageId> DiskStore::TakeWritten() {
  MutexLock lock(mutex_);
  return std::exchange(written_, {});
}

void DiskStore::DropQueued() {
  const WritePace::Hurry hurry(pace_);
  MutexLock lock(mutex_);
  for (const Job& job : queue_) {
    if (job.page != kNoPage) written_.push_back(job.page);
    queued_.erase(job.header.key);
  }
  queue_.clear();
  while (busy_) changed_.Wait(mutex_);
}

void DiskStore::Flush() {
  const WritePace::Hurry hurry(pace_);
  MutexLock lock(mutex_);
  while (busy_ || list_again_ || !queue_.empty()) changed_.Wait(mutex_);
}

bool DiskStore::FlushFor(double seconds) {
  const WritePace::Hurry hurry(pace_);
  const Nanos deadline =
      clock_.Now() + std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(seconds));
  MutexLock lock(mutex_);
  while (busy_ || !queue_.empty()) {
    const Nanos left = deadline - clock_.Now();
    if (left <= Nanos(0)) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

bool DiskStore::listed() const {
  MutexLock lock(mutex_);
  return listed_;
}

void DiskStore::WaitUntilListed() {
  MutexLock lock(mutex_);
  while (!listed_) changed_.Wait(mutex_);
}

DiskMatch DiskStore::Match(std::span<const TokenId> tokens, int64_t pages_known) {
  DiskMatch match;
  const auto page_tokens = static_cast<size_t>(layout_.page_tokens);
  PageKey parent = kRootKey;
  size_t at = 0;
  for (int64_t i = 0; i < pages_known; ++i, at += page_tokens) {
    parent = ChildKey(parent, tokens.subspan(at, page_tokens));
  }
  MutexLock lock(mutex_);
  while (at < tokens.size()) {
    const auto rest = tokens.subspan(at);
    DiskIndex::Step step = index_.BestChild(parent, rest);
    // Another process may have written the page we want.
    if (step.tokens < layout_.page_tokens && AdoptFromFolder(parent, rest)) {
      step = index_.BestChild(parent, rest);
    }
    if (step.entry == nullptr) break;
    const DiskEntry& entry = *step.entry;
    match.pages.push_back({.key = entry.key,
                           .parent = entry.parent,
                           .position = entry.position,
                           .tokens = entry.tokens,
                           .use = step.tokens});
    match.tokens += step.tokens;
    at += static_cast<size_t>(step.tokens);
    if (step.tokens < layout_.page_tokens) break;
    parent = entry.key;
  }
  return match;
}

// Looks whether the folder has the full page with these tokens although the index does not.
bool DiskStore::AdoptFromFolder(const PageKey& parent, std::span<const TokenId> rest) {
  const auto page_tokens = static_cast<size_t>(layout_.page_tokens);
  if (rest.size() < page_tokens) return false;
  const PageKey key = ChildKey(parent, rest.first(page_tokens));
  if (queued_.contains(key)) return false;
  Result<DiskEntry> entry = ReadEntry(fs_, options_.folder, key, options_.fingerprint);
  if (!entry.ok()) return false;
  index_.Insert(std::move(entry).value());
  return true;
}

std::shared_ptr<Restore> DiskStore::StartRestore(DiskMatch match,
                                                 std::vector<std::byte*> destinations,
                                                 RestoreOrder order, double patience_s) {
  assert(match.pages.size() == destinations.size());
  auto restore = std::make_shared<Restore>();
  restore->wanted_ = std::move(match.pages);
  restore->destinations_ = std::move(destinations);
  restore->order_ = order;
  restore->patience_s_ = patience_s;
  MutexLock lock(mutex_);
  restores_.push_back(restore);
  changed_.NotifyAll();
  return restore;
}

double DiskStore::RestoreSeconds(const DiskMatch& match) const {
  MutexLock lock(mutex_);
  const double speed = bytes_per_second_ > 0 ? bytes_per_second_ : kAssumedBytesPerSecond;
  return static_cast<double>(match.pages.size() * layout_.page_bytes()) / speed;
}

std::vector<std::vector<TokenId>> DiskStore::MostValuable(int64_t max_pages) {
  MutexLock lock(mutex_);
  std::vector<std::vector<TokenId>> prefixes;
  for (const std::vector<PageKey>& path : index_.MostValuable(max_pages)) {
    std::vector<TokenId>& tokens = prefixes.emplace_back();
    for (const PageKey& key : path) {
      const DiskEntry& entry = *index_.Find(key);
      tokens.insert(tokens.end(), entry.tokens.begin(), entry.tokens.end());
    }
  }
  return prefixes;
}

DiskStats DiskStore::stats() const {
  MutexLock lock(mutex_);
  DiskStats stats = stats_;
  stats.files = index_.size();
  stats.bytes = index_.total_bytes();
  return stats;
}

// --- The writer thread

void DiskStore::WriteLoop() {
  RunInBackground();
  ListFolder();
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_ && !list_again_) changed_.Wait(mutex_);
    if (stopping_) return;
    if (std::exchange(list_again_, false)) {
      busy_ = true;
      mutex_.Unlock();
      ListFolder();
      mutex_.Lock();
      busy_ = false;
      changed_.NotifyAll();
      continue;
    }
    const Job job = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    const bool writing = stats_.writing;
    mutex_.Unlock();
    Status status;
    if (job.page == kNoPage) {
      (void)fs_.Touch(PathOf(job.header.key), job.keep_s);  // gone: found out when it is read
    } else if (writing) {
      status = WritePage(job);
    }
    if (!status.ok()) StopWriting(status);
    mutex_.Lock();
    busy_ = false;
    if (job.page != kNoPage) {
      written_.push_back(job.page);
      queued_.erase(job.header.key);
    }
    changed_.NotifyAll();
  }
}

void DiskStore::ListFolder() {
  std::vector<DiskEntry> entries = ReadEntries(fs_, options_.folder, options_.fingerprint, clock_);
  MutexLock lock(mutex_);
  index_.Clear();
  for (DiskEntry& entry : entries) index_.Insert(std::move(entry));
  listed_ = true;
  changed_.NotifyAll();
}

// The folder was cleared under us when its about.txt is gone: begins anew, as long as the folder
// above is there. Without that the disk itself is gone.
Status DiskStore::FollowFolder() {
  if (fs_.Exists(AboutPath(options_.folder))) return OkStatus();
  if (!fs_.Exists(DirName(options_.folder))) {
    return NotFound("[kv] " + DirName(options_.folder) + " is gone");
  }
  AC_RETURN_IF_ERROR(fs_.CreateDirectories(options_.folder));
  AC_RETURN_IF_ERROR(WriteAbout(fs_, options_.folder, options_.about));
  ListFolder();
  if (options_.warn) {
    options_.warn(options_.folder + " was cleared while in use: it is filled again from now on");
  }
  return OkStatus();
}

Status DiskStore::WritePage(const Job& job) {
  AC_RETURN_IF_ERROR(FollowFolder());
  const std::string path = PathOf(job.header.key);
  const uint64_t bytes = PageFileBytes(job.header.tokens.size(), job.data.size());
  // Another process may have been first; the content is the same.
  if (!ReadEntry(fs_, options_.folder, job.header.key, options_.fingerprint).ok()) {
    MakeRoom(bytes, job.header.parent);
    Nanos begin = clock_.Now();
    const auto rest = [&] {
      pace_.Rest(clock_.Now() - begin);
      begin = clock_.Now();
    };
    AC_RETURN_IF_ERROR(WritePageFile(fs_, path, TemporaryName(path, next_temporary_++), job.header,
                                     job.data, rest));
    MutexLock lock(mutex_);
    ++stats_.written_pages;
    stats_.written_bytes += bytes;
  }
  if (job.keep_s > 0) AC_RETURN_IF_ERROR(fs_.Touch(path, job.keep_s));
  MutexLock lock(mutex_);
  index_.Insert({.key = job.header.key,
                 .parent = job.header.parent,
                 .position = job.header.position,
                 .tokens = job.header.tokens,
                 .bytes = bytes,
                 .last_use_s = NowSeconds() + job.keep_s});
  return OkStatus();
}

// Deletes the least valuable files until `bytes` more fit the budget; not the parent of the page
// that is about to be written, without which it could not be reached.
void DiskStore::MakeRoom(uint64_t bytes, const PageKey& parent) {
  while (true) {
    PageKey key;
    {
      MutexLock lock(mutex_);
      const DiskEntry* least = index_.LeastValuable(parent);
      if (least == nullptr || index_.total_bytes() + bytes <= options_.max_bytes) return;
      key = least->key;
      index_.Remove(key);
      ++stats_.evicted_pages;
    }
    (void)fs_.Remove(PathOf(key));
  }
}

void DiskStore::StopWriting(const Status& why) {
  {
    MutexLock lock(mutex_);
    if (!std::exchange(stats_.writing, false)) return;
  }
  if (options_.warn) {
    options_.warn("no more pages are written to " + options_.folder + ": " + why.message());
  }
}

// --- The reader thread

void DiskStore::ReadLoop() {
  MutexLock lock(mutex_);
  while (true) {
    while (restores_.empty() && !stopping_) changed_.Wait(mutex_);
    if (restores_.empty()) return;
    const std::shared_ptr<Restore> restore = restores_.front();
    restores_.pop_front();
    mutex_.Unlock();
    Read(*restore);
    mutex_.Lock();
  }
}

bool DiskStore::GivenUp(const Restore& restore, Nanos begin) const {
  if (restore.cancelled_.load(std::memory_order_relaxed)) return true;
  return restore.patience_s_ > 0 && Seconds(clock_.Now() - begin) > restore.patience_s_;
}

void DiskStore::Read(Restore& restore) {
  const Nanos begin = clock_.Now();
  const bool by_layers = restore.order_ == RestoreOrder::kLayers;
  const ReadResult result = by_layers ? ReadByLayers(restore, begin) : ReadByPages(restore, begin);
  restore.seconds_ = Seconds(clock_.Now() - begin);
  const uint64_t bytes = result.good * layout_.page_bytes();
  restore.pages_ = result.good;
  restore.failure_ = result.status.message();
  {
    MutexLock lock(mutex_);
    stats_.restored_pages += result.good;
    stats_.restored_bytes += bytes;
    if (result.good > 0 && restore.seconds_ > 0) {
      const double speed = static_cast<double>(bytes) / restore.seconds_;
      bytes_per_second_ = bytes_per_second_ > 0 ? 0.5 * (bytes_per_second_ + speed) : speed;
    }
    if (!result.status.ok()) {
      ++stats_.bad_pages;
      index_.Remove(restore.wanted_[result.bad].key);
      list_again_ = list_again_ || result.status.code() == Code::kNotFound;
      changed_.NotifyAll();
    }
  }
  // Damage does not heal; what is only unreadable now may be readable for somebody else.
  if (result.status.code() == Code::kDataLoss) {
    (void)fs_.Remove(PathOf(restore.wanted_[result.bad].key));
  }
  if (!result.status.ok() && options_.warn) {
    options_.warn("a page of a cached prefix is computed again: " + result.status.message());
  }
  restore.done_.store(true, std::memory_order_release);
  restore.done_.notify_all();
  const bool whole = result.good == restore.wanted_.size();
  restore.layers_.store(whole ? layout_.n_layers : Restore::kEnded, std::memory_order_release);
  restore.layers_.notify_all();
}

DiskStore::ReadResult DiskStore::ReadByPages(Restore& restore, Nanos begin) {
  ReadResult result;
  for (; result.good < restore.wanted_.size(); ++result.good) {
    if (GivenUp(restore, begin)) break;
    result.status = ReadPage(restore.wanted_[result.good], restore.destinations_[result.good]);
    if (!result.status.ok()) break;
  }
  result.bad = result.good;
  return result;
}

// A few layers of every page, then the next few. A page's checksum is known when all of it is
// there, so all are checked before the last layers are handed out. The last page, where it is used
// in part, is read whole at the beginning: the forward pass will write behind its used tokens.
DiskStore::ReadResult DiskStore::ReadByLayers(Restore& restore, Nanos begin) {
  ReadResult result;
  const auto fail = [&](size_t page, Status status) {
    result.bad = page;
    result.status = std::move(status).WithPrefix(PathOf(restore.wanted_[page].key));
    return result;
  };
  size_t count = restore.wanted_.size();
  if (count > 0 && restore.wanted_.back().use < layout_.page_tokens) {
    --count;
    result.status = ReadPage(restore.wanted_[count], restore.destinations_[count]);
    result.bad = count;
    if (!result.status.ok()) return result;
  }
  std::vector<PageHeader> headers(count);
  const int band = (layout_.n_layers + kBands - 1) / kBands;
  for (int layer = 0; layer < layout_.n_layers; layer += band) {
    const int layers = std::min(band, layout_.n_layers - layer);
    const size_t offset = static_cast<size_t>(layer) * layout_.layer_bytes();
    const size_t size = static_cast<size_t>(layers) * layout_.layer_bytes();
    for (size_t i = 0; i < count; ++i) {
      if (GivenUp(restore, begin)) return result;
      const Result<std::unique_ptr<File>> file =
          fs_.Open(PathOf(restore.wanted_[i].key), OpenMode::kRead);
      if (!file.ok()) return fail(i, file.status());
      if (layer == 0) {
        Result<PageHeader> header = ReadPageHeader(**file);
        if (!header.ok()) return fail(i, header.status());
        headers[i] = std::move(header).value();
        const Status right = CheckHeader(headers[i], restore.wanted_[i]);
        if (!right.ok()) return fail(i, right);
      }
      const Status read = (*file)->ReadAt(headers[i].payload_offset + offset,
                                          {restore.destinations_[i] + offset, size});
      if (!read.ok()) return fail(i, read);
    }
    if (layer + layers < layout_.n_layers) {
      restore.layers_.store(layer + layers, std::memory_order_release);
      restore.layers_.notify_all();
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (Hash64(restore.destinations_[i], layout_.page_bytes()) != headers[i].payload_hash) {
      result.good = i;
      return fail(i, DataLoss("[kv] the payload's checksum is wrong"));
    }
  }
  result.good = restore.wanted_.size();
  return result;
}

Status DiskStore::CheckHeader(const PageHeader& header, const DiskMatch::Page& wanted) const {
  if (header.fingerprint != options_.fingerprint || header.kind != FileKind::kPage ||
      header.position != wanted.position || header.parent != wanted.parent ||
      header.tokens != wanted.tokens || header.payload_bytes != layout_.page_bytes()) {
    return DataLoss("[kv] the file holds another page than its name says");
  }
  return OkStatus();
}

Status DiskStore::ReadPage(const DiskMatch::Page& wanted, std::byte* destination) {
  const std::string path = PathOf(wanted.key);
  const auto read = [&]() -> Status {
    AC_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs_.Open(path, OpenMode::kRead));
    AC_ASSIGN_OR_RETURN(const PageHeader header, ReadPageHeader(*file));
    AC_RETURN_IF_ERROR(CheckHeader(header, wanted));
    return ReadPayload(*file, header, {destination, layout_.page_bytes()});
  };
  return read().WithPrefix(path);
}

}  // namespace ac::kv
