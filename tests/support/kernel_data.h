// Random weights in every format, pages of a cache, and the tables that kernel tests run over.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/select.h"
#include "kernels/table.h"
#include "quant/quant.h"

#if defined(__x86_64__)
// Linked into the tests of kernels alone.
extern "C" const ac_kernel_table ac_kernels_amx_emulated;
#endif

namespace ac::kernels::test {

// Those that run here, and the AMX table over emulated tiles where the rest of it runs.
inline std::vector<const ac_kernel_table*> TestedTables() {
  auto tables = RunnableTables();
#if defined(__x86_64__)
  if (std::find(tables.begin(), tables.end(), &ac_kernels_avx512) != tables.end()) {
    tables.push_back(&ac_kernels_amx_emulated);
  }
#endif
  return tables;
}

struct Matrix {
  std::vector<unsigned char> bytes;
  std::vector<unsigned char> scales, biases;
  ac_matrix view = {};
};

inline int64_t BlockOf(ac_quant_type type) {
  return type == AC_MLX_AFFINE ? 64 : quant::InfoOf(type).block_elements;
}

inline void PutF16(std::vector<unsigned char>& bytes, size_t at, float value) {
  const ac_f16 bits = quant::F32ToF16(value);
  bytes[at] = static_cast<unsigned char>(bits & 255);
  bytes[at + 1] = static_cast<unsigned char>(bits >> 8);
}

// Random bits are valid blocks of every quantised format once their scales are finite.
inline void SetScales(ac_quant_type type, std::vector<unsigned char>& bytes, std::mt19937& random) {
  std::uniform_real_distribution<float> scale(-0.05f, 0.05f);
  const auto block = static_cast<size_t>(quant::InfoOf(type).block_bytes);
  std::vector<size_t> halves;
  switch (type) {
    case AC_Q8_0:
    case AC_Q4_0:
    case AC_Q5_0:
    case AC_IQ4_NL:
    case AC_IQ4_XS:
      halves = {0};
      break;
    case AC_Q4_1:
    case AC_Q5_1:
    case AC_Q4_K:
    case AC_Q5_K:
      halves = {0, 2};
      break;
    case AC_Q2_K:
      halves = {block - 4, block - 2};
      break;
    case AC_Q3_K:
    case AC_Q6_K:
      halves = {block - 2};
      break;
    default:
      break;
  }
  for (size_t at = 0; at + block <= bytes.size(); at += block) {
    for (size_t half : halves) PutF16(bytes, at + half, scale(random));
    if (type == AC_MXFP4) bytes[at] = static_cast<unsigned char>(118 + bytes[at] % 8);
  }
}

inline Matrix RandomMatrix(ac_quant_type type, int64_t rows, int64_t cols, std::mt19937& random) {
  Matrix m;
  std::uniform_int_distribution<int> byte(0, 255);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  m.view.type = type;
  m.view.rows = rows;
  m.view.cols = cols;
  if (type == AC_MLX_AFFINE) {
    m.view.bits = 4;
    m.view.group_size = 64;
    m.view.scale_type = AC_F16;
    m.view.row_bytes = static_cast<size_t>(cols / 2);
    const auto groups = static_cast<size_t>(rows * cols / 64);
    m.scales.resize(groups * 2);
    m.biases.resize(groups * 2);
    for (size_t g = 0; g < groups; ++g) {
      PutF16(m.scales, 2 * g, 0.05f * normal(random));
      PutF16(m.biases, 2 * g, 0.1f * normal(random));
    }
    m.view.scales = m.scales.data();
    m.view.biases = m.biases.data();
  } else {
    m.view.row_bytes = quant::RowBytes(type, cols).value();
  }
  // One byte in front: weights of a mapped file lie at any address.
  m.bytes.resize(static_cast<size_t>(rows) * m.view.row_bytes);
  if (type == AC_F32 || type == AC_F16 || type == AC_BF16) {
    std::vector<float> row(static_cast<size_t>(cols));
    for (int64_t r = 0; r < rows; ++r) {
      for (float& v : row) v = normal(random);
      EXPECT_TRUE(quant::QuantizeRow(type, row.data(), cols,
                                     m.bytes.data() + static_cast<size_t>(r) * m.view.row_bytes)
                      .ok());
    }
  } else {
    for (auto& b : m.bytes) b = static_cast<unsigned char>(byte(random));
    if (type != AC_MLX_AFFINE) SetScales(type, m.bytes, random);
  }
  if (type != AC_MLX_AFFINE) {
    m.bytes.insert(m.bytes.begin(), 0);
    m.view.data = m.bytes.data() + 1;
  } else {
    m.view.data = m.bytes.data();
  }
  return m;
}

struct AttentionShape {
  int heads, kv_heads, head_dim, position, tokens, window;
  ac_kv_type type;
};

// Pages in shuffled order, filled with junk that must not be seen.
class Pages {
 public:
  Pages(const AttentionShape& s, std::mt19937& random) {
    view_.type = s.type;
    view_.page_tokens = 64;
    view_.n_kv_heads = s.kv_heads;
    view_.head_dim = s.head_dim;
    const int element = s.type == AC_KV_F32 ? 4 : s.type == AC_KV_BF16 ? 2 : 1;
    view_.head_bytes = static_cast<size_t>(64 * (s.head_dim * element + (element == 1 ? 4 : 0)));
    const size_t side = view_.head_bytes * static_cast<size_t>(s.kv_heads);
    view_.key_offset = 64;
    view_.value_offset = 64 + side;
    const size_t page_bytes = 64 + 2 * side;
    const auto count = static_cast<size_t>((s.position + s.tokens + 63) / 64);
    // 0x3f3f.. is a finite number in every KV type.
    memory_.assign(count * page_bytes, 0x3f);
    for (size_t i = 0; i < count; ++i) pointers_.push_back(memory_.data() + i * page_bytes);
    std::shuffle(pointers_.begin(), pointers_.end(), random);
    view_.pages = pointers_.data();
  }
  const ac_kv_view& view() const { return view_; }

 private:
  std::vector<unsigned char> memory_;
  std::vector<unsigned char*> pointers_;
  ac_kv_view view_ = {};
};

}  // namespace ac::kernels::test
