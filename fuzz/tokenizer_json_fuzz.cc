// tokenizer.json is an untrusted file: whatever it holds is refused or becomes a working tokenizer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A 0 byte separates tokenizer.json from tokenizer_config.json.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  const std::string_view config = cut == std::string_view::npos ? "" : input.substr(cut + 1);
  auto spec = ac::tokenizer::SpecFromTokenizerJson(input.substr(0, cut), config);
  if (!spec.ok()) return 0;
  auto tokenizer = ac::tokenizer::Tokenizer::Create(*std::move(spec));
  if (!tokenizer.ok()) return 0;
  const auto ids = (*tokenizer)->Encode(" ab\n\xC3\xA9\xFF<s>", {true, true});
  for (const int32_t id : ids) {
    if (id < 0 || id >= (*tokenizer)->vocab_size()) std::abort();
  }
  (void)(*tokenizer)->Decode(ids);
  return 0;
}
