#include "tokenizer/tokenizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/utf8.h"
#include "tokenizer/internal/merger.h"
#include "tokenizer/internal/special_matcher.h"
#include "tokenizer/internal/splitter.h"
#include "tokenizer/internal/token_index.h"
#include "tokenizer/internal/vocab_builder.h"
#include "tokenizer/internal/word_cache.h"

namespace ac::tokenizer {
namespace {

using internal::Symbol;

// A token longer than this is damage, not vocabulary (the longest published ones have some hundred
// bytes). The bound also keeps the search for merges, quadratic in it, short.
constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxTokens = 1'000'000;  // so that offsets fit 32 bits
// Places in a word are 32-bit numbers.
constexpr size_t kMaxWordBytes = size_t{1} << 30;

bool IsPlain(TokenType type) { return type == TokenType::kNormal || type == TokenType::kUnused; }

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

Status CheckId(const Spec& spec, int32_t id, std::string_view what, bool optional) {
  if (optional && id == kNoToken) return OkStatus();
  if (id >= 0 && static_cast<size_t>(id) < spec.tokens.size()) return OkStatus();
  return InvalidArgument("[tokenizer] " + std::string(what) + " is token " + std::to_string(id) +
                         ", but the vocabulary has " + std::to_string(spec.tokens.size()) +
                         " tokens");
}

Status CheckSpec(const Spec& spec) {
  if (spec.tokens.empty()) return InvalidArgument("[tokenizer] the vocabulary is empty");
  if (spec.tokens.size() > kMaxTokens) {
    return InvalidArgument("[tokenizer] " + std::to_string(spec.tokens.size()) +
                           " tokens; at most " + std::to_string(kMaxTokens) + " are supported");
  }
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].bytes.size() > kMaxTokenBytes) {
      return InvalidArgument("[tokenizer] token " + std::to_string(id) + " has " +
                             std::to_string(spec.tokens[id].bytes.size()) + " bytes; at most " +
                             std::to_string(kMaxTokenBytes) + " are supported");
    }
    if (spec.algorithm == Algorithm::kCharSpm && std::isnan(spec.tokens[id].score)) {
      return InvalidArgument("[tokenizer] the score of token " + std::to_string(id) +
                             " is not a number");
    }
  }
  for (const auto& [id, what] :
       {std::pair(spec.bos, "bos"), std::pair(spec.eos, "eos"), std::pair(spec.eot, "eot"),
        std::pair(spec.pad, "pad"), std::pair(spec.unk, "unk")}) {
    AC_RETURN_IF_ERROR(CheckId(spec, id, what, true));
  }
  for (const int32_t id : spec.byte_ids) AC_RETURN_IF_ERROR(CheckId(spec, id, "a byte", true));
  for (const auto* ids : {&spec.end_ids, &spec.prefix_ids, &spec.suffix_ids}) {
    for (const int32_t id : *ids) AC_RETURN_IF_ERROR(CheckId(spec, id, "a special id", false));
  }
  for (const Merge& merge : spec.merges) {
    for (const int32_t id : {merge.left, merge.right, merge.result}) {
      AC_RETURN_IF_ERROR(CheckId(spec, id, "part of a merge", false));
    }
  }
  return OkStatus();
}

// NFC, or nothing when the text is in that form already (or is not UTF-8).
std::optional<std::string> Compose(std::string_view text) {
  // Below U+0300 every character is its own composed form.
  const bool simple =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0xCC; });
  if (simple) return std::nullopt;
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) return std::nullopt;
  std::string result(reinterpret_cast<const char*>(composed), static_cast<size_t>(size));
  std::free(composed);
  return result;
}

}  // namespace

struct Tokenizer::Impl {
  Spec spec;                      // tokens, merges and splits are moved out once compiled
  std::string bytes;              // of all tokens, one after the other
  std::vector<uint32_t> offsets;  // [tokens + 1] into `bytes`
  std::vector<TokenType> types;
  internal::TokenIndex words;  // tokens that plain text may become
  std::vector<bool> is_whole;  // a word with the bytes of this token is this token
  internal::SpecialMatcher specials;
  internal::PairTable pairs;
  internal::Splitter splitter;
  // Bytes x then y inside some token, at a character boundary: elsewhere a word may be cut without
  // changing its tokens. Only for the algorithms on characters, whose words can be whole texts.
  std::bitset<size_t{256} * 256> joined;

