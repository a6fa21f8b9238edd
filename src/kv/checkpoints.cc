#include "kv/checkpoints.h"

#include <algorithm>

namespace ac::kv {
namespace {

constexpr std::string_view kStateSuffix = ".state";

// How much more a kind is worth than its tokens alone: a trunk serves every new conversation, a
// turn's end the next turn, a grid point only an edit in the middle.
double Weight(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::kTrunk:
      return 16;
    case CheckpointKind::kTurnEnd:
      return 4;
    case CheckpointKind::kGrid:
      return 1;
  }
  return 1;
}

size_t Common(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t end = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<long>(end), b.begin()).first - a.begin());
}

}  // namespace

std::vector<CheckpointPlace> CheckpointPlaces(int64_t from, int64_t to, int64_t trunk_end,
                                              std::span<const int64_t> turn_ends) {
  std::map<int64_t, CheckpointKind> places;
  const auto add = [&](int64_t tokens, CheckpointKind kind) {
    if (tokens <= from || tokens > to) return;
    const auto [it, fresh] = places.emplace(tokens, kind);
    if (!fresh) it->second = std::max(it->second, kind);
  };
  for (int64_t grid = (from / kCheckpointGrid + 1) * kCheckpointGrid; grid <= to;
       grid += kCheckpointGrid) {
    add(grid, CheckpointKind::kGrid);
  }
  for (const int64_t end : turn_ends) add(end, CheckpointKind::kTurnEnd);
  add(trunk_end, CheckpointKind::kTrunk);
  std::vector<CheckpointPlace> sorted;
  for (const auto& [tokens, kind] : places) sorted.push_back({tokens, kind});
  return sorted;
}

CheckpointStore::CheckpointStore(uint64_t max_bytes, std::string folder, const Hash128& fingerprint,
                                 FileSystem& fs)
    : max_bytes_(max_bytes), folder_(std::move(folder)), fingerprint_(fingerprint), fs_(&fs) {
  const Result<std::vector<std::string>> names = fs.List(folder_);
  if (!names.ok()) return;
  MutexLock lock(mutex_);
  for (const std::string& name : *names) {
    if (!name.ends_with(kStateSuffix)) continue;
    const Result<std::unique_ptr<File>> file = fs.Open(JoinPath(folder_, name), OpenMode::kRead);
    if (!file.ok()) continue;
    const Result<PageHeader> header = ReadPageHeader(**file);
    if (!header.ok() || header->kind != FileKind::kState || header->fingerprint != fingerprint_ ||
        JoinPath(folder_, name) != PathOf(header->tokens)) {
      continue;
    }
    entries_.emplace(header->tokens, Entry{.on_disk = true, .bytes = header->payload_bytes});
  }
}

std::string CheckpointStore::PathOf(std::span<const TokenId> prefix) const {
  return JoinPath(folder_, ChildKey(kRootKey, prefix).ToHex() + std::string(kStateSuffix));
}

void CheckpointStore::Put(std::span<const TokenId> prefix, std::vector<std::byte> state,
                          CheckpointKind kind) {
  if (prefix.empty() || state.size() > max_bytes_) return;
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
  while (bytes_ > max_bytes_) {
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
CheckpointStore::Entries::iterator CheckpointStore::LongestPrefix(std::span<const TokenId> tokens) {
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

CheckpointStore::Found CheckpointStore::Find(std::span<const TokenId> tokens) {
  MutexLock lock(mutex_);
  while (true) {
    const auto it = LongestPrefix(tokens);
    if (it == entries_.end()) return {};
    Entry& entry = it->second;
    if (entry.state == nullptr) {
      entry.state = Read(it->first);
      if (entry.state == nullptr) {
        (void)fs_->Remove(PathOf(it->first));
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
  const Result<std::unique_ptr<File>> file = fs_->Open(PathOf(prefix), OpenMode::kRead);
  if (!file.ok()) return nullptr;
  const Result<PageHeader> header = ReadPageHeader(**file);
  if (!header.ok() || header->kind != FileKind::kState || header->fingerprint != fingerprint_ ||
      !std::ranges::equal(header->tokens, prefix)) {
    return nullptr;
  }
  const Result<uint64_t> size = (*file)->Size();
  if (!size.ok() || *size != header->payload_offset + header->payload_bytes) return nullptr;
  std::vector<std::byte> state(static_cast<size_t>(header->payload_bytes));
  if (!ReadPayload(**file, *header, state).ok()) return nullptr;
  return std::make_shared<const std::vector<std::byte>>(std::move(state));
}

Status CheckpointStore::WritePending() {
  if (folder_.empty()) return OkStatus();
  std::vector<std::pair<std::vector<TokenId>, State>> pending;
  {
    MutexLock lock(mutex_);
    for (const auto& [tokens, entry] : entries_) {
      if (!entry.on_disk && entry.state != nullptr) pending.emplace_back(tokens, entry.state);
    }
  }
  AC_RETURN_IF_ERROR(fs_->CreateDirectories(folder_));
  for (const auto& [tokens, state] : pending) {
    const std::string path = PathOf(tokens);
    PageHeader header{.kind = FileKind::kState,
                      .fingerprint = fingerprint_,
                      .key = ChildKey(kRootKey, tokens),
                      .tokens = tokens};
    AC_RETURN_IF_ERROR(WritePageFile(*fs_, path, path + ".tmp", std::move(header), *state));
    MutexLock lock(mutex_);
    if (const auto it = entries_.find(tokens); it != entries_.end()) it->second.on_disk = true;
  }
  return OkStatus();
}

uint64_t CheckpointStore::bytes_in_memory() const {
  MutexLock lock(mutex_);
  return bytes_;
}

size_t CheckpointStore::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace ac::kv
