#include "kernels/kernels.h"

#include <algorithm>
#include <cassert>

namespace ac::kernels {
namespace {

// Elements below which a simple operation is done before another thread would have woken up.
constexpr int64_t kInlineCost = 16384;
// pack() may be asked for tokens beginning at multiples of this.
constexpr int64_t kPackGrain = 16;

size_t RoundUp(size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Work of several operations laid end to end; Visit finds whose units a range covers.
class Concatenation {
 public:
  void Append(int64_t units) { ends_.push_back(total() + units); }
  int64_t total() const { return ends_.empty() ? 0 : ends_.back(); }

  void Visit(int64_t begin, int64_t end,
             FunctionRef<void(size_t op, int64_t begin, int64_t end)> visit) const {
    auto op =
        static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
    for (; begin < end; ++op) {
      const int64_t base = op == 0 ? 0 : ends_[op - 1];
      const int64_t stop = std::min(end, ends_[op]);
      if (begin < stop) visit(op, begin - base, stop - base);
      begin = stop;
    }
  }

 private:
  std::vector<int64_t> ends_;
};

}  // namespace

Kernels::Kernels(const ac_kernel_table& table, cpu::ThreadPool& pool)
    : table_(table), pool_(pool), scratch_(static_cast<size_t>(pool.threads())) {}

void Kernels::ForRows(int64_t rows, int64_t n, FunctionRef<void(int64_t, int64_t)> body,
                      int64_t grain) {
  if (rows * n <= kInlineCost) {
    if (rows > 0) body(0, rows);
    return;
  }
  pool_.ParallelFor(rows, grain, [&](int64_t begin, int64_t end, int) { body(begin, end); });
}

void Kernels::ReserveScratch(size_t bytes) {
  for (auto& scratch : scratch_) scratch.EnsureSize(bytes);
}

void Kernels::PackInputs(std::span<const Product> products) {
  packed_.clear();
  size_t bytes = 0;
  for (const Product& p : products) {
    const int form = table_.pack_form(p.weights, p.tokens);
    if (form == AC_PACK_NONE || p.tokens == 0) continue;
    if (FindPacked(p, form) != nullptr) continue;
    const size_t size = RoundUp(table_.pack_bytes(form, p.tokens, p.weights->cols));
    packed_.push_back({p.x, p.tokens, p.weights->cols, form, bytes, size});
    bytes += size;
  }
  packed_bytes_.EnsureSize(bytes);
  for (const Packed& input : packed_) {
    ForRows(
        input.tokens, input.cols,
        [&](int64_t begin, int64_t end) {
          table_.pack(input.form, input.x, input.tokens, input.cols, begin, end,
                      packed_bytes_.data() + input.offset);
        },
        kPackGrain);
  }
}

const Kernels::Packed* Kernels::FindPacked(const Product& p, int form) const {
  for (const Packed& have : packed_) {
    if (have.x == p.x && have.tokens == p.tokens && have.form == form) return &have;
  }
  return nullptr;
}

void Kernels::MatMul(std::span<const Product> products) {
  PackInputs(products);
  std::vector<ac_matmul> ops;
  Concatenation rows;
  size_t scratch = 0;
  for (const Product& p : products) {
    assert(p.weights != nullptr && (p.tokens == 0 || (p.x != nullptr && p.out != nullptr)));
    const Packed* packed = FindPacked(p, table_.pack_form(p.weights, p.tokens));
    ops.push_back({p.weights, p.x,
                   packed == nullptr ? nullptr : packed_bytes_.data() + packed->offset, p.tokens,
                   p.out, p.out_stride == 0 ? p.weights->rows : p.out_stride});
    scratch = std::max(scratch, table_.matmul_scratch(&ops.back()));
    rows.Append(p.tokens == 0 ? 0 : CeilDiv(p.weights->rows, table_.row_block));
  }
  ReserveScratch(scratch);
  pool_.ParallelFor(rows.total(), 1, [&](int64_t first, int64_t last, int worker) {
    rows.Visit(first, last, [&](size_t op, int64_t from, int64_t to) {
      const ac_matmul& m = ops[op];
      const int64_t begin = from * table_.row_block;
      const int64_t end = std::min(to * table_.row_block, m.weights->rows);
      table_.matmul(&m, begin, end, scratch_[static_cast<size_t>(worker)].data());
      if (const float* bias = products[op].bias; bias != nullptr) {
        for (int64_t t = 0; t < m.tokens; ++t) {
          table_.add_scaled(m.out + t * m.out_stride + begin, bias + begin, 1.0f, end - begin);
        }
      }
    });
  });
}

void Kernels::RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t n,
                      float* out) {
  ForRows(rows, n, [&](int64_t begin, int64_t end) {
    table_.rms_norm(x + begin * n, weight, eps, end - begin, n, out + begin * n);
  });
}

void Kernels::Rope(float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
                   ac_rope_style style, const float* cos, const float* sin) {
  const int64_t row = int64_t{n_heads} * head_dim;
  ForRows(tokens, row, [&](int64_t begin, int64_t end) {
    table_.rope(x + begin * row, end - begin, n_heads, head_dim, dims, style,
                cos + begin * (dims / 2), sin + begin * (dims / 2));
  });
}

void Kernels::KvWrite(const ac_kv_view& kv, int64_t position, int64_t tokens, const float* k,
                      const float* v) {
  const int64_t row = int64_t{kv.n_kv_heads} * kv.head_dim;
  ForRows(
      tokens, 2 * row,
      [&](int64_t begin, int64_t end) {
        table_.kv_write(&kv, position + begin, end - begin, k + begin * row, v + begin * row);
      },
      kv.page_tokens);
}

void Kernels::Attention(std::span<const ac_attention> sequences,
                        std::span<const SharedPrefix> prefixes) {
  if (!prefixes.empty()) SharedAttention(sequences, prefixes);
  std::vector<bool> done(sequences.size(), false);
  for (const SharedPrefix& prefix : prefixes) {
    for (const size_t member : prefix.members) done[member] = true;
  }
  int64_t all_units = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const ac_attention& a = sequences[i];
    if (!done[i]) all_units += a.kv.n_kv_heads * CeilDiv(a.tokens, table_.query_block);
  }
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (done[i] || !SplitsByRange(sequences[i], all_units)) continue;
    AttentionByRange(sequences[i]);
    done[i] = true;
  }
  // A unit is one KV head and one block of queries. The last blocks see the longest context, so
  // they go first and the short ones fill the gaps at the end.
  Concatenation units;
  size_t scratch = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const ac_attention& a = sequences[i];
    units.Append(done[i] ? 0 : a.kv.n_kv_heads * CeilDiv(a.tokens, table_.query_block));
    scratch = std::max(scratch, done[i] ? 0 : table_.attention_scratch(&a));
  }
  ReserveScratch(scratch);
  pool_.ParallelFor(units.total(), 1, [&](int64_t first, int64_t last, int worker) {
    units.Visit(first, last, [&](size_t sequence, int64_t from, int64_t to) {
      const ac_attention& a = sequences[sequence];
      const int64_t blocks = CeilDiv(a.tokens, table_.query_block);
      for (int64_t unit = from; unit < to; ++unit) {
        const int64_t block = blocks - 1 - unit / a.kv.n_kv_heads;
        const int64_t begin = block * table_.query_block;
        table_.attention(&a, static_cast<int32_t>(unit % a.kv.n_kv_heads), begin,
                         std::min(begin + table_.query_block, a.tokens),
                         scratch_[static_cast<size_t>(worker)].data());
      }
    });
  });
}

