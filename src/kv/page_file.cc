#include "kv/page_file.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace ac::kv {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr char kMagic[8] = {'A', 'C', 'K', 'V', 'P', 'A', 'G', 'E'};
constexpr size_t kPayloadAlignment = 64;
// A fraction of a millisecond's work: no one notices that a core is gone for that long.
constexpr size_t kPieceBytes = 256 << 10;

// As it lies in the file.
struct RawHeader {
  char magic[8];
  uint32_t version;
  uint32_t kind;
  uint64_t fingerprint[2];
  uint64_t key[2];
  uint64_t parent[2];
  int64_t position;
  uint64_t token_count;
  uint64_t payload_offset;
  uint64_t payload_bytes;
  uint64_t payload_hash;
  uint64_t header_hash;  // of everything before, then of the tokens
};
static_assert(sizeof(RawHeader) == kPageHeaderBytes);

void Store(const Hash128& hash, uint64_t* out) {
  out[0] = hash.high;
  out[1] = hash.low;
}
Hash128 Load(const uint64_t* in) { return {in[0], in[1]}; }

size_t Padded(size_t bytes) {
  return (bytes + kPayloadAlignment - 1) / kPayloadAlignment * kPayloadAlignment;
}

uint64_t HeaderHash(const RawHeader& raw, const void* tokens, size_t token_bytes) {
  const uint64_t own = Hash64(&raw, offsetof(RawHeader, header_hash));
  return Hash64(tokens, token_bytes, own);
}

Result<RawHeader> CheckedStart(std::span<const std::byte> start) {
  RawHeader raw;
  if (start.size() < sizeof(raw)) return DataLoss("[kv] the file ends in its header");
  std::memcpy(&raw, start.data(), sizeof(raw));
  if (std::memcmp(raw.magic, kMagic, sizeof(kMagic)) != 0) return DataLoss("[kv] no page file");
  if (raw.version != kPageFileVersion) {
    return Unsupported("[kv] page file of version " + std::to_string(raw.version) + "; this is " +
                       std::to_string(kPageFileVersion));
  }
  if (raw.token_count == 0 || raw.token_count > uint64_t{kMaxFileTokens}) {
    return DataLoss("[kv] the header's token count makes no sense");
  }
  return raw;
}

}  // namespace

PageKey ChildKey(const PageKey& parent, std::span<const TokenId> tokens) {
  const uint64_t chain[3] = {parent.high, parent.low, tokens.size()};
  return Hash128Of(tokens.data(), tokens.size_bytes(), Hash64(chain, sizeof(chain)));
}

std::vector<std::byte> EncodePageHeader(PageHeader* header) {
  const size_t token_bytes = header->tokens.size() * sizeof(TokenId);
  header->payload_offset = Padded(sizeof(RawHeader) + token_bytes);
  RawHeader raw = {};
  std::memcpy(raw.magic, kMagic, sizeof(kMagic));
  raw.version = kPageFileVersion;
  raw.kind = static_cast<uint32_t>(header->kind);
  Store(header->fingerprint, raw.fingerprint);
  Store(header->key, raw.key);
  Store(header->parent, raw.parent);
  raw.position = header->position;
  raw.token_count = header->tokens.size();
  raw.payload_offset = header->payload_offset;
  raw.payload_bytes = header->payload_bytes;
  raw.payload_hash = header->payload_hash;
  raw.header_hash = HeaderHash(raw, header->tokens.data(), token_bytes);
  std::vector<std::byte> out(header->payload_offset);
  std::memcpy(out.data(), &raw, sizeof(raw));
  std::memcpy(out.data() + sizeof(raw), header->tokens.data(), token_bytes);
  return out;
}

Result<size_t> PageHeaderSize(std::span<const std::byte> start) {
  AC_ASSIGN_OR_RETURN(const RawHeader raw, CheckedStart(start));
  return sizeof(RawHeader) + static_cast<size_t>(raw.token_count) * sizeof(TokenId);
}