  // What one call of Encode works with.
  struct Call {
    internal::WordCache cache;
    std::vector<Symbol> symbols;
    std::vector<int32_t>* out;
  };

  std::string_view Bytes(int32_t id) const {
    return std::string_view(bytes).substr(offsets[id], offsets[id + 1] - offsets[id]);
  }
  int32_t FindWord(std::string_view word, uint64_t hash) const {
    return words.Find(word, hash, [this](int32_t id) { return Bytes(id); });
  }
  int32_t FindWord(std::string_view word) const { return FindWord(word, internal::HashWord(word)); }
  bool on_bytes() const { return spec.algorithm == Algorithm::kByteBpe; }

  Status Compile();
  void IndexTokens();
  void IndexPairs();
  void IndexPairsByScore();
  void FindWholeTokens();
  void FindJoins();

  void EncodeText(std::string_view text, bool after_special, Call* call) const;
  void EncodePiece(std::string_view piece, Call* call) const;
  void EncodeWord(std::string_view word, Call* call) const;
  void ToSymbols(std::string_view word, std::vector<Symbol>* symbols) const;
  void Emit(std::string_view word, Symbol symbol, std::vector<int32_t>* out) const;
};

Status Tokenizer::Impl::Compile() {
  AC_ASSIGN_OR_RETURN(splitter, internal::Splitter::Create(spec.splits));
  IndexTokens();
  IndexPairs();
  if (!on_bytes()) FindJoins();
  FindWholeTokens();
  spec.tokens = {};
  spec.merges = {};
  spec.splits = {};
  return OkStatus();
}

void Tokenizer::Impl::IndexTokens() {
  const size_t count = spec.tokens.size();
  offsets.reserve(count + 1);
  types.reserve(count);
  for (const Token& token : spec.tokens) {
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
    bytes += token.bytes;
    types.push_back(token.type);
  }
  offsets.push_back(static_cast<uint32_t>(bytes.size()));
  words.Reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const auto id = static_cast<int32_t>(i);
    if (spec.tokens[i].bytes.empty() || types[i] == TokenType::kByte) continue;
    if (IsPlain(types[i])) {
      // Two names may have the same bytes (a space and its marker): the first one is found.
      words.Insert(Bytes(id), id, [this](int32_t other) { return Bytes(other); });
    } else {
      specials.Add(id, spec.tokens[i]);
    }
  }
}

void Tokenizer::Impl::IndexPairs() {
  if (spec.algorithm == Algorithm::kCharSpm) {
    IndexPairsByScore();
    return;
  }
  pairs.Reserve(spec.merges.size());
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const Merge& merge = spec.merges[rank];
    pairs.Insert(merge.left, merge.right, static_cast<uint32_t>(rank), merge.result);
  }
}

// Every way to write a token as two others is a merge; its rank is the place of its score among all
// scores, best first, so that equal scores tie.
void Tokenizer::Impl::IndexPairsByScore() {
  std::map<float, uint32_t, std::greater<>> ranks;
  for (const Token& token : spec.tokens) ranks.emplace(token.score, 0);
  uint32_t next = 0;
  for (auto& [score, rank] : ranks) rank = next++;
  struct Pair {
    Symbol left, right, result;
  };
  std::vector<Pair> found;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (!IsPlain(types[i])) continue;
    const std::string_view token = Bytes(id);
    for (size_t cut = 1; cut < token.size(); ++cut) {
      if (IsContinuation(token[cut])) continue;
      const int32_t left = FindWord(token.substr(0, cut));
      if (left == kNoToken) continue;
      const int32_t right = FindWord(token.substr(cut));
      if (right != kNoToken) found.push_back({left, right, id});
    }
  }
  pairs.Reserve(found.size());
  for (const Pair& p : found) {
    pairs.Insert(p.left, p.right, ranks.at(spec.tokens[p.result].score), p.result);
  }
}

void Tokenizer::Impl::FindJoins() {
  for (size_t i = 0; i < types.size(); ++i) {
    if (!IsPlain(types[i])) continue;
    const std::string_view token = Bytes(static_cast<int32_t>(i));
    for (size_t at = 1; at < token.size(); ++at) {
      if (IsContinuation(token[at])) continue;
      joined.set(static_cast<uint8_t>(token[at - 1]) * size_t{256} +
                 static_cast<uint8_t>(token[at]));
    }
  }
}

