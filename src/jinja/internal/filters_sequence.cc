// Filters over sequences and mappings. Those that jinja2 writes as generators are lazy here too.
#include <algorithm>
#include <memory>

#include "jinja/internal/operations.h"
#include "jinja/internal/stable_sort.h"
#include "jinja/internal/text.h"

namespace ac::jinja {
namespace {

Value Nothing(std::string_view hint) {
  return Value::Undefined(UndefinedReason::kHint, Kind::kMissing, Value::Borrowed(hint));
}

// Yields values that are already there.
struct ListIterator : IteratorObject {
  explicit ListIterator(std::vector<Value> values) : items(std::move(values)) {}
  bool Next(Interpreter&, Value* out) override {
    if (position >= items.size()) return false;
    *out = std::move(items[position++]);
    return true;
  }
  std::vector<Value> items;
  size_t position = 0;
};

Value NewIterator(Interpreter& in, std::vector<Value> items) {
  const size_t bytes = items.size() * sizeof(Value);
  if (in.failed() || !in.Reserve(bytes)) return Value::Failed();
  return Value::Of(Kind::kIterator, in.heap().New<ListIterator>(bytes, std::move(items)));
}

// Computes all its values, and fails, only when the first one is asked for.
using BuildValues = Value (*)(Interpreter& in, const Value& self, const std::vector<Value>& given);
struct DeferredIterator : IteratorObject {
  DeferredIterator(Value from, std::vector<Value> arguments, BuildValues how)
      : source(std::move(from)), given(std::move(arguments)), build(how) {}
  bool Next(Interpreter& in, Value* out) override {
    if (built.missing()) built = build(in, source, given);
    return !built.failed() && built.As<ListIterator>()->Next(in, out);
  }
  Value source;
  std::vector<Value> given;
  BuildValues build;
  Value built;
};

// A generator over another sequence, which is only touched when the first value is asked for.
struct SourceIterator : IteratorObject {
  SourceIterator(Value from, bool falsy_is_empty)
      : source(std::move(from)), started(false), empty_if_falsy(falsy_is_empty) {}
  bool Pull(Interpreter& in, Value* out) {
    const Interpreter::Depth depth(in);  // generators of generators of generators...
    if (!depth.ok()) return false;
    if (!started) {
      started = true;
      if (empty_if_falsy && !Truth(source)) {
        ended = true;
      } else if (!cursor.Start(in, source)) {
        return false;
      }
    }
    if (!ended && !cursor.Next(in, out)) ended = true;
    return !ended && !in.failed();
  }

  Value source;
  bool started;
  bool empty_if_falsy;
  bool ended = false;
  Cursor cursor;
};

CallArguments Copy(const CallArguments& arguments, size_t from) {
  CallArguments copy;
  const size_t skip = std::min(from, arguments.positional.size());
  copy.positional.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(skip),
                         arguments.positional.end());
  copy.named = arguments.named;
  return copy;
}

struct MapIterator : SourceIterator {
  MapIterator(Value from, CallArguments given)
      : SourceIterator(std::move(from), true), arguments(std::move(given)) {}

  bool Prepare(Interpreter& in) {
    prepared = true;
    if (arguments.positional.empty() && !arguments.named.empty()) {
      std::vector<Value> given;
      if (!arguments.Bind(in, "map", {"attribute", "default"}, &given)) return false;
      path = given[0];
      fallback = given[1];
      return true;
    }
    if (arguments.positional.empty()) {
      in.Fail("map requires a filter argument");
      return false;
    }
    const Value& name = arguments.positional[0];
    filter = name.Is(Kind::kString) ? FindFilter(name.text()) : nullptr;
    if (filter != nullptr) return true;
    const Value shown = ToString(in, name);
    if (!in.failed()) in.Fail("there is no filter named '" + std::string(shown.text()) + "'");
    return false;
  }

  bool Next(Interpreter& in, Value* out) override {
    Value item;
    if (!Pull(in, &item) || (!prepared && !Prepare(in))) return false;
    if (filter != nullptr) {
      CallArguments rest = Copy(arguments, 1);
      *out = filter->call(in, item, rest);
    } else {
      *out = FollowPath(in, std::move(item), path);
      if (out->undefined() && !fallback.missing() && !fallback.Is(Kind::kNone)) *out = fallback;
    }
    return !in.failed();
  }