Result<PageHeader> ParsePageHeader(std::span<const std::byte> bytes) {
  AC_ASSIGN_OR_RETURN(const RawHeader raw, CheckedStart(bytes));
  const size_t token_bytes = static_cast<size_t>(raw.token_count) * sizeof(TokenId);
  if (bytes.size() < sizeof(raw) + token_bytes) return DataLoss("[kv] the file ends in its tokens");
  if (raw.header_hash != HeaderHash(raw, bytes.data() + sizeof(raw), token_bytes)) {
    return DataLoss("[kv] the header's checksum is wrong");
  }
  // From here on the header is what a writer of this version wrote, or made to look like it.
  if (raw.kind != static_cast<uint32_t>(FileKind::kPage) &&
      raw.kind != static_cast<uint32_t>(FileKind::kState)) {
    return DataLoss("[kv] unknown kind of file");
  }
  if (raw.payload_offset != Padded(sizeof(raw) + token_bytes) || raw.position < 0 ||
      raw.payload_bytes > uint64_t{1} << 40) {
    return DataLoss("[kv] the header's numbers make no sense");
  }
  PageHeader header;
  header.kind = static_cast<FileKind>(raw.kind);
  header.fingerprint = Load(raw.fingerprint);
  header.key = Load(raw.key);
  header.parent = Load(raw.parent);
  header.position = raw.position;
  header.payload_offset = raw.payload_offset;
  header.payload_bytes = raw.payload_bytes;
  header.payload_hash = raw.payload_hash;
  header.tokens.resize(static_cast<size_t>(raw.token_count));
  std::memcpy(header.tokens.data(), bytes.data() + sizeof(raw), token_bytes);
  return header;
}

Status WritePageFile(FileSystem& fs, const std::string& path, const std::string& temporary,
                     PageHeader header, std::span<const std::byte> payload,
                     const std::function<void()>& after_piece) {
  header.payload_bytes = payload.size();
  header.payload_hash = Hash64(payload.data(), payload.size());
  const std::vector<std::byte> start = EncodePageHeader(&header);
  const auto write = [&]() -> Status {
    AC_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(temporary, OpenMode::kCreate));
    AC_RETURN_IF_ERROR(file->WriteAt(0, start));
    for (size_t at = 0; at < payload.size(); at += kPieceBytes) {
      const auto piece = payload.subspan(at, std::min(kPieceBytes, payload.size() - at));
      AC_RETURN_IF_ERROR(file->WriteAt(start.size() + at, piece));
      if (after_piece) after_piece();
    }
    return OkStatus();
  };
  Status status = write();
  // No sync: after a power cut a file may hold too little, and its checksums say so.
  if (status.ok()) status = fs.Rename(temporary, path);
  if (!status.ok()) (void)fs.Remove(temporary);
  return status;
}

Result<PageHeader> ReadPageHeader(File& file) {
  std::vector<std::byte> bytes(kPageHeaderBytes);
  AC_RETURN_IF_ERROR(file.ReadAt(0, bytes));
  AC_ASSIGN_OR_RETURN(const size_t size, PageHeaderSize(bytes));
  AC_ASSIGN_OR_RETURN(const uint64_t file_size, file.Size());
  if (size > file_size) return DataLoss("[kv] the file ends in its tokens");
  bytes.resize(size);
  AC_RETURN_IF_ERROR(file.ReadAt(kPageHeaderBytes, std::span(bytes).subspan(kPageHeaderBytes)));
  return ParsePageHeader(bytes);
}

Status ReadPayload(File& file, const PageHeader& header, std::span<std::byte> out) {
  if (header.payload_bytes != out.size()) return DataLoss("[kv] the payload has another size");
  AC_RETURN_IF_ERROR(file.ReadAt(header.payload_offset, out));
  if (Hash64(out.data(), out.size()) != header.payload_hash) {
    return DataLoss("[kv] the payload's checksum is wrong");
  }
  return OkStatus();
}

}  // namespace ac::kv
