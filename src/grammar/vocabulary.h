// The vocabulary as grammars see it: the bytes of every ordinary token in a trie, so that tokens
// that begin alike are judged together, and the special tokens apart.
//
// Built once per tokenizer (a fraction of a second); immutable and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace ac::grammar {

class Vocabulary {
 public:
  // `tokenizer` must outlive it.
  explicit Vocabulary(const tokenizer::Tokenizer& tokenizer);

  // Nodes in depth-first order; children of node i start at i + 1 and follow each other by `next`.
  struct Node {
    uint8_t byte = 0;
    uint32_t next = 0;   // the node after this one's subtree
    uint32_t begin = 0;  // ranks of the subtree's tokens
    uint32_t own = 0;    // of these, how many end here
    uint32_t end = 0;
    uint64_t kinds = 0;  // ByteKind bits of everything below
  };
  // Bytes that grammars mostly treat alike. Multi-byte characters are one kind when the token holds
  // them whole, another when it cuts them.
  static constexpr int kWholeCharacters = 62;
  static constexpr int kCutCharacters = 63;
  static int KindOf(uint8_t byte);  // of a byte below 0x80

  const std::vector<Node>& nodes() const { return nodes_; }       // the first is the root
  const std::vector<int32_t>& ranked() const { return ranked_; }  // token ids in order of bytes
  // Token ids that are no text.
  const std::vector<int32_t>& special() const { return special_; }
  const std::vector<int32_t>& ends() const { return ends_; }

  // Is the token judged by its bytes?
  bool IsText(int32_t id) const;
  bool EndsReply(int32_t id) const { return tokenizer_.IsEndOfGeneration(id); }
  std::string_view bytes(int32_t id) const { return tokenizer_.TokenBytes(id); }
  // The special token spelled like this, or kNoToken.
  int32_t FindSpecial(std::string_view text) const;
  size_t mask_words() const { return words_; }
  size_t longest() const { return longest_; }  // bytes of the longest text token
  // Bit i: token i is text of at most `length` bytes; lengths beyond kMaxLength count as that.
  static constexpr size_t kMaxLength = 48;
  const std::vector<uint64_t>& ShorterThanOrEqual(size_t length) const;
  const tokenizer::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  void BuildTrie();
  void AddKinds(std::string_view bytes, const std::vector<uint32_t>& path);

  const tokenizer::Tokenizer& tokenizer_;
  size_t words_ = 0;
  size_t longest_ = 0;
  std::vector<Node> nodes_;
  std::vector<int32_t> ranked_;
  std::vector<int32_t> special_;
  std::vector<int32_t> ends_;
  std::vector<std::vector<uint64_t>> short_tokens_;  // by length
};

}  // namespace ac::grammar
