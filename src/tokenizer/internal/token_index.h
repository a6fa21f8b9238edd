// Bytes -> token id, for looking up words while encoding.
//
// The table stores ids only; the bytes stay with the owner, which passes them to every call. Filled
// once, then read-only and thread-safe.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace ac::tokenizer::internal {

// A fast hash for words of a few bytes: XXH3 behind a call costs more than the whole look-up.
inline uint64_t HashWord(std::string_view word) {
  constexpr uint64_t kMul1 = 0x9E3779B97F4A7C15u;
  constexpr uint64_t kMul2 = 0xC2B2AE3D27D4EB4Fu;
  const char* p = word.data();
  size_t n = word.size();
  const auto load8 = [](const char* from) {
    uint64_t v;
    std::memcpy(&v, from, 8);
    return v;
  };
  const auto load4 = [](const char* from) {
    uint32_t v;
    std::memcpy(&v, from, 4);
    return static_cast<uint64_t>(v);
  };
  uint64_t h = n * kMul2;
  for (; n > 16; n -= 8, p += 8) h = std::rotl((h ^ load8(p)) * kMul1, 29);
  uint64_t a = 0;
  uint64_t b = 0;
  if (n >= 8) {
    a = load8(p);
    b = load8(p + n - 8);
  } else if (n >= 4) {
    a = load4(p);
    b = load4(p + n - 4);
  } else if (n > 0) {
    a = static_cast<uint8_t>(p[0]) | static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << 8 |
        static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << 16;
  }
  h = (h ^ a) * kMul1;
  h = (std::rotl(h, 32) ^ b) * kMul2;
  return h ^ (h >> 29);
}

class TokenIndex {
 public:
  void Reserve(size_t count) {
    slots_.assign(std::bit_ceil(count * 2 + 16), Slot{});
    mask_ = slots_.size() - 1;
  }

  // False when the same bytes are there already. `bytes_of(id)` gives the bytes of a stored id.
  template <typename BytesOf>
  bool Insert(std::string_view bytes, int32_t id, const BytesOf& bytes_of) {
    const uint64_t hash = HashWord(bytes);
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].id < 0) {
        slots_[i] = {static_cast<uint32_t>(hash >> 32), id};
        return true;
      }
      if (slots_[i].tag == hash >> 32 && bytes_of(slots_[i].id) == bytes) return false;
    }
  }

  template <typename BytesOf>
  int32_t Find(std::string_view bytes, uint64_t hash, const BytesOf& bytes_of) const {
    for (size_t i = hash & mask_; slots_[i].id >= 0; i = (i + 1) & mask_) {
      if (slots_[i].tag == hash >> 32 && bytes_of(slots_[i].id) == bytes) return slots_[i].id;
    }
    return -1;
  }

 private:
  struct Slot {
    uint32_t tag = 0;
    int32_t id = -1;
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

}  // namespace ac::tokenizer::internal
