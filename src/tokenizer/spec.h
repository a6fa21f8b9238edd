// What a tokenizer is made of, whichever file described it.
//
// Data only: gguf_vocab.h and tokenizer_json.h fill it, Tokenizer::Create checks and compiles it.
// Token bytes are the bytes a token stands for in text ("\xC4\xA0the" of a byte-level file is "
// the" here, the "\xE2\x96\x81" of SentencePiece files is a space), so nothing above knows the
// alphabets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace ac::tokenizer {

enum class Algorithm {
  kByteBpe,  // symbols start as bytes, pairs merge in the order of `merges`
  kCharBpe,  // symbols start as characters, pairs merge in the order of `merges`, byte fallback
  kCharSpm,  // symbols start as characters, the pair whose token scores best merges, byte fallback
};

// Numbers as in GGUF.
enum class TokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // never produced from plain text
  kUserDefined = 4,  // always matched as a whole, in plain text too
  kUnused = 5,
  kByte = 6,
};

struct Token {
  std::string bytes;
  float score = 0.0f;
  TokenType type = TokenType::kNormal;
  bool lstrip = false;       // a match swallows the white space before it
  bool rstrip = false;       // ... after it
  bool single_word = false;  // matches only between non-word characters
};

// Rank is the index in Spec::merges; all three are token ids.
struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

enum class SplitMode {
  kIsolated,            // matches and the text between them are pieces
  kRemoved,             // matches are dropped
  kMergedWithPrevious,  // a match ends the piece before it
  kMergedWithNext,      // a match starts the piece after it
};

// One step of the pre-tokeniser: every piece of the step before is split again.
struct SplitRule {
  std::string regex;  // PCRE2 syntax, Unicode properties on
  SplitMode mode = SplitMode::kIsolated;
  bool invert = false;  // the text between matches takes the place of the matches
};

inline constexpr int32_t kNoToken = -1;

struct Spec {
  Algorithm algorithm = Algorithm::kByteBpe;
  std::vector<Token> tokens;
  std::vector<Merge> merges;
  std::vector<SplitRule> splits;
  // The token for each single byte, or kNoToken. Bytes without one become `unk`, or nothing.
  std::array<int32_t, 256> byte_ids = [] {
    std::array<int32_t, 256> none;
    none.fill(kNoToken);
    return none;
  }();

  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  bool nfc = false;            // normalise to composed characters first
  bool space_marker = false;   // U+2581 in text means a space (SentencePiece)
  // A space put before the text and, unless `space_prefix_first_only`, before each piece that
  // follows a special token. With `space_prefix_unless_present` only where there is none yet.
  bool space_prefix = false;
  bool space_prefix_first_only = false;
  bool space_prefix_unless_present = false;

  int32_t bos = kNoToken;
  int32_t eos = kNoToken;
  int32_t eot = kNoToken;
  int32_t pad = kNoToken;
  int32_t unk = kNoToken;
  std::vector<int32_t> end_ids;     // generation stops at any of these (eos and eot among them)
  std::vector<int32_t> prefix_ids;  // put before a text when asked to (usually bos, or nothing)
  std::vector<int32_t> suffix_ids;  // put after a text when asked to
};

}  // namespace ac::tokenizer
