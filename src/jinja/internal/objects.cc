#include "jinja/internal/objects.h"

#include <algorithm>

#include "jinja/internal/operations.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

// Up to here a scan over the items beats hashing.
constexpr size_t kScanLimit = 8;

}  // namespace

const Value* DictObject::Find(std::string_view key) const {
  if (!index_.empty()) return Find(Value::Borrowed(key));
  for (const auto& [name, value] : items) {
    if (name.Is(Kind::kString) && name.text() == key) return &value;
  }
  return nullptr;
}

const Value* DictObject::Find(const Value& key) const {
  if (index_.empty()) {
    if (!HashOf(key)) return nullptr;
    for (const auto& [name, value] : items) {
      if (KeysEqual(name, key)) return &value;
    }
    return nullptr;
  }
  const std::optional<size_t> hash = HashOf(key);
  if (!hash) return nullptr;
  const uint32_t entry = index_[Lookup(key, *hash)];
  return entry == 0 ? nullptr : &items[entry - 1].second;
}

// The index cell that holds `key`, or the empty one where it belongs.
size_t DictObject::Lookup(const Value& key, size_t hash) const {
  const size_t mask = index_.size() - 1;
  size_t cell = hash & mask;
  while (index_[cell] != 0 && !KeysEqual(items[index_[cell] - 1].first, key))
    cell = (cell + 1) & mask;
  return cell;
}

void DictObject::Rehash() {
  size_t size = 4 * kScanLimit;
  while (size < items.size() * 3) size *= 2;
  index_.assign(size, 0);
  for (size_t i = 0; i < items.size(); ++i) {
    const Value& key = items[i].first;
    index_[Lookup(key, HashOf(key).value_or(0))] = static_cast<uint32_t>(i + 1);
  }
}

void DictObject::Set(Value key, Value value) {
  if (const Value* known = Find(key)) {
    const_cast<Value&>(*known) = std::move(value);
    return;
  }
  items.emplace_back(std::move(key), std::move(value));
  if (items.size() <= kScanLimit) return;
  if (index_.empty() || items.size() * 2 > index_.size()) {
    Rehash();
  } else {
    const Value& added = items.back().first;
    index_[Lookup(added, HashOf(added).value_or(0))] = static_cast<uint32_t>(items.size());
  }
}

RangeObject::RangeObject(Int first, Int last, Int by) : start(first), stop(last), step(by) {
  if (step > 0 && start < stop) length = (stop - start - 1) / step + 1;
  if (step < 0 && start > stop) length = (start - stop - 1) / -step + 1;
}

bool Cursor::Start(Interpreter& in, Value source) {
  if (!IsIterable(source)) {
    in.Fail("TypeError: '" + std::string(TypeName(source)) + "' object is not iterable");
    return false;
  }
  source_ = std::move(source);
  position_ = 0;
  return true;
}

bool Cursor::Next(Interpreter& in, Value* out) {
  if (!in.Spend()) return false;
  switch (source_.kind()) {
    case Kind::kList:
    case Kind::kTuple: {
      const auto& items = source_.As<ListObject>()->items;
      if (position_ >= items.size()) return false;
      *out = items[position_++];
      return true;
    }
    case Kind::kDict:
    case Kind::kView: {
      const bool is_view = source_.Is(Kind::kView);
      const Value& dict = is_view ? source_.As<ViewObject>()->dict : source_;
      const ViewKind view = is_view ? source_.As<ViewObject>()->view : ViewKind::kKeys;
      const auto& items = dict.As<DictObject>()->items;
      if (position_ >= items.size()) return false;
      const auto& [key, value] = items[position_++];
      *out = view == ViewKind::kKeys     ? key
             : view == ViewKind::kValues ? value
                                         : in.NewTuple({key, value});
      return !in.failed();
    }
    case Kind::kRange: {
      const auto* range = source_.As<RangeObject>();
      if (static_cast<Int>(position_) >= range->length) return false;
      *out = Value::Integer(range->start + range->step * static_cast<Int>(position_++));
      return true;
    }
    case Kind::kString: {
      const std::string_view text = source_.text();
      if (position_ >= text.size()) return false;
      const size_t length = DecodeUtf8(text, position_).length;
      *out = Value(source_.Part(text.substr(position_, length))).Safe(false);
      position_ += length;
      return true;
    }
    case Kind::kIterator:
      return source_.As<IteratorObject>()->Next(in, out) && !in.failed();
    default:
      return false;  // undefined: empty
  }
}

Value* NamespaceObject::Find(std::string_view name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& entry) { return entry.first.text() == name; });
  return found == attributes.end() ? nullptr : &found->second;
}

void NamespaceObject::Clear() {
  const auto dropped = std::move(attributes);
  attributes.clear();
}

bool LoopObject::Start(Interpreter& in, Value source) {
  // A filtered loop has no length before it has run.
  if (node->test == nullptr) {
    if (const std::optional<Int> known = jinja::Length(source)) length_ = *known;
  }
  return cursor_.Start(in, std::move(source));
}

// The next item that passes the loop's condition.
bool LoopObject::Pull(Interpreter& in, Value* out) {
  if (rest_position_ < rest_.size()) {
    *out = std::move(rest_[rest_position_++]);
    return true;
  }
  while (frame != nullptr && cursor_.Next(in, out)) {
    bool accepted = true;
    if (node->test != nullptr && !in.Accept(*node, frame, out, &accepted)) return false;
    if (accepted) return true;
  }
  return false;
}

bool LoopObject::Peek(Interpreter& in) {
  if (after.missing()) Pull(in, &after) ? void() : static_cast<void>(after = Value());
  return !after.missing();
}

bool LoopObject::Next(Interpreter& in, Value* out) {
  Value item;
  if (!after.missing()) {
    item = std::exchange(after, Value());
  } else if (!Pull(in, &item)) {
    return false;
  }
  ++index0;
  before = std::move(current);
  current = item;
  *out = std::move(item);
  return true;
}

Int LoopObject::Length(Interpreter& in) {
  if (length_ >= 0) return length_;
  std::vector<Value> rest;
  for (Value item; Pull(in, &item);) rest.push_back(std::move(item));
  rest_ = std::move(rest);
  rest_position_ = 0;
  length_ = static_cast<Int>(rest_.size()) + index0 + 1 + (after.missing() ? 0 : 1);
  return length_;
}

void LoopObject::Clear() {
  frame = nullptr;
  cursor_ = Cursor();
  before = current = after = last_changed = Value();
  rest_.clear();
}

}  // namespace ac::jinja
