// What a model reads of a page: its words in the order of the source, with headings, lists and
// links.
//
// HTML in the wild is broken, so this is one pass over the bytes that never fails: no tree, no
// scripts, no styles. The input is hostile; the output is valid UTF-8 of a bounded size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/url.h"

namespace ac::web {

struct PageText {
  std::string title;
  std::string text;
  bool cut = false;  // there was more than `max_bytes`
};

// `page` is where the bytes came from: links are told relative to it.
PageText ReadHtml(std::string_view html, const http::Url& page, size_t max_bytes);

// Bytes in the named character set as UTF-8; an unknown set is taken for UTF-8 and repaired.
std::string ToUtf8(std::string_view bytes, std::string_view charset);

// At most `max_bytes` of a text, whole characters.
std::string_view CutText(std::string_view text, size_t max_bytes);

}  // namespace ac::web