namespace {

// Ranges of positions that the queries of a sequence see.
struct Ranges {
  int64_t first;
  int64_t count;
};
Ranges RangesOf(const ac_attention& a) {
  const int64_t oldest = a.window > 0 ? std::max<int64_t>(0, a.position - a.window + 1) : 0;
  const int64_t first = oldest / AC_KV_RANGE;
  return {first, (a.position + a.tokens - 1) / AC_KV_RANGE - first + 1};
}

// Heads below which, for each thread, ranges are shared out too: then nobody waits long for the
// last head.
constexpr int64_t kUnitsPerThread = 4;

}  // namespace

bool Kernels::SplitsByRange(const ac_attention& a, int64_t units) const {
  return table_.attention_part != nullptr && pool_.threads() > 1 && a.tokens > 0 &&
         a.tokens <= table_.query_block && units < kUnitsPerThread * pool_.threads() &&
         RangesOf(a).count > 1;
}

// A unit is one range of one KV head; the heads then join their ranges.
void Kernels::AttentionByRange(const ac_attention& a) {
  const Ranges ranges = RangesOf(a);
  const size_t part = table_.attention_part_bytes(&a, 0, a.tokens);
  const auto head_parts = part * static_cast<size_t>(ranges.count);
  const int64_t heads = a.kv.n_kv_heads;
  parts_.EnsureSize(head_parts * static_cast<size_t>(heads));
  ReserveScratch(table_.attention_scratch(&a));
  pool_.ParallelFor(heads * ranges.count, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t unit = begin; unit < end; ++unit) {
      table_.attention_part(&a, static_cast<int32_t>(unit / ranges.count), 0, a.tokens,
                            ranges.first + unit % ranges.count,
                            parts_.data() + static_cast<size_t>(unit) * part,
                            scratch_[static_cast<size_t>(worker)].data());
    }
  });
  pool_.ParallelFor(heads, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t head = begin; head < end; ++head) {
      table_.attention_join(&a, static_cast<int32_t>(head), 0, a.tokens,
                            parts_.data() + static_cast<size_t>(head) * head_parts, ranges.count,
                            scratch_[static_cast<size_t>(worker)].data());
    }
  });
}

