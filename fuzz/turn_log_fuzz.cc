// Any bytes behind a right header are read to some place, and only whole records are believed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "prompt/turn_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ac::Hash128 vocabulary{1, 2};
  std::string bytes("ACTURNS1\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 24);
  bytes.append(reinterpret_cast<const char*>(data), size);
  uint64_t tokens = 0;
  const uint64_t end = ac::prompt::ParseTurnLog(
      bytes, vocabulary, [&](ac::prompt::GeneratedTurn turn) { tokens += turn.tokens.size(); });
  if (end < 24 || end > bytes.size() || tokens * 4 > bytes.size()) std::abort();
  return 0;
}
