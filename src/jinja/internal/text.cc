#include "jinja/internal/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace ac::jinja {
namespace {

// Characters whose upper or title case is more than one character (Unicode SpecialCasing, without
// conditions): the character, up to three of its upper case, up to three of its title case.
// clang-format off
constexpr uint32_t kSpecialCases[][7] = {
    {0xDF, 0x53, 0x53, 0, 0x53, 0x73, 0}, {0x149, 0x2BC, 0x4E, 0, 0x2BC, 0x4E, 0},
    {0x1F0, 0x4A, 0x30C, 0, 0x4A, 0x30C, 0}, {0x390, 0x399, 0x308, 0x301, 0x399, 0x308, 0x301},
    {0x3B0, 0x3A5, 0x308, 0x301, 0x3A5, 0x308, 0x301}, {0x587, 0x535, 0x552, 0, 0x535, 0x582, 0},
    {0x1E96, 0x48, 0x331, 0, 0x48, 0x331, 0}, {0x1E97, 0x54, 0x308, 0, 0x54, 0x308, 0},
    {0x1E98, 0x57, 0x30A, 0, 0x57, 0x30A, 0}, {0x1E99, 0x59, 0x30A, 0, 0x59, 0x30A, 0},
    {0x1E9A, 0x41, 0x2BE, 0, 0x41, 0x2BE, 0}, {0x1F50, 0x3A5, 0x313, 0, 0x3A5, 0x313, 0},
    {0x1F52, 0x3A5, 0x313, 0x300, 0x3A5, 0x313, 0x300}, {0x1F54, 0x3A5, 0x313, 0x301, 0x3A5, 0x313, 0x301},
    {0x1F56, 0x3A5, 0x313, 0x342, 0x3A5, 0x313, 0x342}, {0x1F80, 0x1F08, 0x399, 0, 0x1F88, 0, 0},
    {0x1F81, 0x1F09, 0x399, 0, 0x1F89, 0, 0}, {0x1F82, 0x1F0A, 0x399, 0, 0x1F8A, 0, 0},
    {0x1F83, 0x1F0B, 0x399, 0, 0x1F8B, 0, 0}, {0x1F84, 0x1F0C, 0x399, 0, 0x1F8C, 0, 0},
    {0x1F85, 0x1F0D, 0x399, 0, 0x1F8D, 0, 0}, {0x1F86, 0x1F0E, 0x399, 0, 0x1F8E, 0, 0},
    {0x1F87, 0x1F0F, 0x399, 0, 0x1F8F, 0, 0}, {0x1F88, 0x1F08, 0x399, 0, 0x1F88, 0, 0},
    {0x1F89, 0x1F09, 0x399, 0, 0x1F89, 0, 0}, {0x1F8A, 0x1F0A, 0x399, 0, 0x1F8A, 0, 0},
    {0x1F8B, 0x1F0B, 0x399, 0, 0x1F8B, 0, 0}, {0x1F8C, 0x1F0C, 0x399, 0, 0x1F8C, 0, 0},
    {0x1F8D, 0x1F0D, 0x399, 0, 0x1F8D, 0, 0}, {0x1F8E, 0x1F0E, 0x399, 0, 0x1F8E, 0, 0},
    {0x1F8F, 0x1F0F, 0x399, 0, 0x1F8F, 0, 0}, {0x1F90, 0x1F28, 0x399, 0, 0x1F98, 0, 0},
    {0x1F91, 0x1F29, 0x399, 0, 0x1F99, 0, 0}, {0x1F92, 0x1F2A, 0x399, 0, 0x1F9A, 0, 0},
    {0x1F93, 0x1F2B, 0x399, 0, 0x1F9B, 0, 0}, {0x1F94, 0x1F2C, 0x399, 0, 0x1F9C, 0, 0},
    {0x1F95, 0x1F2D, 0x399, 0, 0x1F9D, 0, 0}, {0x1F96, 0x1F2E, 0x399, 0, 0x1F9E, 0, 0},
    {0x1F97, 0x1F2F, 0x399, 0, 0x1F9F, 0, 0}, {0x1F98, 0x1F28, 0x399, 0, 0x1F98, 0, 0},
    {0x1F99, 0x1F29, 0x399, 0, 0x1F99, 0, 0}, {0x1F9A, 0x1F2A, 0x399, 0, 0x1F9A, 0, 0},
    {0x1F9B, 0x1F2B, 0x399, 0, 0x1F9B, 0, 0}, {0x1F9C, 0x1F2C, 0x399, 0, 0x1F9C, 0, 0},
    {0x1F9D, 0x1F2D, 0x399, 0, 0x1F9D, 0, 0}, {0x1F9E, 0x1F2E, 0x399, 0, 0x1F9E, 0, 0},
    {0x1F9F, 0x1F2F, 0x399, 0, 0x1F9F, 0, 0}, {0x1FA0, 0x1F68, 0x399, 0, 0x1FA8, 0, 0},
    {0x1FA1, 0x1F69, 0x399, 0, 0x1FA9, 0, 0}, {0x1FA2, 0x1F6A, 0x399, 0, 0x1FAA, 0, 0},
    {0x1FA3, 0x1F6B, 0x399, 0, 0x1FAB, 0, 0}, {0x1FA4, 0x1F6C, 0x399, 0, 0x1FAC, 0, 0},
    {0x1FA5, 0x1F6D, 0x399, 0, 0x1FAD, 0, 0}, {0x1FA6, 0x1F6E, 0x399, 0, 0x1FAE, 0, 0},
    {0x1FA7, 0x1F6F, 0x399, 0, 0x1FAF, 0, 0}, {0x1FA8, 0x1F68, 0x399, 0, 0x1FA8, 0, 0},
    {0x1FA9, 0x1F69, 0x399, 0, 0x1FA9, 0, 0}, {0x1FAA, 0x1F6A, 0x399, 0, 0x1FAA, 0, 0},
    {0x1FAB, 0x1F6B, 0x399, 0, 0x1FAB, 0, 0}, {0x1FAC, 0x1F6C, 0x399, 0, 0x1FAC, 0, 0},
    {0x1FAD, 0x1F6D, 0x399, 0, 0x1FAD, 0, 0}, {0x1FAE, 0x1F6E, 0x399, 0, 0x1FAE, 0, 0},
    {0x1FAF, 0x1F6F, 0x399, 0, 0x1FAF, 0, 0}, {0x1FB2, 0x1FBA, 0x399, 0, 0x1FBA, 0x345, 0},
    {0x1FB3, 0x391, 0x399, 0, 0x1FBC, 0, 0}, {0x1FB4, 0x386, 0x399, 0, 0x386, 0x345, 0},
    {0x1FB6, 0x391, 0x342, 0, 0x391, 0x342, 0}, {0x1FB7, 0x391, 0x342, 0x399, 0x391, 0x342, 0x345},
    {0x1FBC, 0x391, 0x399, 0, 0x1FBC, 0, 0}, {0x1FC2, 0x1FCA, 0x399, 0, 0x1FCA, 0x345, 0},
    {0x1FC3, 0x397, 0x399, 0, 0x1FCC, 0, 0}, {0x1FC4, 0x389, 0x399, 0, 0x389, 0x345, 0},
    {0x1FC6, 0x397, 0x342, 0, 0x397, 0x342, 0}, {0x1FC7, 0x397, 0x342, 0x399, 0x397, 0x342, 0x345},
    {0x1FCC, 0x397, 0x399, 0, 0x1FCC, 0, 0}, {0x1FD2, 0x399, 0x308, 0x300, 0x399, 0x308, 0x300},
    {0x1FD3, 0x399, 0x308, 0x301, 0x399, 0x308, 0x301}, {0x1FD6, 0x399, 0x342, 0, 0x399, 0x342, 0},
    {0x1FD7, 0x399, 0x308, 0x342, 0x399, 0x308, 0x342}, {0x1FE2, 0x3A5, 0x308, 0x300, 0x3A5, 0x308, 0x300},
    {0x1FE3, 0x3A5, 0x308, 0x301, 0x3A5, 0x308, 0x301}, {0x1FE4, 0x3A1, 0x313, 0, 0x3A1, 0x313, 0},
    {0x1FE6, 0x3A5, 0x342, 0, 0x3A5, 0x342, 0}, {0x1FE7, 0x3A5, 0x308, 0x342, 0x3A5, 0x308, 0x342},
    {0x1FF2, 0x1FFA, 0x399, 0, 0x1FFA, 0x345, 0}, {0x1FF3, 0x3A9, 0x399, 0, 0x1FFC, 0, 0},
    {0x1FF4, 0x38F, 0x399, 0, 0x38F, 0x345, 0}, {0x1FF6, 0x3A9, 0x342, 0, 0x3A9, 0x342, 0},
    {0x1FF7, 0x3A9, 0x342, 0x399, 0x3A9, 0x342, 0x345}, {0x1FFC, 0x3A9, 0x399, 0, 0x1FFC, 0, 0},
    {0xFB00, 0x46, 0x46, 0, 0x46, 0x66, 0}, {0xFB01, 0x46, 0x49, 0, 0x46, 0x69, 0},
    {0xFB02, 0x46, 0x4C, 0, 0x46, 0x6C, 0}, {0xFB03, 0x46, 0x46, 0x49, 0x46, 0x66, 0x69},
    {0xFB04, 0x46, 0x46, 0x4C, 0x46, 0x66, 0x6C}, {0xFB05, 0x53, 0x54, 0, 0x53, 0x74, 0},
    {0xFB06, 0x53, 0x54, 0, 0x53, 0x74, 0}, {0xFB13, 0x544, 0x546, 0, 0x544, 0x576, 0},
    {0xFB14, 0x544, 0x535, 0, 0x544, 0x565, 0}, {0xFB15, 0x544, 0x53B, 0, 0x544, 0x56B, 0},
    {0xFB16, 0x54E, 0x546, 0, 0x54E, 0x576, 0}, {0xFB17, 0x544, 0x53D, 0, 0x544, 0x56D, 0},
};
// clang-format on

const uint32_t* FindSpecialCase(uint32_t code_point) {
  const auto* found =
      std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), code_point,
                       [](const uint32_t(&row)[7], uint32_t wanted) { return row[0] < wanted; });
  return found != std::end(kSpecialCases) && (*found)[0] == code_point ? *found : nullptr;
}