// A unit is one KV head of a group of sequences. Where the heads are fewer than the threads, groups
// are cut: each part reads the prefix itself, beside the others.
void Kernels::SharedAttention(std::span<const ac_attention> sequences,
                              std::span<const SharedPrefix> prefixes) {
  struct Group {
    std::vector<const ac_attention*> members;
    int64_t shared;
  };
  std::vector<Group> groups;
  Concatenation units;
  size_t scratch = 0;
  for (const SharedPrefix& prefix : prefixes) {
    const int64_t heads = sequences[prefix.members.front()].kv.n_kv_heads;
    const auto count = static_cast<int64_t>(prefix.members.size());
    const int64_t wanted =
        std::max(CeilDiv(count, AC_MAX_SHARING), std::min(CeilDiv(pool_.threads(), heads), count));
    const int64_t size = CeilDiv(count, wanted);
    for (int64_t begin = 0; begin < count; begin += size) {
      Group& group = groups.emplace_back(Group{{}, prefix.positions});
      for (int64_t i = begin; i < std::min(begin + size, count); ++i) {
        group.members.push_back(&sequences[prefix.members[static_cast<size_t>(i)]]);
      }
      units.Append(heads);
      scratch =
          std::max(scratch, table_.shared_attention_scratch(
                                group.members.data(), static_cast<int32_t>(group.members.size())));
    }
  }
  ReserveScratch(scratch);
  pool_.ParallelFor(units.total(), 1, [&](int64_t first, int64_t last, int worker) {
    units.Visit(first, last, [&](size_t index, int64_t from, int64_t to) {
      const Group& group = groups[index];
      for (int64_t head = from; head < to; ++head) {
        table_.shared_attention(group.members.data(), static_cast<int32_t>(group.members.size()),
                                group.shared, static_cast<int32_t>(head),
                                scratch_[static_cast<size_t>(worker)].data());
      }
    });
  });
}

void Kernels::SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  ForRows(
      n, 8,
      [&](int64_t begin, int64_t end) {
        table_.silu_mul(gate + begin, up + begin, end - begin, out + begin);
      },
      1024);
}

void Kernels::AddScaled(float* x, const float* y, float scale, int64_t n) {
  ForRows(
      n, 1,
      [&](int64_t begin, int64_t end) {
        table_.add_scaled(x + begin, y + begin, scale, end - begin);
      },
      1024);
}

void EmbeddingRow(const ac_matrix& table, int64_t token, float* out) {
  ac_dequantize_row(&table, token, out);
}

}  // namespace ac::kernels
