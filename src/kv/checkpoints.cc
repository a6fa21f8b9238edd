#include "kv/checkpoints.h"

#include <algorithm>

#include "kv/disk_folder.h"

namespace ac::kv {
namespace {

// How much more a kind is worth than its tokens alone: a trunk serves every new conversation, a
// turn's end the next turn, a grid point only an edit in the middle.
double Weight(PlaceKind kind) {
  switch (kind) {
    case PlaceKind::kTrunk:
      return 16;
    case PlaceKind::kTurnEnd:
      return 4;
    case PlaceKind::kGrid:
      return 1;
  }
  return 1;
}

// The same on disk, as the time for which a file counts as just used.
int64_t KeepSeconds(PlaceKind kind) {
  switch (kind) {
    case PlaceKind::kTrunk:
      return kTrunkKeepSeconds;
    case PlaceKind::kTurnEnd:
      return 3600;
    case PlaceKind::kGrid:
      return 0;
  }
  return 0;
}

size_t Common(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t end = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<long>(end), b.begin()).first - a.begin());
}

}  // namespace

std::vector<Place> CheckpointPlaces(int64_t from, int64_t to, std::span<const Place> places) {
  std::map<int64_t, PlaceKind> kinds;
  const auto add = [&](int64_t tokens, PlaceKind kind) {
    if (tokens <= from || tokens > to) return;
    const auto [it, fresh] = kinds.emplace(tokens, kind);
    if (!fresh) it->second = std::max(it->second, kind);
  };
  for (int64_t grid = (from / kCheckpointGrid + 1) * kCheckpointGrid; grid <= to;
       grid += kCheckpointGrid) {
    add(grid, PlaceKind::kGrid);
  }
  for (const Place& place : places) add(place.tokens, place.kind);
  std::vector<Place> sorted;
  for (const auto& [tokens, kind] : kinds) sorted.push_back({tokens, kind, 0});
  return sorted;
}

CheckpointStore::CheckpointStore(CheckpointOptions options, FileSystem& fs, Clock& clock)
    : options_(std::move(options)), fs_(fs), clock_(clock) {
  if (options_.folder.empty()) return;
  const Result<std::vector<std::string>> names = fs_.List(options_.folder);
  if (!names.ok()) return;
  MutexLock lock(mutex_);
  for (const std::string& name : *names) {
    Result<StateEntry> found = ReadStateEntry(fs_, options_.folder, name, options_.fingerprint);
    if (!found.ok()) continue;
    disk_bytes_ += found->file_bytes;
    entries_.emplace(
        std::move(found->tokens),
        Entry{.on_disk = true, .bytes = found->state_bytes, .last_use_s = found->last_use_s});
  }
}

std::string CheckpointStore::PathOf(std::span<const TokenId> prefix) const {
  return JoinPath(options_.folder, StateFileName(ChildKey(kRootKey, prefix)));
}

void CheckpointStore::Put(std::span<const TokenId> prefix, std::vector<std::byte> state,
                          PlaceKind kind) {
  if (prefix.empty() || state.size() > options_.max_bytes) return;
  MutexLock lock(mutex_);
  const auto [it, fresh] = entries_.try_emplace({prefix.begin(), prefix.end()});
  Entry& entry = it->second;
  entry.kind = std::max(entry.kind, kind);
  if (entry.state == nullptr) {
    entry.bytes = state.size();
    entry.state = std::make_shared<const std::vector<std::byte>>(std::move(state));
    bytes_ += entry.bytes;
  }
  Touch(it);
  MakeRoom();
}

// Gives an entry that is in memory its full value again.
void CheckpointStore::Touch(Entries::iterator it) {
  Entry& entry = it->second;
  in_memory_.erase({entry.value, &it->first});
  // Recomputing time saved per byte; states of one model have one size, so tokens decide.
  entry.value = floor_ + Weight(entry.kind) * static_cast<double>(it->first.size()) /
                             static_cast<double>(std::max<uint64_t>(entry.bytes, 1));
  in_memory_.emplace(entry.value, &it->first);
}

void CheckpointStore::MakeRoom() {
  while (bytes_ > options_.max_bytes) {
    const Ranked least = *in_memory_.begin();
    floor_ = least.first;
    in_memory_.erase(in_memory_.begin());
    const auto it = entries_.find(*least.second);
    bytes_ -= it->second.bytes;
    it->second.state.reset();
    if (!it->second.on_disk) entries_.erase(it);
  }
}

// In the order of tokens, a prefix of `tokens` stands before them; what stands between shares less
// with them than it, so each step back that is no prefix says how long a prefix can still be.
CheckpointStore::Entries::const_iterator CheckpointStore::LongestPrefix(
    std::span<const TokenId> tokens) const {
  std::vector<TokenId> wanted(tokens.begin(), tokens.end());
  while (!wanted.empty()) {
    auto it = entries_.upper_bound(wanted);
    if (it == entries_.begin()) break;
    --it;
    const size_t common = Common(it->first, wanted);
    if (common == it->first.size()) return it;
    wanted.resize(common);
  }
  return entries_.end();
}