  CallArguments arguments;
  bool prepared = false;
  const Builtin* filter = nullptr;
  Value path, fallback;
};

Value Map(Interpreter& in, const Value& self, CallArguments& arguments) {
  return Value::Of(Kind::kIterator, in.heap().New<MapIterator>(0, self, std::move(arguments)));
}

struct SelectIterator : SourceIterator {
  SelectIterator(Value from, CallArguments given, bool keep, bool attribute)
      : SourceIterator(std::move(from), true),
        arguments(std::move(given)),
        wanted(keep),
        by_attribute(attribute) {}

  bool Prepare(Interpreter& in) {
    prepared = true;
    const size_t at = by_attribute ? 1 : 0;
    if (by_attribute) {
      if (arguments.positional.empty()) {
        in.Fail("missing parameter for attribute name");
        return false;
      }
      path = arguments.positional[0];
    }
    if (arguments.positional.size() <= at) return true;
    const Value& name = arguments.positional[at];
    test = name.Is(Kind::kString) ? FindTest(name.text()) : nullptr;
    if (test != nullptr) return true;
    const Value shown = ToString(in, name);
    if (!in.failed()) in.Fail("there is no test named '" + std::string(shown.text()) + "'");
    return false;
  }

  bool Next(Interpreter& in, Value* out) override {
    for (Value item; Pull(in, &item);) {
      if (!prepared && !Prepare(in)) return false;
      Value subject = by_attribute ? FollowPath(in, item, path) : item;
      if (in.failed()) return false;
      if (test != nullptr) {
        CallArguments rest = Copy(arguments, by_attribute ? 2 : 1);
        subject = test->call(in, subject, rest);
        if (in.failed()) return false;
      }
      if (Truth(subject) != wanted) continue;
      *out = std::move(item);
      return true;
    }
    return false;
  }

  CallArguments arguments;
  bool wanted;
  bool by_attribute;
  bool prepared = false;
  const Builtin* test = nullptr;
  Value path;
};

template <bool wanted, bool by_attribute>
Value Select(Interpreter& in, const Value& self, CallArguments& arguments) {
  return Value::Of(Kind::kIterator, in.heap().New<SelectIterator>(0, self, std::move(arguments),
                                                                  wanted, by_attribute));
}

// Text compares without case unless asked otherwise.
Value SortKey(Interpreter& in, const Value& item, const Value& path, bool case_sensitive) {
  Value key = FollowPath(in, item, path);
  if (!key.Is(Kind::kString) || case_sensitive) return key;
  if (!in.Spend(key.text().size())) return Value::Failed();
  return in.NewString(Lower(key.text()));
}

struct UniqueIterator : SourceIterator {
  UniqueIterator(Interpreter& in, Value from, Value by, bool exact)
      : SourceIterator(std::move(from), false),
        path(std::move(by)),
        case_sensitive(exact),
        seen(Value::Of(Kind::kDict, in.heap().New<DictObject>(0))) {}
  bool Next(Interpreter& in, Value* out) override {
    for (Value item; Pull(in, &item);) {
      Value key = SortKey(in, item, path, case_sensitive);
      if (in.failed() || !CheckHashable(in, key)) return false;
      auto* keys = seen.As<DictObject>();
      if (keys->Find(key) != nullptr) continue;
      keys->Set(std::move(key), Value::None());
      in.heap().Charge(keys, sizeof(DictObject::Item));
      *out = std::move(item);
      return true;
    }
    return false;
  }
  Value path;
  bool case_sensitive;
  Value seen;
};

Value Unique(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "unique", {"case_sensitive", "attribute"}, &given))
    return Value::Failed();
  return Value::Of(Kind::kIterator,
                   in.heap().New<UniqueIterator>(0, in, self, given[1], Truth(given[0])));
}

