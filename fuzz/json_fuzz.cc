// JSON text of any bytes: the whole parser, the writer and the parser of streamed pieces. The first
// byte picks where the text is split.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/json.h"
#include "json/partial.h"

using ac::json::Parse;
using ac::json::PartialParser;

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckCompletion(const PartialParser& parser) {
  const std::string completed = parser.Completed();
  Check(completed.empty() || Parse(completed).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t split = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  const ac::Result<ac::json::Value> whole = Parse(text);
  if (whole.ok()) {
    const std::string written = ac::json::Write(*whole);
    const ac::Result<ac::json::Value> again = Parse(written);
    Check(again.ok() && ac::json::Write(*again) == written);
    Check(Parse(ac::json::WritePretty(*whole)).ok());
  }

  PartialParser parser;
  ac::Result<size_t> used = parser.Feed(text.substr(0, split));
  CheckCompletion(parser);
  if (used.ok() && !parser.complete() && text.size() > split) {
    const size_t before = *used;
    used = parser.Feed(text.substr(split));
    if (used.ok()) used = before + *used;
    CheckCompletion(parser);
  }
  bool accepted = used.ok() && parser.Finish().ok();
  if (accepted && text.find_first_not_of(" \t\r\n", *used) != std::string_view::npos)
    accepted = false;
  const bool over_limit = !used.ok() && used.status().code() == ac::Code::kTooLarge;
  Check(over_limit || accepted == whole.ok());
  return 0;
}
