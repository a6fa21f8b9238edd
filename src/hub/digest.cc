#include "hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace ac::hub {
namespace {

constexpr size_t kBlock = size_t{1} << 20;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string Hex(const unsigned char* bytes, unsigned count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

}  // namespace

Result<std::string> FileDigest(FileSystem& fs, const std::string& path, DigestKind kind,
                               const std::function<void(uint64_t, uint64_t)>& progress) {
  AC_ASSIGN_OR_RETURN(const auto file, fs.Open(path, OpenMode::kRead));
  AC_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  if (context == nullptr || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) {
    return Internal("[hub] the digest is not available in this OpenSSL");
  }
  if (kind == DigestKind::kGitBlob) {
    const std::string head = "blob " + std::to_string(size);
    EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1);  // with its NUL
  }
  std::vector<std::byte> block(kBlock);
  for (uint64_t done = 0; done < size;) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(kBlock, size - done));
    AC_RETURN_IF_ERROR(file->ReadAt(done, std::span(block).first(count)));
    EVP_DigestUpdate(context.get(), block.data(), count);
    done += count;
    if (progress) progress(done, size);
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest, &length);
  return Hex(digest, length);
}

}  // namespace ac::hub