int64_t CheckpointStore::LongestKept(std::span<const TokenId> tokens) const {
  MutexLock lock(mutex_);
  const auto it = LongestPrefix(tokens);
  return it == entries_.end() ? 0 : static_cast<int64_t>(it->first.size());
}

CheckpointStore::Found CheckpointStore::Find(std::span<const TokenId> tokens) {
  MutexLock lock(mutex_);
  while (true) {
    const auto longest = LongestPrefix(tokens);
    if (longest == entries_.end()) return {};
    const auto it = entries_.find(longest->first);
    Entry& entry = it->second;
    if (entry.state == nullptr) {
      entry.state = Read(it->first);
      if (entry.state == nullptr) {
        (void)fs_.Remove(PathOf(it->first));
        disk_bytes_ -= std::min(disk_bytes_, PageFileBytes(it->first.size(), entry.bytes));
        entries_.erase(it);
        continue;
      }
      entry.bytes = entry.state->size();
      bytes_ += entry.bytes;
    }
    Touch(it);
    const Found found{static_cast<int64_t>(it->first.size()), entry.state};
    MakeRoom();
    return found;
  }
}

// Null when the file is missing, damaged or not what its name says.
CheckpointStore::State CheckpointStore::Read(std::span<const TokenId> prefix) const {
  const Result<std::unique_ptr<File>> file = fs_.Open(PathOf(prefix), OpenMode::kRead);
  if (!file.ok()) return nullptr;
  const Result<PageHeader> header = ReadPageHeader(**file);
  if (!header.ok() || header->kind != FileKind::kState ||
      header->fingerprint != options_.fingerprint || !std::ranges::equal(header->tokens, prefix)) {
    return nullptr;
  }
  const Result<uint64_t> size = (*file)->Size();
  if (!size.ok() || *size != header->payload_offset + header->payload_bytes) return nullptr;
  std::vector<std::byte> state(static_cast<size_t>(header->payload_bytes));
  if (!ReadPayload(**file, *header, state).ok()) return nullptr;
  return std::make_shared<const std::vector<std::byte>>(std::move(state));
}

Status CheckpointStore::WritePending() {
  if (options_.folder.empty()) return OkStatus();
  struct Pending {
    std::vector<TokenId> tokens;
    State state;
    PlaceKind kind;
  };
  std::vector<Pending> pending;
  {
    MutexLock lock(mutex_);
    for (const auto& [tokens, entry] : entries_) {
      if (!entry.on_disk && !entry.gave_way && entry.state != nullptr) {
        pending.push_back({tokens, entry.state, entry.kind});
      }
    }
  }
  if (pending.empty()) return OkStatus();
  AC_RETURN_IF_ERROR(fs_.CreateDirectories(options_.folder));
  for (const Pending& one : pending) {
    AC_RETURN_IF_ERROR(WriteOne(one.tokens, one.state, one.kind));
    MakeRoomOnDisk();
  }
  return OkStatus();
}

Status CheckpointStore::WriteOne(const std::vector<TokenId>& tokens, const State& state,
                                 PlaceKind kind) {
  const std::string path = PathOf(tokens);
  PageHeader header{.kind = FileKind::kState,
                    .fingerprint = options_.fingerprint,
                    .key = ChildKey(kRootKey, tokens),
                    .tokens = tokens};
  AC_RETURN_IF_ERROR(
      WritePageFile(fs_, path, TemporaryName(path, next_temporary_++), std::move(header), *state));
  const int64_t keep_s = KeepSeconds(kind);
  if (keep_s > 0) AC_RETURN_IF_ERROR(fs_.Touch(path, keep_s));
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow()).count();
  MutexLock lock(mutex_);
  disk_bytes_ += PageFileBytes(tokens.size(), state->size());
  // It may have been evicted from memory meanwhile.
  Entry& entry = entries_[tokens];
  entry.on_disk = true;
  entry.kind = std::max(entry.kind, kind);
  entry.bytes = state->size();
  entry.last_use_s = now + keep_s;
  return OkStatus();
}

// The file to lose next; its entry stays if it is in memory.
std::string CheckpointStore::LeastUsedFile() {
  auto least = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (!it->second.on_disk) continue;
    if (least == entries_.end() || it->second.last_use_s < least->second.last_use_s) least = it;
  }
  if (least == entries_.end()) return "";
  const std::string path = PathOf(least->first);
  disk_bytes_ -= std::min(disk_bytes_, PageFileBytes(least->first.size(), least->second.bytes));
  least->second.on_disk = false;
  least->second.gave_way = true;
  if (least->second.state == nullptr) entries_.erase(least);
  return path;
}

void CheckpointStore::MakeRoomOnDisk() {
  while (true) {
    std::string path;
    {
      MutexLock lock(mutex_);
      if (disk_bytes_ <= options_.max_disk_bytes) return;
      path = LeastUsedFile();
    }
    if (path.empty()) return;
    (void)fs_.Remove(path);
  }
}

uint64_t CheckpointStore::bytes_in_memory() const {
  MutexLock lock(mutex_);
  return bytes_;
}

uint64_t CheckpointStore::bytes_on_disk() const {
  MutexLock lock(mutex_);
  return disk_bytes_;
}

size_t CheckpointStore::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace ac::kv
