#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ac {
namespace {

bool IsSurrogate(uint32_t c) { return c >= 0xD800 && c < 0xE000; }

std::string Encoded(uint32_t code_point) {
  std::string out;
  AppendUtf8(code_point, &out);
  return out;
}

// The definition, written as arithmetic: decode without looking at ranges, then ask whether this is
// the one encoding of a scalar value.
bool IsOneCharacter(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  for (size_t i = 1; i < bytes.size(); ++i) {
    if ((at(i) & 0xC0) != 0x80) return false;
  }
  switch (bytes.size()) {
    case 1:
      return at(0) < 0x80;
    case 2:
      return (at(0) & 0xE0) == 0xC0 && (((at(0) & 0x1F) << 6) | (at(1) & 0x3F)) >= 0x80;
    case 3: {
      const uint32_t c = ((at(0) & 0x0F) << 12) | ((at(1) & 0x3F) << 6) | (at(2) & 0x3F);
      return (at(0) & 0xF0) == 0xE0 && c >= 0x800 && !IsSurrogate(c);
    }
    case 4: {
      const uint32_t c =
          ((at(0) & 0x07) << 18) | ((at(1) & 0x3F) << 12) | ((at(2) & 0x3F) << 6) | (at(3) & 0x3F);
      return (at(0) & 0xF8) == 0xF0 && c >= 0x10000 && c <= 0x10FFFF;
    }
    default:
      return false;
  }
}

TEST(Utf8, EveryScalarValueSurvivesARoundTrip) {
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (IsSurrogate(c)) continue;
    const std::string text = Encoded(c);
    const Utf8Char decoded = DecodeUtf8(text, 0);
    ASSERT_TRUE(decoded.valid) << c;
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, text.size());
  }
}

TEST(Utf8, EveryStringOfUpToThreeBytesIsJudgedByTheDefinition) {
  std::string text;
  for (size_t length = 1; length <= 3; ++length) {
    text.assign(length, '\0');
    for (uint32_t n = 0; n < (1u << (8 * length)); ++n) {
      // Three bytes: only leads of three or more bytes are new compared with two.
      if (length == 3 && (n & 0xFF) < 0xE0) continue;
      for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>(n >> (8 * i));
      const Utf8Char c = DecodeUtf8(text, 0);
      bool expected = false;
      for (size_t prefix = 1; prefix <= length; ++prefix) {
        expected = expected || IsOneCharacter(std::string_view(text).substr(0, prefix));
      }
      ASSERT_EQ(c.valid, expected) << std::hex << n;
      ASSERT_GE(c.length, 1);
    }
  }
}

TEST(Utf8, FourByteSequencesAreJudgedByTheDefinition) {
  std::string text(4, '\0');
  for (uint32_t lead = 0xEF; lead <= 0xFF; ++lead) {
    for (uint32_t second = 0; second <= 0xFF; ++second) {
      for (const uint32_t third : {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF}) {
        for (const uint32_t fourth : {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF}) {
          const uint32_t bytes[] = {lead, second, third, fourth};
          for (size_t i = 0; i < 4; ++i) text[i] = static_cast<char>(bytes[i]);
          const Utf8Char c = DecodeUtf8(text, 0);
          const bool expected =
              IsOneCharacter(text) || IsOneCharacter(std::string_view(text).substr(0, 3));
          ASSERT_EQ(c.valid, expected) << std::hex << lead << " " << second;
        }
      }
    }
  }
}

// Tables 3-8 to 3-11 of the Unicode standard: how many U+FFFD ill-formed text becomes.
TEST(Utf8, RepairsAsTheUnicodeStandardShows) {
  const std::string r = "\xEF\xBF\xBD";
  const auto times = [&](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += r;
    return out;
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", times(8) + "A"},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", times(8) + "A"},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", times(5) + "A" + times(2) + "B"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", times(4) + "A"},
      {"plain", "plain"},
      {"\xC3\xA9\xC3", "\xC3\xA9" + r},
      {"", ""},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(RepairUtf8(text), expected);
    EXPECT_TRUE(IsValidUtf8(RepairUtf8(text)));
    EXPECT_EQ(IsValidUtf8(text), text == expected);
  }
}

TEST(Utf8, NumbersThatAreNoCharacterAppendTheReplacement) {
  for (const uint32_t c : {0xD800u, 0xDBFFu, 0xDC00u, 0xDFFFu, 0x110000u, 0xFFFFFFFFu}) {
    EXPECT_EQ(Encoded(c), "\xEF\xBF\xBD") << c;
  }
}

TEST(Utf8, TheEndOfTheTextIsNoCharacter) {
  EXPECT_EQ(DecodeUtf8("abc", 3).length, 0);
  EXPECT_EQ(DecodeUtf8("", 0).length, 0);
  EXPECT_FALSE(DecodeUtf8("abc", 99).valid);
}

TEST(Utf8, EveryCutCharacterIsAnIncompleteSuffix) {
  for (uint32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 37) {
    if (IsSurrogate(c)) continue;
    const std::string text = "a" + Encoded(c);
    EXPECT_EQ(IncompleteUtf8Suffix(text), 0u) << c;
    for (size_t cut = 2; cut < text.size(); ++cut) {
      EXPECT_EQ(IncompleteUtf8Suffix(text.substr(0, cut)), cut - 1) << c;
      EXPECT_EQ(IncompleteUtf8Suffix(text.substr(1, cut - 1)), cut - 1) << c;
    }
  }
}

TEST(Utf8, WhatCannotBeCompletedIsNoIncompleteSuffix) {
  for (const char* text : {"", "a", "\x80", "\xC0", "\xC1", "\xF5", "\xFF", "\xE0\x80", "\xED\xA0",
                           "\xF0\x8F", "\xF4\x90", "\xF0\x80\x80", "\xE2\x82\xAC\x80"}) {
    EXPECT_EQ(IncompleteUtf8Suffix(text), 0u) << RepairUtf8(text);
  }
}

}  // namespace
}  // namespace ac
