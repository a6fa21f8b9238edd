// What a site sends, as HTML: the text is valid UTF-8, no longer than asked for, holds no control
// character, and a larger limit only adds to it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "web/page_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view html(reinterpret_cast<const char*>(data), size);
  const ac::http::Url page = *ac::http::Url::Parse("https://site.example/a/b?c");
  constexpr size_t kLimit = 200;
  const ac::web::PageText small = ac::web::ReadHtml(html, page, kLimit);
  const ac::web::PageText large = ac::web::ReadHtml(html, page, 100 * kLimit);
  if (!ac::IsValidUtf8(small.text) || !ac::IsValidUtf8(small.title)) std::abort();
  if (!ac::IsValidUtf8(large.text)) std::abort();
  if (small.text.size() > kLimit || !large.text.starts_with(small.text)) std::abort();
  for (const char c : large.text) {
    if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') std::abort();
  }
  const std::string latin = ac::web::ToUtf8(html, "iso-8859-1");
  if (!ac::IsValidUtf8(latin)) std::abort();
  return 0;
}