void Tokenizer::Impl::FindWholeTokens() {
  is_whole.assign(types.size(), false);
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (!IsPlain(types[i]) || Bytes(id).empty()) continue;
    if (spec.ignore_merges) {
      is_whole[i] = true;
      continue;
    }
    ToSymbols(Bytes(id), &symbols);
    const size_t left = internal::Merge(pairs, symbols.data(), symbols.size());
    is_whole[i] = left == 1 && symbols[0] == id;
  }
}

// Bytes, or characters; what has no token is written -1 - offset.
void Tokenizer::Impl::ToSymbols(std::string_view word, std::vector<Symbol>* symbols) const {
  symbols->clear();
  if (on_bytes()) {
    for (size_t i = 0; i < word.size(); ++i) {
      const int32_t id = spec.byte_ids[static_cast<uint8_t>(word[i])];
      symbols->push_back(id != kNoToken ? id : -1 - static_cast<Symbol>(i));
    }
    return;
  }
  for (size_t i = 0; i < word.size();) {
    const size_t length = DecodeUtf8(word, i).length;
    const int32_t id = FindWord(word.substr(i, length));
    symbols->push_back(id != kNoToken ? id : -1 - static_cast<Symbol>(i));
    i += length;
  }
}

void Tokenizer::Impl::Emit(std::string_view word, Symbol symbol, std::vector<int32_t>* out) const {
  if (symbol >= 0) {
    out->push_back(symbol);
    return;
  }
  const auto at = static_cast<size_t>(-1 - symbol);
  const size_t length = on_bytes() ? 1 : DecodeUtf8(word, at).length;
  const std::string_view missing = word.substr(at, length);
  const bool fallback = std::all_of(missing.begin(), missing.end(), [this](char byte) {
    return spec.byte_ids[static_cast<uint8_t>(byte)] != kNoToken;
  });
  if (fallback) {
    for (const char byte : missing) out->push_back(spec.byte_ids[static_cast<uint8_t>(byte)]);
  } else if (spec.unk != kNoToken) {
    out->push_back(spec.unk);
  }
}

void Tokenizer::Impl::EncodeWord(std::string_view word, Call* call) const {
  if (word.size() > kMaxWordBytes) {
    EncodeWord(word.substr(0, kMaxWordBytes), call);
    EncodeWord(word.substr(kMaxWordBytes), call);
    return;
  }
  const uint64_t hash = internal::HashWord(word);
  const int32_t id = FindWord(word, hash);
  if (id != kNoToken && is_whole[id]) {
    call->out->push_back(id);
    return;
  }
  if (call->cache.Find(word, hash, call->out)) return;
  ToSymbols(word, &call->symbols);
  const size_t count = internal::Merge(pairs, call->symbols.data(), call->symbols.size());
  const size_t before = call->out->size();
  for (size_t i = 0; i < count; ++i) Emit(word, call->symbols[i], call->out);
  call->cache.Insert(word, hash, std::span(*call->out).subspan(before));
}

// A piece of the pre-tokeniser. Characters-based vocabularies hardly have one, so that a piece can
// be the whole text: it is cut wherever no token could reach across.
void Tokenizer::Impl::EncodePiece(std::string_view piece, Call* call) const {
  if (on_bytes()) {
    EncodeWord(piece, call);
    return;
  }
  size_t begin = 0;
  for (size_t at = 1; at < piece.size(); ++at) {
    if (IsContinuation(piece[at])) continue;
    const size_t join =
        static_cast<uint8_t>(piece[at - 1]) * size_t{256} + static_cast<uint8_t>(piece[at]);
    if (joined[join]) continue;
    EncodeWord(piece.substr(begin, at - begin), call);
    begin = at;
  }
  if (begin < piece.size()) EncodeWord(piece.substr(begin), call);
}