void AppendThree(const uint32_t* code_points, std::string* out) {
  for (int i = 0; i < 3 && code_points[i] != 0; ++i) AppendUtf8(code_points[i], out);
}

void AppendUpper(uint32_t code_point, std::string* out) {
  if (const uint32_t* special = FindSpecialCase(code_point)) return AppendThree(special + 1, out);
  AppendUtf8(static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point))),
             out);
}

void AppendTitle(uint32_t code_point, std::string* out) {
  if (const uint32_t* special = FindSpecialCase(code_point)) return AppendThree(special + 4, out);
  AppendUtf8(static_cast<uint32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code_point))),
             out);
}

utf8proc_category_t Category(uint32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
}

bool IsCased(uint32_t code_point) {
  const auto category = Category(code_point);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

// Skipped when looking for the letters around a capital sigma.
bool IsCaseIgnorable(uint32_t code_point) {
  if (code_point == '\'' || code_point == '.' || code_point == ':' || code_point == 0xB7 ||
      code_point == 0x2019) {
    return true;
  }
  switch (Category(code_point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return false;
  }
}

// A sigma that ends a word has a lower case form of its own.
bool IsFinalSigma(std::string_view before, std::string_view after) {
  bool cased_before = false;
  ForEachCodePoint(before, [&](uint32_t c, std::string_view) {
    if (!IsCaseIgnorable(c)) cased_before = IsCased(c);
    return true;
  });
  if (!cased_before) return false;
  bool cased_after = false;
  ForEachCodePoint(after, [&](uint32_t c, std::string_view) {
    if (IsCaseIgnorable(c)) return true;
    cased_after = IsCased(c);
    return false;
  });
  return !cased_after;
}

constexpr uint32_t kCapitalSigma = 0x3A3, kFinalSigma = 0x3C2, kCapitalIWithDot = 0x130;

void AppendLower(uint32_t code_point, std::string_view whole, std::string_view piece,
                 std::string* out) {
  if (code_point == kCapitalIWithDot) {
    *out += "i\xCC\x87";
  } else if (code_point == kCapitalSigma) {
    const auto at = static_cast<size_t>(piece.data() - whole.data());
    const bool final = IsFinalSigma(whole.substr(0, at), whole.substr(at + piece.size()));
    AppendUtf8(final ? kFinalSigma : 0x3C3, out);
  } else {
    AppendUtf8(static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))),
               out);
  }
}

