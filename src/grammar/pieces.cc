#include "grammar/pieces.h"

namespace ac::grammar {

Piece Nothing() {
  return [](ProgramBuilder&, Pc next) { return next; };
}
Piece Text(std::string_view text) {
  return [text = std::string(text)](ProgramBuilder& b, Pc next) { return b.Literal(text, next); };
}
Piece OneByteOf(std::string_view bytes) {
  ByteSet set;
  for (const char c : bytes) set.set(static_cast<uint8_t>(c));
  return [set](ProgramBuilder& b, Pc next) { return b.Bytes(set, next); };
}
Piece ByteRange(uint8_t first, uint8_t last) {
  ByteSet set;
  for (int c = first; c <= last; ++c) set.set(static_cast<size_t>(c));
  return [set](ProgramBuilder& b, Pc next) { return b.Bytes(set, next); };
}
Piece Sequence(std::vector<Piece> parts) {
  return [parts = std::move(parts)](ProgramBuilder& b, Pc next) {
    for (size_t i = parts.size(); i > 0; --i) next = parts[i - 1](b, next);
    return next;
  };
}
Piece OneOf(std::vector<Piece> parts) {
  return [parts = std::move(parts)](ProgramBuilder& b, Pc next) {
    std::vector<Pc> targets;
    targets.reserve(parts.size());
    for (const Piece& part : parts) targets.push_back(part(b, next));
    return targets.empty() ? b.Fail() : b.Split(std::move(targets));
  };
}
Piece Optional(Piece part) { return Times(0, 1, std::move(part)); }
Piece Times(uint64_t min, uint64_t max, Piece part, bool of_characters) {
  return [=, part = std::move(part)](ProgramBuilder& b, Pc next) {
    return b.Repeat(min, max, part, next, of_characters);
  };
}
Piece Rule(RuleId rule) {
  return [rule](ProgramBuilder& b, Pc next) { return b.Call(rule, next); };
}

}  // namespace ac::grammar
