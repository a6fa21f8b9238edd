// One page of keys and values (or one state checkpoint) as a file: docs/formats/kv_disk.md.
//
// The header names what the payload is (fingerprint of everything that decides its bytes, the
// tokens themselves, their place) and carries checksums of itself and of the payload. Nothing here
// trusts a name or a hash: a reader compares fingerprint, position and tokens with what it wants.
// Free functions; thread-safe as long as the file system is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/hash.h"
#include "base/status.h"

namespace ac::kv {

using TokenId = int32_t;

// Names a prefix: the key of the page before it and the tokens of its own. kRootKey is the empty
// one. Equal keys are a reason to compare the tokens, nothing more.
using PageKey = Hash128;
inline constexpr PageKey kRootKey{};
PageKey ChildKey(const PageKey& parent, std::span<const TokenId> tokens);

enum class FileKind : uint32_t {
  kPage = 1,   // keys and values of `tokens`, which stand at `position`
  kState = 2,  // a model's state after `tokens`, which are the whole prefix
};

struct PageHeader {
  FileKind kind = FileKind::kPage;
  Hash128 fingerprint;
  PageKey key;
  PageKey parent;
  int64_t position = 0;
  uint64_t payload_offset = 0;
  uint64_t payload_bytes = 0;
  uint64_t payload_hash = 0;
  std::vector<TokenId> tokens;
};

inline constexpr size_t kPageHeaderBytes = 112;
inline constexpr uint32_t kPageFileVersion = 1;
inline constexpr int64_t kMaxFileTokens = int64_t{1} << 24;

// Header and tokens with padding, ready to stand before the payload; fills in payload_offset.
std::vector<std::byte> EncodePageHeader(PageHeader* header);
// How many bytes at the start of the file hold header and tokens, from the first kPageHeaderBytes.
Result<size_t> PageHeaderSize(std::span<const std::byte> start);
// kDataLoss with the reason on anything but a whole, undamaged header.
Result<PageHeader> ParsePageHeader(std::span<const std::byte> bytes);

// Writes `path` so that it appears whole or not at all, by way of `temporary` beside it. Calls
// `after_piece` whenever a piece of the payload is written, so that a writer can rest between them.
Status WritePageFile(FileSystem& fs, const std::string& path, const std::string& temporary,
                     PageHeader header, std::span<const std::byte> payload,
                     const std::function<void()>& after_piece = {});
Result<PageHeader> ReadPageHeader(File& file);
// The payload straight into `out`, which must be of its size; kDataLoss when its checksum is wrong.
Status ReadPayload(File& file, const PageHeader& header, std::span<std::byte> out);

}  // namespace ac::kv
