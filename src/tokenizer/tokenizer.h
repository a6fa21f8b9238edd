// Text <-> token ids, for byte-level BPE and SentencePiece-style vocabularies.
//
// A Tokenizer is built once from a Spec and owns everything it needs. It is immutable: every method
// may be called from any thread, and a call keeps its scratch memory to itself. Encode takes any
// bytes and is linear in their length for text (n log n for a single word of n bytes); for
// byte-level vocabularies with all 256 bytes, and no normalisation, Decode(Encode(x)) == x even
// when x is not valid UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/status.h"
#include "tokenizer/spec.h"

namespace ac::tokenizer {

struct EncodeOptions {
  bool parse_special = false;  // control tokens written out in the text become those tokens
  bool add_bos_eos = false;    // what the model wants around a text (often nothing)
};

struct DecodeOptions {
  bool skip_special = false;       // leave control tokens out
  bool strip_space_prefix = true;  // undo the space that Encode put in front, if it does
};

// A place behind a special token: a text may be cut there without changing its tokens.
struct TokenBoundary {
  size_t byte = 0;   // in the text
  size_t token = 0;  // how many tokens are before it
};

class Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Create(Spec spec);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  std::vector<int32_t> Encode(std::string_view text, EncodeOptions options = {}) const;
  // Encodes text[begin, end of text) behind what `ids` holds already, as Encode with parse_special
  // would have gone on; `begin` is 0 or a boundary of an earlier call on a text with the same
  // beginning. `plain` turns each stretch between special tokens into what is encoded for it; its
  // result must live until it is called again.
  void EncodeFrom(std::string_view text, size_t begin,
                  FunctionRef<std::string_view(std::string_view)> plain, std::vector<int32_t>* ids,
                  std::vector<TokenBoundary>* boundaries) const;
  // Where the next control token is spelled out at or after `from`; its size is 0 when nowhere.
  std::string_view FindControlText(std::string_view text, size_t from) const;
  // The bytes of the tokens, one after the other: perhaps not valid UTF-8 (see StreamDecoder). Ids
  // outside the vocabulary decode to nothing.
  std::string Decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  // Ids outside [0, vocab_size) are allowed: no bytes, no properties.
  std::string_view TokenBytes(int32_t id) const;
  TokenType type(int32_t id) const;
  // Control or unknown: shows its name, is not text of the model's answer.
  bool IsSpecial(int32_t id) const;
  bool IsControl(int32_t id) const { return type(id) == TokenType::kControl; }
  bool IsEndOfGeneration(int32_t id) const;

  // The token with exactly these bytes, control and user-defined ones first; kNoToken when none.
  int32_t FindToken(std::string_view bytes) const;

  int32_t vocab_size() const;
  int32_t bos() const;
  int32_t eos() const;
  int32_t eot() const;
  int32_t pad() const;
  int32_t unk() const;
  std::span<const int32_t> end_ids() const;
  std::span<const int32_t> prefix_ids() const;  // what add_bos_eos puts in front
  bool has_space_prefix() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace ac::tokenizer
