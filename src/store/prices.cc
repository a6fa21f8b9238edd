#include "store/prices.h"

#include <algorithm>
#include <cctype>

#include "json/json.h"

namespace ac::store {
namespace {

constexpr std::string_view kFormat = "anyclaude-prices";
constexpr int64_t kVersion = 1;

Result<TokenRates> ReadRates(const json::Value& entry) {
  TokenRates rates;
  const std::pair<std::string_view, std::optional<double>*> fields[] = {
      {"input", &rates.input},
      {"output", &rates.output},
      {"cache_write_5m", &rates.cache_write_5m},
      {"cache_write_1h", &rates.cache_write_1h},
      {"cache_read", &rates.cache_read}};
  for (const auto& [name, target] : fields) {
    const json::Value* value = json::Find(entry, name);
    if (value == nullptr || value->is_null()) continue;
    *target = json::AsDouble(value);
    if (!target->has_value() || **target < 0) {
      return InvalidArgument(std::string(name) + " must be a price, a number of at least 0");
    }
  }
  return rates;
}

Result<ModelPrice> ReadModel(const json::Value& entry) {
  ModelPrice price;
  price.model = json::GetString(entry, "model").value_or("");
  if (price.model.empty()) return InvalidArgument("an entry of models has no model");
  price.date = json::GetString(entry, "date").value_or("");
  price.source = json::GetString(entry, "source").value_or("");
  Result<TokenRates> rates = ReadRates(entry);
  if (!rates.ok()) return rates.status().WithPrefix(price.model);
  price.rates = *rates;
  if (const json::Value* rule = json::Find(entry, "long_prompt")) {
    price.long_prompt_tokens = json::GetInt(*rule, "above_tokens").value_or(0);
    Result<TokenRates> long_rates = ReadRates(*rule);
    if (!long_rates.ok()) return long_rates.status().WithPrefix(price.model);
    if (price.long_prompt_tokens <= 0) {
      return InvalidArgument(price.model + ": long_prompt.above_tokens must be above 0");
    }
    price.long_rates = *long_rates;
  }
  return price;
}

// Adds tokens x rate; an absent rate makes the sum unknown when there are tokens to pay for.
void Charge(int64_t tokens, const std::optional<double>& rate, std::optional<double>* sum) {
  if (tokens == 0 || !sum->has_value()) return;
  if (!rate.has_value()) {
    sum->reset();
    return;
  }
  **sum += static_cast<double>(tokens) * *rate / 1e6;
}

// "-20260724", "@20260724", "-2026-07-24", "[1m]", "-latest": spellings of the same model.
bool IsVariantSuffix(std::string_view suffix) {
  if (suffix.empty() || suffix == "-latest" || suffix == "[1m]") return true;
  if (suffix.ends_with("[1m]")) suffix.remove_suffix(4);
  if (suffix.size() < 9 || (suffix[0] != '-' && suffix[0] != '@')) return false;
  return std::all_of(suffix.begin() + 1, suffix.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-';
  });
}

}  // namespace

Result<Prices> Prices::Load(FileSystem& fs, const std::string& home) {
  Prices prices;
  AC_RETURN_IF_ERROR(prices.Add(BuiltInPrices()).WithPrefix("[store] built-in prices"));
  const std::string path = JoinPath(home, "prices.json");
  if (!fs.Exists(path)) return prices;
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, path));
  AC_RETURN_IF_ERROR(prices.Add(text).WithPrefix("[store] " + path));
  return prices;
}

Status Prices::Add(std::string_view text) {
  AC_ASSIGN_OR_RETURN(const json::Value file, json::Parse(text));
  if (json::GetString(file, "format") != kFormat || json::GetInt(file, "version") != kVersion) {
    return InvalidArgument("needs \"format\": \"" + std::string(kFormat) +
                           "\" and \"version\": " + std::to_string(kVersion));
  }
  if (const json::Array* models = json::AsArray(json::Find(file, "models"))) {
    for (const json::Value& entry : *models) {
      AC_ASSIGN_OR_RETURN(ModelPrice price, ReadModel(entry));
      std::string name = price.model;
      models_.insert_or_assign(std::move(name), std::move(price));
    }
  }
  if (const json::Array* hourly = json::AsArray(json::Find(file, "hourly"))) {
    for (const json::Value& entry : *hourly) {
      const auto mode = json::GetString(entry, "mode");
      const auto price = json::GetDouble(entry, "per_hour");
      if (!mode || !price || *price < 0) {
        return InvalidArgument("an entry of hourly needs mode and per_hour");
      }
      hourly_.insert_or_assign(std::string(*mode), *price);
    }
  }
  const json::Value* electricity = json::Find(file, "electricity");
  if (electricity != nullptr && !electricity->is_null()) {
    const auto watts = json::GetDouble(*electricity, "watts");
    const auto per_kwh = json::GetDouble(*electricity, "per_kwh");
    if (!watts || !per_kwh || *watts < 0 || *per_kwh < 0) {
      return InvalidArgument("electricity needs watts and per_kwh");
    }
    local_hourly_ = *watts / 1000 * *per_kwh;
  }
  return OkStatus();
}

const ModelPrice* Prices::Find(std::string_view model) const {
  const size_t slash = model.rfind('/');
  if (slash != std::string_view::npos) model.remove_prefix(slash + 1);
  const ModelPrice* best = nullptr;
  for (const auto& [name, price] : models_) {
    if (!model.starts_with(name) || !IsVariantSuffix(model.substr(name.size()))) continue;
    if (best == nullptr || name.size() > best->model.size()) best = &price;
  }
  return best;
}

std::optional<double> Prices::CostOf(const PricedUsage& usage) const {
  if (const auto it = hourly_.find(usage.mode); it != hourly_.end()) {
    return it->second * usage.seconds / 3600;
  }
  if (usage.mode == "local") {
    if (!local_hourly_.has_value()) return std::nullopt;
    return *local_hourly_ * usage.seconds / 3600;
  }
  const ModelPrice* price = Find(usage.model);
  if (price == nullptr) return std::nullopt;
  const int64_t prompt = usage.input_tokens + usage.cache_read + usage.cache_write;
  const bool is_long = price->long_prompt_tokens > 0 && prompt > price->long_prompt_tokens;
  const TokenRates& rates = is_long ? price->long_rates : price->rates;
  std::optional<double> write;
  if (usage.cache_life == CacheLife::kFiveMinutes) write = rates.cache_write_5m;
  if (usage.cache_life == CacheLife::kOneHour) write = rates.cache_write_1h;
  std::optional<double> sum = 0;
  Charge(usage.input_tokens, rates.input, &sum);
  Charge(usage.cache_read, rates.cache_read, &sum);
  Charge(usage.cache_write, write, &sum);
  Charge(usage.output_tokens, rates.output, &sum);
  return sum;
}

}  // namespace ac::store
