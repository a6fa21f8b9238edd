#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace ac {
namespace {

// The pseudo-random buffer of the reference implementation's own self-test.
std::vector<uint8_t> SanityBuffer(size_t size) {
  std::vector<uint8_t> buffer(size);
  uint64_t generator = 2654435761u;
  for (uint8_t& byte : buffer) {
    byte = static_cast<uint8_t>(generator >> 56);
    generator *= 11400714785074694797u;
  }
  return buffer;
}

// Values that XXH3 publishes for that buffer: a change of the hash would orphan every cache on
// disk.
TEST(Hash, MatchesThePublishedValues) {
  const std::vector<uint8_t> buffer = SanityBuffer(256);
  EXPECT_EQ(Hash64(buffer.data(), 0), 0x2D06800538D394C2u);
  EXPECT_EQ(Hash64(buffer.data(), 1), 0xC44BDFF4074EECDBu);
  EXPECT_EQ(Hash64(buffer.data(), 6), 0x27B56A84CD2D7325u);
  EXPECT_EQ(Hash64(buffer.data(), 12), 0xA713DAF0DFBB77E7u);
  EXPECT_EQ(Hash64(buffer.data(), 24), 0xA3FE70BF9D3510EBu);
  EXPECT_EQ(Hash64(buffer.data(), 48), 0x397DA259ECBA1F11u);
  EXPECT_EQ(Hash64(buffer.data(), 80), 0xBCDEFBBB2C47C90Au);
  EXPECT_EQ(Hash64(buffer.data(), 195), 0xCD94217EE362EC3Au);
  EXPECT_EQ(Hash128Of(buffer.data(), 0).ToHex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, SeedsAndContentsChangeIt) {
  std::set<uint64_t> seen;
  std::set<std::string> seen_wide;
  std::string text(300, 'x');
  for (size_t size = 0; size <= text.size(); ++size) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      seen.insert(Hash64(std::string_view(text).substr(0, size), seed));
      seen_wide.insert(Hash128Of(text.data(), size, seed).ToHex());
    }
  }
  EXPECT_EQ(seen.size(), 301u * 3u);
  EXPECT_EQ(seen_wide.size(), 301u * 3u);
}

TEST(Hash, HexKeepsLeadingZeros) {
  EXPECT_EQ((Hash128{.high = 0x1, .low = 0xABC}).ToHex(), "00000000000000010000000000000abc");
}

}  // namespace
}  // namespace ac