struct ItemsIterator : IteratorObject {
  explicit ItemsIterator(Value of) : source(std::move(of)) {}
  bool Next(Interpreter& in, Value* out) override {
    if (source.undefined()) return false;
    if (!source.Is(Kind::kDict)) {
      in.Fail("TypeError: can only get item pairs from a mapping, not " +
              std::string(TypeName(source)));
      return false;
    }
    const auto& items = source.As<DictObject>()->items;
    if (position >= items.size()) return false;
    *out = in.NewTuple({items[position].first, items[position].second});
    ++position;
    return !in.failed();
  }
  Value source;
  size_t position = 0;
};

Value Items(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "items", {}, &given)) return Value::Failed();
  return Value::Of(Kind::kIterator, in.heap().New<ItemsIterator>(0, self));
}

Value LengthFilter(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  return arguments.Bind(in, "length", {}, &given) ? LengthOrFail(in, self) : Value::Failed();
}

Value First(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Cursor cursor;
  if (!arguments.Bind(in, "first", {}, &given) || !cursor.Start(in, self)) return Value::Failed();
  Value item;
  if (cursor.Next(in, &item)) return item;
  return in.failed() ? Value::Failed() : Nothing("No first item, sequence was empty.");
}

Value Last(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items;
  if (!arguments.Bind(in, "last", {}, &given)) return Value::Failed();
  if (!IsIterable(self) || self.Is(Kind::kIterator)) {
    return in.Fail("TypeError: '" + std::string(TypeName(self)) + "' object is not reversible");
  }
  if (self.Is(Kind::kList) || self.Is(Kind::kTuple)) {
    const auto& all = self.As<ListObject>()->items;
    return all.empty() ? Nothing("No last item, sequence was empty.") : all.back();
  }
  if (!Collect(in, self, &items)) return Value::Failed();
  return items.empty() ? Nothing("No last item, sequence was empty.") : items.back();
}

Value List(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items;
  if (!arguments.Bind(in, "list", {}, &given) || !Collect(in, self, &items)) return Value::Failed();
  return in.NewList(std::move(items));
}

Value Reverse(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items;
  if (!arguments.Bind(in, "reverse", {}, &given)) return Value::Failed();
  if (self.Is(Kind::kString))
    return in.Slice(self, Value::None(), Value::None(), Value::Integer(-1));
  if (!IsIterable(self)) return in.Fail("argument must be iterable");
  if (!Collect(in, self, &items)) return Value::Failed();
  std::reverse(items.begin(), items.end());
  // What cannot be walked backwards was read into a list, and stays one.
  return self.Is(Kind::kIterator) ? in.NewList(std::move(items))
                                  : NewIterator(in, std::move(items));
}

Value Join(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, pieces;
  if (!arguments.Bind(in, "join", {"d", "attribute"}, &given)) return Value::Failed();
  const Value separator = given[0].missing() ? Value::Borrowed("") : ToString(in, given[0]);
  Cursor cursor;
  if (in.failed() || !cursor.Start(in, self)) return Value::Failed();
  for (Value item; cursor.Next(in, &item);) {
    pieces.push_back(ToString(in, FollowPath(in, std::move(item), given[1])));
    if (in.failed()) return Value::Failed();
  }
  return in.failed() ? Value::Failed() : JoinText(in, separator, pieces);
}

// Sorts as Python does: stable, by key, failing when two keys have no order.
struct Keyed {
  Value key, item;
};
bool SortByKey(Interpreter& in, bool reverse, std::vector<Keyed>* entries) {
  StableSort(entries, [&](const Keyed& a, const Keyed& b) {
    int order = 0;
    const Keyed& low = reverse ? b : a;
    const Keyed& high = reverse ? a : b;
    return !in.failed() && Order(in, "<", low.key, high.key, &order) && order < 0;
  });
  return !in.failed();
}

Value Sorted(Interpreter& in, std::vector<Keyed> entries, bool reverse) {
  if (in.failed() || !SortByKey(in, reverse, &entries)) return Value::Failed();
  std::vector<Value> items;
  items.reserve(entries.size());
  for (Keyed& entry : entries) items.push_back(std::move(entry.item));
  return in.NewList(std::move(items));
}