// Text between special tokens.
void Tokenizer::Impl::EncodeText(std::string_view text, bool after_special, Call* call) const {
  if (text.empty()) return;
  std::string buffer;
  if (spec.nfc) {
    if (std::optional<std::string> composed = Compose(text)) {
      buffer = *std::move(composed);
      text = buffer;
    }
  }
  if (spec.space_marker && text.find(internal::kSpaceMarker) != std::string_view::npos) {
    buffer = internal::SpacesFromMarkers(text);
    text = buffer;
  }
  if (spec.space_prefix && !(spec.space_prefix_first_only && after_special) &&
      !(spec.space_prefix_unless_present && text[0] == ' ')) {
    buffer = ' ' + std::string(text);
    text = buffer;
  }
  splitter.ForEachWord(text, [&](std::string_view piece) { EncodePiece(piece, call); });
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(Spec spec) {
  AC_RETURN_IF_ERROR(CheckSpec(spec));
  auto impl = std::make_unique<Impl>();
  impl->spec = std::move(spec);
  AC_RETURN_IF_ERROR(impl->Compile());
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, EncodeOptions options) const {
  const Spec& spec = impl_->spec;
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 16);
  if (options.add_bos_eos) ids = spec.prefix_ids;
  Impl::Call call = {internal::WordCache(text.size()), {}, &ids};
  size_t done = 0;
  while (const auto match = impl_->specials.Find(text, done, options.parse_special)) {
    impl_->EncodeText(text.substr(done, match->begin - done), done > 0, &call);
    ids.push_back(match->id);
    done = match->end;
  }
  impl_->EncodeText(text.substr(done), done > 0, &call);
  if (options.add_bos_eos) ids.insert(ids.end(), spec.suffix_ids.begin(), spec.suffix_ids.end());
  return ids;
}

void Tokenizer::EncodeFrom(std::string_view text, size_t begin,
                           FunctionRef<std::string_view(std::string_view)> plain,
                           std::vector<int32_t>* ids,
                           std::vector<TokenBoundary>* boundaries) const {
  Impl::Call call = {internal::WordCache(text.size() - begin), {}, ids};
  size_t done = begin;
  while (const auto match = impl_->specials.Find(text, done, /*all=*/true)) {
    impl_->EncodeText(plain(text.substr(done, match->begin - done)), done > 0, &call);
    ids->push_back(match->id);
    done = match->end;
    boundaries->push_back({done, ids->size()});
  }
  impl_->EncodeText(plain(text.substr(done)), done > 0, &call);
}

std::string_view Tokenizer::FindControlText(std::string_view text, size_t from) const {
  while (const auto match = impl_->specials.Find(text, from, /*all=*/true)) {
    if (type(match->id) != TokenType::kUserDefined) {
      return text.substr(match->begin, match->end - match->begin);
    }
    from = match->end;
  }
  return text.substr(text.size());
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::string text;
  bool first = true;
  for (const int32_t id : ids) {
    if (options.skip_special && IsSpecial(id)) continue;
    std::string_view token = TokenBytes(id);
    if (first && options.strip_space_prefix && impl_->spec.space_prefix && IsPlain(type(id)) &&
        token.starts_with(' ')) {
      token.remove_prefix(1);
    }
    first = false;
    text += token;
  }
  return text;
}

std::string_view Tokenizer::TokenBytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? impl_->Bytes(id) : std::string_view();
}

TokenType Tokenizer::type(int32_t id) const {
  return id >= 0 && id < vocab_size() ? impl_->types[id] : TokenType::kUnused;
}

bool Tokenizer::IsSpecial(int32_t id) const {
  const TokenType t = type(id);
  return t == TokenType::kControl || t == TokenType::kUnknown;
}

bool Tokenizer::IsEndOfGeneration(int32_t id) const {
  const auto& ends = impl_->spec.end_ids;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

int32_t Tokenizer::FindToken(std::string_view text) const {
  if (text.empty()) return kNoToken;
  const int32_t special = impl_->specials.FindExact(text);
  if (special != kNoToken) return special;
  const int32_t word = impl_->FindWord(text);
  if (word != kNoToken || text.size() > 1) return word;
  return impl_->spec.byte_ids[static_cast<uint8_t>(text[0])];
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->types.size()); }
int32_t Tokenizer::bos() const { return impl_->spec.bos; }
int32_t Tokenizer::eos() const { return impl_->spec.eos; }
int32_t Tokenizer::eot() const { return impl_->spec.eot; }
int32_t Tokenizer::pad() const { return impl_->spec.pad; }
int32_t Tokenizer::unk() const { return impl_->spec.unk; }
std::span<const int32_t> Tokenizer::end_ids() const { return impl_->spec.end_ids; }
std::span<const int32_t> Tokenizer::prefix_ids() const { return impl_->spec.prefix_ids; }
bool Tokenizer::has_space_prefix() const { return impl_->spec.space_prefix; }

}  // namespace ac::tokenizer
