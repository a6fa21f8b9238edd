#include "tokenizer/internal/merger.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace ac::tokenizer::internal {
namespace {

// Symbols 0..3 merge at random ranks into new symbols, which merge again.
PairTable RandomTable(std::mt19937& random, int symbols) {
  PairTable table;
  table.Reserve(200);
  for (int i = 0; i < 200; ++i) {
    // Few ranks, so that ties between different pairs occur.
    table.Insert(static_cast<Symbol>(random() % symbols), static_cast<Symbol>(random() % symbols),
                 static_cast<uint32_t>(random() % 40), static_cast<Symbol>(random() % symbols));
  }
  return table;
}

// The definition, taken literally.
std::vector<Symbol> MergeSlowly(const PairTable& pairs, std::vector<Symbol> symbols) {
  while (true) {
    size_t best = 0;
    PairTable::Entry best_entry;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const PairTable::Entry entry = pairs.Find(symbols[i], symbols[i + 1]);
      if (entry.rank < best_entry.rank) {
        best_entry = entry;
        best = i;
      }
    }
    if (best_entry.rank == PairTable::kNoRank) return symbols;
    symbols[best] = best_entry.result;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
}

TEST(MergerTest, BothAlgorithmsFollowTheDefinition) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const PairTable table = RandomTable(random, 4 + static_cast<int>(random() % 20));
    std::vector<Symbol> symbols(random() % (kShortWord + 1));
    for (Symbol& s : symbols) {
      s = random() % 10 == 0 ? -1 - static_cast<Symbol>(random() % 9)
                             : static_cast<Symbol>(random() % 6);
    }
    const std::vector<Symbol> expected = MergeSlowly(table, symbols);
    std::vector<Symbol> in_short = symbols;
    in_short.resize(MergeShort(table, in_short.data(), in_short.size()));
    EXPECT_EQ(in_short, expected);
    std::vector<Symbol> in_long = symbols;
    in_long.resize(MergeLong(table, in_long.data(), in_long.size()));
    EXPECT_EQ(in_long, expected);
  }
}

TEST(MergerTest, ALongRunOfOneSymbolMergesLeftmostFirst) {
  PairTable table;
  table.Reserve(2);
  table.Insert(0, 0, 0, 1);
  table.Insert(1, 1, 1, 2);
  std::vector<Symbol> symbols(1'000'003, 0);
  symbols.resize(Merge(table, symbols.data(), symbols.size()));
  ASSERT_EQ(symbols.size(), 250'002u);
  EXPECT_EQ(symbols.front(), 2);
  EXPECT_EQ(symbols[250'000], 1);
  EXPECT_EQ(symbols[250'001], 0);
}

TEST(MergerTest, TheBetterRankOfAPairStays) {
  PairTable table;
  table.Reserve(3);
  table.Insert(1, 2, 5, 10);
  table.Insert(1, 2, 3, 11);
  table.Insert(1, 2, 4, 12);
  EXPECT_EQ(table.Find(1, 2).rank, 3u);
  EXPECT_EQ(table.Find(1, 2).result, 11);
  EXPECT_EQ(table.Find(2, 1).rank, PairTable::kNoRank);
}

TEST(MergerTest, NegativeSymbolsNeverMerge) {
  PairTable table;
  EXPECT_EQ(table.Find(-1, -1).rank, PairTable::kNoRank);
  table.Reserve(1);
  table.Insert(0, 0, 0, 0);
  EXPECT_EQ(table.Find(-1, -1).rank, PairTable::kNoRank);
  EXPECT_EQ(table.Find(-1, 0).rank, PairTable::kNoRank);
}

}  // namespace
}  // namespace ac::tokenizer::internal