Value Sort(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items;
  if (!arguments.Bind(in, "sort", {"reverse", "case_sensitive", "attribute"}, &given))
    return Value::Failed();
  if (!Collect(in, self, &items)) return Value::Failed();
  std::vector<Value> paths;  // "a,b.c" sorts by a, then by b.c
  if (given[2].Is(Kind::kString)) {
    const std::string_view all = given[2].text();
    for (size_t start = 0; start <= all.size();) {
      const size_t comma = std::min(all.find(',', start), all.size());
      paths.push_back(given[2].Part(all.substr(start, comma - start)));
      start = comma + 1;
    }
  } else {
    paths.push_back(given[2]);
  }
  std::vector<Keyed> entries;
  for (Value& item : items) {
    std::vector<Value> keys;
    keys.reserve(paths.size());
    for (const Value& path : paths) keys.push_back(SortKey(in, item, path, Truth(given[1])));
    entries.push_back({in.NewList(std::move(keys)), std::move(item)});
    if (in.failed()) return Value::Failed();
  }
  return Sorted(in, std::move(entries), Truth(given[0]));
}

Value DictSort(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  if (!arguments.Bind(in, "dictsort", {"case_sensitive", "by", "reverse"}, &given))
    return Value::Failed();
  if (self.undefined()) return in.FailUndefined(self);
  if (!self.Is(Kind::kDict))
    return in.Fail("TypeError: dictsort needs a mapping, not " + std::string(TypeName(self)));
  const std::string_view by = given[1].Is(Kind::kString) ? given[1].text()
                              : given[1].missing()       ? "key"
                                                         : "";
  if (by != "key" && by != "value")
    return in.Fail("You can only sort by either \"key\" or \"value\"");
  std::vector<Keyed> entries;
  for (const auto& [key, value] : self.As<DictObject>()->items) {
    Value sort_key = SortKey(in, by == "key" ? key : value, Value::None(), Truth(given[0]));
    entries.push_back({std::move(sort_key), in.NewTuple({key, value})});
  }
  return Sorted(in, std::move(entries), Truth(given[2]));
}

template <bool smallest>
Value Extreme(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Cursor cursor;
  if (!arguments.Bind(in, "min", {"case_sensitive", "attribute"}, &given) ||
      !cursor.Start(in, self)) {
    return Value::Failed();
  }
  Value best, best_key;
  for (Value item; cursor.Next(in, &item);) {
    Value key = SortKey(in, item, given[1], Truth(given[0]));
    if (in.failed()) return Value::Failed();
    int order = smallest ? -1 : 1;
    if (!best.missing() && !Order(in, smallest ? "<" : ">", key, best_key, &order))
      return Value::Failed();
    if (smallest ? order >= 0 : order <= 0) continue;
    best = std::move(item);
    best_key = std::move(key);
  }
  if (in.failed()) return Value::Failed();
  return best.missing() ? Nothing("No aggregated item, sequence was empty.") : best;
}

Value Sum(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given;
  Cursor cursor;
  if (!arguments.Bind(in, "sum", {"attribute", "start"}, &given) || !cursor.Start(in, self))
    return Value::Failed();
  Value total = given[1].missing() ? Value::Integer(0) : given[1];
  if (total.Is(Kind::kString))
    return in.Fail("TypeError: sum() can't sum strings [use ''.join(seq) instead]");
  for (Value item; cursor.Next(in, &item);) {
    const Value next = FollowPath(in, std::move(item), given[0]);
    if (in.failed()) return Value::Failed();
    total = Arithmetic(in, ExprKind::kAdd, std::move(total), next);
  }
  return in.failed() ? Value::Failed() : total;
}

Value BuildBatches(Interpreter& in, const Value& self, const std::vector<Value>& given) {
  std::vector<Value> items, batches, batch;
  int64_t size = 0;
  if (!Collect(in, self, &items) || !ToIndex(in, given[0], &size)) return Value::Failed();
  for (Value& item : items) {
    if (static_cast<int64_t>(batch.size()) == size) {
      batches.push_back(in.NewList(std::exchange(batch, {})));
    }
    batch.push_back(std::move(item));
  }
  if (!batch.empty()) {
    const bool fill = !given[1].missing() && !given[1].Is(Kind::kNone) &&
                      size > static_cast<int64_t>(batch.size());
    if (fill) {
      const auto wanted = static_cast<size_t>(std::min<int64_t>(size, int64_t{1} << 40));
      const size_t bytes = wanted * sizeof(Value);
      if (!in.Reserve(bytes) || !in.Spend(bytes)) return Value::Failed();
      batch.resize(wanted, given[1]);
    }
    batches.push_back(in.NewList(std::move(batch)));
  }
  return NewIterator(in, std::move(batches));
}