// Ill-formed bytes stay as they are.
bool KeepIllFormed(uint32_t code_point, std::string_view piece, std::string* out) {
  if (code_point != 0xFFFD || piece == "\xEF\xBF\xBD") return false;
  *out += piece;
  return true;
}

bool IsLineBreak(uint32_t c) {
  return c == '\n' || c == '\r' || c == 0x0B || c == 0x0C || (c >= 0x1C && c <= 0x1E) ||
         c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

bool IsAscii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

size_t CountCodePoints(std::string_view text) {
  if (IsAscii(text)) return text.size();
  size_t count = 0;
  ForEachCodePoint(text, [&](uint32_t, std::string_view) {
    ++count;
    return true;
  });
  return count;
}

size_t ByteOffset(std::string_view text, size_t index) {
  size_t offset = 0;
  while (index > 0 && offset < text.size()) {
    offset += (text[offset] & 0x80) == 0 ? size_t{1} : DecodeUtf8(text, offset).length;
    --index;
  }
  return offset;
}

bool IsSpace(uint32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsAlpha(uint32_t c) {
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool IsDecimal(uint32_t c) { return Category(c) == UTF8PROC_CATEGORY_ND; }

// Superscripts, subscripts and the digits in circles and brackets, below ten.
bool IsDigit(uint32_t c) {
  return IsDecimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
         (c >= 0x1369 && c <= 0x1371) || c == 0x19DA || (c >= 0x2460 && c <= 0x2468) ||
         (c >= 0x2474 && c <= 0x247C) || (c >= 0x2488 && c <= 0x2490) || c == 0x24EA ||
         (c >= 0x24F5 && c <= 0x24FD) || c == 0x24FF || (c >= 0x2776 && c <= 0x277E) ||
         (c >= 0x2780 && c <= 0x2788) || (c >= 0x278A && c <= 0x2792);
}

bool IsNumeric(uint32_t c) {
  const auto category = Category(c);
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_NO;
}

bool IsPrintable(uint32_t c) {
  if (c < 0x7F) return c >= 0x20;
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool IsWord(uint32_t c) { return c == '_' || IsAlpha(c) || IsNumeric(c); }
bool IsLowerCase(uint32_t c) { return utf8proc_islower(static_cast<utf8proc_int32_t>(c)) != 0; }
bool IsUpperCase(uint32_t c) {
  return utf8proc_isupper(static_cast<utf8proc_int32_t>(c)) != 0 && !IsTitleCase(c);
}
bool IsTitleCase(uint32_t c) { return Category(c) == UTF8PROC_CATEGORY_LT; }

bool IsUpperText(std::string_view text) {
  bool found = false, others = false;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view) {
    found = found || IsUpperCase(c);
    others = others || IsLowerCase(c) || IsTitleCase(c);
    return !others;
  });
  return found && !others;
}

bool IsLowerText(std::string_view text) {
  bool found = false, others = false;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view) {
    found = found || IsLowerCase(c);
    others = others || IsUpperCase(c) || IsTitleCase(c);
    return !others;
  });
  return found && !others;
}

