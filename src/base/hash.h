// 64- and 128-bit content hashes (XXH3). Not for secrets: an attacker can make collisions, so a
// hash finds candidates and the content itself is compared before it is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ac {

struct Hash128 {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
  std::string ToHex() const;  // 32 lower-case digits
};

uint64_t Hash64(const void* data, size_t size, uint64_t seed = 0);
inline uint64_t Hash64(std::string_view text, uint64_t seed = 0) {
  return Hash64(text.data(), text.size(), seed);
}
Hash128 Hash128Of(const void* data, size_t size, uint64_t seed = 0);

}  // namespace ac