Value BuildSlices(Interpreter& in, const Value& self, const std::vector<Value>& given) {
  std::vector<Value> items, slices;
  int64_t count = 0;
  if (!Collect(in, self, &items) || !ToIndex(in, given[0], &count)) return Value::Failed();
  if (count == 0) return in.Fail("ZeroDivisionError: integer division or modulo by zero");
  const bool fill = !given[1].missing() && !given[1].Is(Kind::kNone);
  const auto total = static_cast<int64_t>(items.size());
  auto next = items.begin();
  for (int64_t i = 0; i < count; ++i) {
    const bool longer = i < total % count;
    const auto end = next + total / count + (longer ? 1 : 0);
    std::vector<Value> slice(next, end);
    if (fill && !longer) slice.push_back(given[1]);
    slices.push_back(in.NewList(std::move(slice)));
    next = end;
    if (in.failed() || !in.Spend()) return Value::Failed();
  }
  return NewIterator(in, std::move(slices));
}

template <BuildValues build>
Value Parts(Interpreter& in, const Value& self, CallArguments& arguments) {
  const bool batches = build == BuildBatches;
  std::vector<Value> given;
  if (!arguments.Bind(in, batches ? "batch" : "slice",
                      {batches ? "linecount" : "slices", "fill_with"}, &given)) {
    return Value::Failed();
  }
  if (given[0].missing()) return in.Fail("TypeError: batch and slice need a number");
  return Value::Of(Kind::kIterator,
                   in.heap().New<DeferredIterator>(0, self, std::move(given), build));
}

Value GroupBy(Interpreter& in, const Value& self, CallArguments& arguments) {
  std::vector<Value> given, items, groups;
  if (!arguments.Bind(in, "groupby", {"attribute", "default", "case_sensitive"}, &given) ||
      !Collect(in, self, &items)) {
    return Value::Failed();
  }
  if (given[0].missing()) return in.Fail("TypeError: groupby needs an attribute");
  const auto key_of = [&](const Value& item) {
    Value key = FollowPath(in, item, given[0]);
    return key.undefined() && !given[1].missing() ? given[1] : key;
  };
  std::vector<Keyed> entries;
  for (Value& item : items) {
    Value key = SortKey(in, key_of(item), Value::None(), Truth(given[2]));
    entries.push_back({std::move(key), std::move(item)});
    if (in.failed()) return Value::Failed();
  }
  if (!SortByKey(in, false, &entries)) return Value::Failed();
  for (size_t start = 0; start < entries.size();) {
    std::vector<Value> group;
    size_t end = start;
    while (end < entries.size() && Equal(in, entries[start].key, entries[end].key))
      group.push_back(entries[end++].item);
    const Value tuple = in.NewTuple({key_of(entries[start].item), in.NewList(std::move(group))});
    if (in.failed()) return Value::Failed();
    tuple.As<ListObject>()->is_group = true;
    groups.push_back(tuple);
    start = std::max(end, start + 1);
  }
  return in.NewList(std::move(groups));
}

constexpr Builtin kSequenceFilters[] = {
    {"batch", Parts<BuildBatches>},
    {"count", LengthFilter},
    {"dictsort", DictSort},
    {"first", First},
    {"groupby", GroupBy},
    {"items", Items},
    {"join", Join},
    {"last", Last},
    {"length", LengthFilter},
    {"list", List},
    {"map", Map},
    {"max", Extreme<false>},
    {"min", Extreme<true>},
    {"reject", Select<false, false>},
    {"rejectattr", Select<false, true>},
    {"reverse", Reverse},
    {"select", Select<true, false>},
    {"selectattr", Select<true, true>},
    {"slice", Parts<BuildSlices>},
    {"sort", Sort},
    {"sum", Sum},
    {"unique", Unique},
};

}  // namespace

BuiltinTable SequenceFilters() {
  return {std::begin(kSequenceFilters), std::end(kSequenceFilters)};
}

}  // namespace ac::jinja