bool IsTitleText(std::string_view text) {
  bool found = false, in_word = false, wrong = false;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view) {
    const bool starts = IsUpperCase(c) || IsTitleCase(c), goes_on = IsLowerCase(c);
    wrong = (starts && in_word) || (goes_on && !in_word);
    found = found || starts;
    in_word = starts || goes_on;
    return !wrong;
  });
  return found && !wrong;
}

std::string Upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (c < 0x80) {
      out.push_back(static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c));
    } else if (!KeepIllFormed(c, piece, &out)) {
      AppendUpper(c, &out);
    }
    return true;
  });
  return out;
}

std::string Lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (c < 0x80) {
      out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    } else if (!KeepIllFormed(c, piece, &out)) {
      AppendLower(c, text, piece, &out);
    }
    return true;
  });
  return out;
}

std::string Capitalize(std::string_view text) {
  std::string out;
  bool first = true;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (!KeepIllFormed(c, piece, &out)) {
      first ? AppendTitle(c, &out) : AppendLower(c, text, piece, &out);
    }
    first = false;
    return true;
  });
  return out;
}

std::string Title(std::string_view text) {
  std::string out;
  bool in_word = false;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (!KeepIllFormed(c, piece, &out)) {
      in_word ? AppendLower(c, text, piece, &out) : AppendTitle(c, &out);
    }
    in_word = IsCased(c);
    return true;
  });
  return out;
}

