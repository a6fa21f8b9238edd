#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ac {

std::string Hash128::ToHex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(32);
  for (uint64_t half : {high, low}) {
    for (int shift = 60; shift >= 0; shift -= 4) hex += kDigits[(half >> shift) & 15];
  }
  return hex;
}

uint64_t Hash64(const void* data, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(data, size, seed);
}

Hash128 Hash128Of(const void* data, size_t size, uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
  return {hash.high64, hash.low64};
}

}  // namespace ac
