// Traces of real coding-agent sessions (shared data): which blocks of 64 tokens each prompt held.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "json/json.h"
#include "support/shared_data.h"

namespace ac::testing {

struct TraceRequest {
  std::vector<int64_t> blocks;  // ids of the prompt's whole 64-token blocks
  int64_t tokens = 0;
};

inline void CollectRequests(const json::Array& requests, std::vector<TraceRequest>* out) {
  for (const json::Value& value : requests) {
    const json::Object& object = value.get_object();
    if (const json::Value* ids = object.if_contains("hash_ids")) {
      TraceRequest request;
      for (const json::Value& id : ids->get_array())
        request.blocks.push_back(id.to_number<int64_t>());
      request.tokens = object.at("in").to_number<int64_t>();
      out->push_back(std::move(request));
    }
    if (const json::Value* nested = object.if_contains("requests")) {
      CollectRequests(nested->get_array(), out);
    }
  }
}

inline std::vector<TraceRequest> ReadTrace(const std::string& path) {
  const Result<std::string> text = ReadFile(FileSystem::Real(), path);
  EXPECT_TRUE(text.ok()) << text.status();
  const Result<json::Value> trace = json::Parse(*text);
  EXPECT_TRUE(trace.ok()) << trace.status();
  std::vector<TraceRequest> requests;
  CollectRequests(trace->get_object().at("requests").get_array(), &requests);
  return requests;
}

inline std::vector<std::string> TracePaths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(SharedData("traces"))) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace ac::testing