std::string SwapCase(std::string_view text) {
  std::string out;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (KeepIllFormed(c, piece, &out)) return true;
    if (IsUpperCase(c)) {
      AppendLower(c, text, piece, &out);
    } else if (IsLowerCase(c)) {
      AppendUpper(c, &out);
    } else {
      out += piece;
    }
    return true;
  });
  return out;
}

std::string CaseFold(std::string_view text) {
  std::string out;
  ForEachCodePoint(text, [&](uint32_t c, std::string_view piece) {
    if (KeepIllFormed(c, piece, &out)) return true;
    std::array<utf8proc_int32_t, 8> folded;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded.data(),
                                               static_cast<utf8proc_ssize_t>(folded.size()),
                                               UTF8PROC_CASEFOLD, nullptr);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      AppendUtf8(static_cast<uint32_t>(folded[static_cast<size_t>(i)]), &out);
    }
    return true;
  });
  return out;
}

std::string_view Strip(std::string_view text, Side side,
                       std::optional<std::string_view> characters) {
  const auto strips = [&](std::string_view piece, uint32_t c) {
    return characters ? characters->find(piece) != std::string_view::npos : IsSpace(c);
  };
  if (side != Side::kRight) {
    size_t start = 0;
    while (start < text.size()) {
      const Utf8Char c = DecodeUtf8(text, start);
      if (!strips(text.substr(start, c.length), c.code_point)) break;
      start += c.length;
    }
    text.remove_prefix(start);
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      size_t last = text.size() - 1;
      while (last > 0 && text.size() - last < 4 && (text[last] & 0xC0) == 0x80) --last;
      Utf8Char c = DecodeUtf8(text, last);
      if (last + c.length != text.size()) {  // ill-formed: take one byte
        last = text.size() - 1;
        c = DecodeUtf8(text, last);
      }
      if (!strips(text.substr(last), c.code_point)) break;
      text.remove_suffix(text.size() - last);
    }
  }
  return text;
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (!IsLineBreak(c.code_point)) {
      i += c.length;
      continue;
    }
    size_t next = i + c.length;
    if (c.code_point == '\r' && next < text.size() && text[next] == '\n') ++next;
    lines.push_back(text.substr(start, (keep_ends ? next : i) - start));
    start = i = next;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::string Replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t count) {
  std::string out;
  size_t position = 0;
  if (from.empty()) {  // before every character and at the end
    while (count != 0) {
      out += to;
      --count;
      if (position >= text.size()) return out;
      const size_t length = DecodeUtf8(text, position).length;
      out += text.substr(position, length);
      position += length;
    }
    out += text.substr(position);
    return out;
  }
  while (count != 0) {
    const size_t found = text.find(from, position);
    if (found == std::string_view::npos) break;
    out += text.substr(position, found - position);
    out += to;
    position = found + from.size();
    --count;
  }
  out += text.substr(position);
  return out;
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace ac::jinja
