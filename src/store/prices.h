// What a request cost: list prices per model, hourly prices of rented machines, electricity.
//
// From a file with date and source of every number (docs/formats/prices.md): the built-in one, and
// the user's, whose entries win. What no entry covers is unknown, never zero. A value; const access
// is thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"

namespace ac::store {

// Dollars per million tokens. A price that the vendor does not publish is absent.
struct TokenRates {
  std::optional<double> input;
  std::optional<double> output;
  std::optional<double> cache_write_5m;
  std::optional<double> cache_write_1h;
  std::optional<double> cache_read;
};

struct ModelPrice {
  std::string model;
  TokenRates rates;
  int64_t long_prompt_tokens = 0;  // prompts above it pay long_rates; 0: no such rule
  TokenRates long_rates;
  std::string date;
  std::string source;
};

// How long what a request wrote to the cache will live; decides the price of writing.
enum class CacheLife { kFiveMinutes, kOneHour, kMixed };

struct PricedUsage {
  std::string mode;
  std::string model;
  int64_t input_tokens = 0;
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t output_tokens = 0;
  CacheLife cache_life = CacheLife::kFiveMinutes;
  double seconds = 0;
};

class Prices {
 public:
  // The built-in file and, when it exists, HOME/prices.json. Errors name the file and the entry.
  static Result<Prices> Load(FileSystem& fs, const std::string& home);
  // Entries of `text` win over those already there.
  Status Add(std::string_view text);

  // Dollars; nothing when a price that the request needs is not known.
  std::optional<double> CostOf(const PricedUsage& usage) const;
  // The entry of a model, also of a dated or routed spelling ("anthropic/claude-opus-5-20260724").
  const ModelPrice* Find(std::string_view model) const;
  const std::map<std::string, ModelPrice, std::less<>>& models() const { return models_; }

 private:
  std::map<std::string, ModelPrice, std::less<>> models_;
  std::map<std::string, double, std::less<>> hourly_;  // mode -> dollars per hour
  std::optional<double> local_hourly_;                 // of electricity
};

// The file that is part of the program.
std::string_view BuiltInPrices();

}  // namespace ac::store
