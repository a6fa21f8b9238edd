// The header of a page file: as it comes, and with its checksum made right, as a file would have
// that somebody made to look good. What is accepted must encode to the same bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "base/hash.h"
#include "kv/page_file.h"

namespace {

constexpr size_t kHashAt = ac::kv::kPageHeaderBytes - 8;

void Check(std::span<const std::byte> bytes) {
  const auto size = ac::kv::PageHeaderSize(bytes);
  auto header = ac::kv::ParsePageHeader(bytes);
  if (!header.ok()) return;
  if (!size.ok() || *size > bytes.size()) std::abort();
  const std::vector<std::byte> again = ac::kv::EncodePageHeader(&*header);
  if (std::memcmp(again.data(), bytes.data(), *size) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  Check(bytes);
  const auto header_size = ac::kv::PageHeaderSize(bytes);
  if (!header_size.ok() || *header_size > size) return 0;
  const uint64_t own = ac::Hash64(bytes.data(), kHashAt);
  const uint64_t hash = ac::Hash64(bytes.data() + ac::kv::kPageHeaderBytes,
                                   *header_size - ac::kv::kPageHeaderBytes, own);
  std::memcpy(bytes.data() + kHashAt, &hash, sizeof(hash));
  Check(bytes);
  return 0;
}
