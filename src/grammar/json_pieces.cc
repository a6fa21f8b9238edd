#include "grammar/json_pieces.h"

#include <algorithm>
#include <map>

#include "grammar/pieces.h"
#include "json/json.h"

namespace ac::grammar {
namespace {

// Longer numbers say nothing more: a double has 17 digits.
constexpr uint64_t kMaxDigits = 17;
constexpr uint64_t kMaxIndent = 40;

Piece Digit() { return ByteRange('0', '9'); }

Piece IntegerPart() {
  return OneOf({Text("0"), Sequence({ByteRange('1', '9'), Times(0, kMaxDigits - 2, Digit())})});
}

// The keys below one beginning: the rest of a string that is none of them.
Pc ExceptBelow(ProgramBuilder& b, const std::vector<std::string>& keys, size_t depth, Pc any_rest,
               Pc closed) {
  std::map<uint8_t, std::vector<std::string>> by_byte;
  bool excluded = false;
  for (const std::string& key : keys) {
    if (key.size() == depth) {
      excluded = true;
    } else {
      by_byte[static_cast<uint8_t>(key[depth])].push_back(key);
    }
  }
  std::vector<Pc> ways;
  CharacterSet others({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x10FFFF}});
  CharacterSet taken;
  for (const auto& [byte, longer] : by_byte) {
    if (byte >= 0x80) {
      // Keys that share the first byte of a character with an excluded one are left out.
      others = others.Intersect({{0, 0x7F}});
      continue;
    }
    taken.Add(byte, byte);
    if (byte < 0x20 || byte == '"' || byte == '\\') continue;
    ByteSet set;
    set.set(byte);
    ways.push_back(b.Bytes(set, ExceptBelow(b, longer, depth + 1, any_rest, closed)));
  }
  const CharacterSet free = others.Intersect(taken.Complement());
  ways.push_back(Character(free, Spelling::kPlain)(b, any_rest));
  if (!excluded) ways.push_back(closed);
  return b.Split(std::move(ways));
}

}  // namespace

Piece JsonBlanks() {
  return OneOf(
      {Nothing(), Text(" "), Sequence({Text("\n"), Times(0, kMaxIndent, OneByteOf(" \t"), true)})});
}

Piece JsonAny(ProgramBuilder& builder) {
  return Rule(builder.SharedRule("any", [](ProgramBuilder& b, Pc next) {
    return OneOf({JsonAnyObject(b), JsonAnyArray(b), JsonString(b), JsonNumber(b), Text("true"),
                  Text("false"), Text("null")})(b, next);
  }));
}

Piece JsonAnyObject(ProgramBuilder& builder) {
  return Rule(builder.SharedRule("object", [](ProgramBuilder& b, Pc next) {
    ObjectParts parts = JsonObjectParts();
    parts.extra = Sequence({JsonString(b), JsonBlanks(), Text(":"), JsonBlanks(), JsonAny(b)});
    return ObjectOf(std::move(parts))(b, next);
  }));
}

Piece JsonAnyArray(ProgramBuilder& builder) {
  return Rule(builder.SharedRule("array", [](ProgramBuilder& b, Pc next) {
    return JsonArray({}, JsonAny(b), 0, kUnlimited)(b, next);
  }));
}

Piece JsonString(ProgramBuilder& builder, uint64_t min, uint64_t max) {
  if (min == 0 && max == kUnlimited) {
    return Rule(builder.SharedRule(
        "string", Sequence({Text("\""), Times(0, kUnlimited, AnyJsonCharacter()), Text("\"")})));
  }
  return Sequence({Text("\""), Times(min, max, AnyJsonCharacter(), true), Text("\"")});
}

Piece JsonStringExcept(std::vector<std::string> excluded) {
  return [excluded = std::move(excluded)](ProgramBuilder& b, Pc next) {
    const Pc closed = b.Literal("\"", next);
    const CharacterSet plain({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x10FFFF}});
    const Pc any_rest = Times(0, kUnlimited, Character(plain, Spelling::kPlain))(b, closed);
    return b.Literal("\"", ExceptBelow(b, excluded, 0, any_rest, closed));
  };
}

