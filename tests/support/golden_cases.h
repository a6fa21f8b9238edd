// The golden models of the shared test data: prompts, and what a widely used public engine
// answered.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"
#include "model/model.h"
#include "support/shared_data.h"

namespace ac::testing {

struct GoldenStep {
  model::TokenId token = 0;
  std::vector<std::pair<model::TokenId, double>> top;
};

struct GoldenCase {
  std::vector<model::TokenId> prompt;
  std::vector<GoldenStep> steps;
};

inline std::vector<model::TokenId> ReadIds(const json::Value* value) {
  std::vector<model::TokenId> ids;
  for (const json::Value& id : *json::AsArray(value)) {
    ids.push_back(static_cast<model::TokenId>(json::AsInt(&id).value()));
  }
  return ids;
}

inline std::vector<GoldenCase> ReadGoldenCases(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const auto document = json::Parse(text.str());
  if (!document.ok()) {
    ADD_FAILURE() << path << ": " << document.status();
    return {};
  }
  std::vector<GoldenCase> cases;
  for (const json::Value& entry : *json::AsArray(json::Find(*document, "cases"))) {
    GoldenCase c;
    c.prompt = ReadIds(json::Find(entry, "prompt"));
    const auto tokens = ReadIds(json::Find(entry, "tokens"));
    const json::Array& top = *json::AsArray(json::Find(entry, "top"));
    for (size_t i = 0; i < tokens.size(); ++i) {
      GoldenStep step{tokens[i], {}};
      for (const json::Value& best : *json::AsArray(&top[i])) {
        step.top.emplace_back(static_cast<model::TokenId>(json::GetInt(best, "id").value()),
                              json::GetDouble(best, "logprob").value());
      }
      c.steps.push_back(std::move(step));
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

inline std::vector<double> LogSoftmax(const std::vector<float>& logits) {
  double max = -1e300, sum = 0;
  for (float x : logits) max = std::max(max, static_cast<double>(x));
  for (float x : logits) sum += std::exp(static_cast<double>(x) - max);
  std::vector<double> result;
  for (float x : logits) result.push_back(static_cast<double>(x) - max - std::log(sum));
  return result;
}

// Files under golden/, without endings; a name that cannot be opened when there are none.
inline std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(SharedData("golden"), error)) {
    if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names.push_back("missing");
  return names;
}

}  // namespace ac::testing
