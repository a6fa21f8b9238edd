// Guarding a text and cleaning it gives the text back, and no control token is found in between.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../tests/support/chatml_tokenizer.h"
#include "prompt/content_marks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto tokenizer = ac::testing::MakeChatMlTokenizer();
  static const ac::prompt::ContentMarks marks(*tokenizer);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string guarded = marks.Guard(text);
  if (!tokenizer->FindControlText(guarded, 0).empty()) std::abort();
  if (!tokenizer->FindControlText(guarded + "|im_start|>", 0).empty() ||
      !tokenizer->FindControlText(guarded + "start|>", 0).empty()) {
    std::abort();
  }
  if (ac::prompt::ContentMarks::FindTurn(guarded, 0).begin != std::string::npos) std::abort();
  std::string buffer;
  if (ac::prompt::ContentMarks::Clean(guarded, &buffer) != text) std::abort();
  return 0;
}