Piece JsonNumber(ProgramBuilder& builder) {
  return Rule(builder.SharedRule(
      "number", Sequence({Optional(Text("-")), IntegerPart(),
                          Optional(Sequence({Text("."), Times(1, kMaxDigits, Digit())})),
                          Optional(Sequence({OneByteOf("eE"), Optional(OneByteOf("+-")),
                                             Times(1, 2, Digit())}))})));
}

Piece JsonInteger(ProgramBuilder& builder) {
  return Rule(builder.SharedRule(
      "integer", OneOf({Text("0"), Sequence({Optional(Text("-")), ByteRange('1', '9'),
                                             Times(0, kMaxDigits - 2, Digit())})})));
}

Piece ObjectOf(ObjectParts parts) {
  return [parts = std::move(parts)](ProgramBuilder& b, Pc next) {
    const uint32_t id = b.AddObject();
    const Pc close = b.Emit(OpKind::kObjectEnd, 0, next);
    const Pc closing = parts.closer(b, close);
    const Pc after = b.Forward();
    const Pc choose = b.Emit(OpKind::kObjectKey, 0, kNoPc);
    const Pc more = b.Emit(OpKind::kMoreKeys, 0, parts.separator(b, choose));
    // The end is checked before its text, so that nothing else is written on the way.
    const Pc may_end = b.Emit(OpKind::kObjectMayEnd, 0, closing);
    b.Resolve(after, {more, may_end});
    std::vector<ObjectSpec::Key> keys;
    for (size_t i = 0; i < parts.properties.size(); ++i) {
      const Pc done = b.Emit(OpKind::kKeyDone, static_cast<uint32_t>(i), after);
      keys.push_back({parts.properties[i].piece(b, done), parts.properties[i].required});
    }
    const Pc extra = parts.extra ? parts.extra(b, after) : kNoPc;
    const Pc first = parts.opener(b, b.Split({b.Emit(OpKind::kMoreKeys, 0, choose), may_end}));
    ObjectSpec& object = b.object(id);
    object.keys = std::move(keys);
    object.extra = extra;
    object.first = first;
    return b.Emit(OpKind::kObject, id, next);
  };
}

ObjectParts JsonObjectParts() {
  ObjectParts parts;
  parts.opener = Sequence({Text("{"), JsonBlanks()});
  parts.separator = Sequence({JsonBlanks(), Text(","), JsonBlanks()});
  parts.closer = Sequence({JsonBlanks(), Text("}")});
  return parts;
}

Piece JsonProperty(const std::string& key, Piece value) {
  return Sequence(
      {Text(json::Quote(key)), JsonBlanks(), Text(":"), JsonBlanks(), std::move(value)});
}

Piece JsonArray(std::vector<Piece> prefix, Piece rest, uint64_t min, uint64_t max) {
  const Piece comma = Sequence({JsonBlanks(), Text(","), JsonBlanks()});
  return [=, prefix = std::move(prefix), rest = std::move(rest)](ProgramBuilder& b, Pc next) {
    const Pc close = Sequence({JsonBlanks(), Text("]")})(b, next);
    const auto count = static_cast<uint64_t>(prefix.size());
    if (max == 0) return Sequence({Text("["), JsonBlanks()})(b, b.Literal("]", next));
    // Back to front: what may follow the first `count` items, then each of these.
    Pc tail = close;
    if (rest && max > count) {
      const uint64_t least = min > count ? min - count : 0;
      const uint64_t most = max == kUnlimited ? kUnlimited : max - count;
      if (count > 0) {
        tail = b.Repeat(least, most, Sequence({comma, rest}), close);
      } else {
        const Pc others = b.Repeat(least > 0 ? least - 1 : 0, most == kUnlimited ? most : most - 1,
                                   Sequence({comma, rest}), close);
        const Pc items = rest(b, others);
        tail = least == 0 ? b.Split({items, b.Literal("]", next)}) : items;
      }
    } else if (min > count) {
      tail = b.Fail();
    }
    for (uint64_t i = std::min(count, max); i > 0; --i) {
      Pc item = prefix[i - 1](b, tail);
      const bool may_end = i - 1 >= min;
      if (i > 1) item = comma(b, item);
      tail = may_end ? b.Split({item, i > 1 ? close : b.Literal("]", next)}) : item;
    }
    return Sequence({Text("["), JsonBlanks()})(b, tail);
  };
}

}  // namespace ac::grammar
