// What standing between a client and a model server costs: one column per server that was asked.
//
// The first column is the model server itself, asked directly; the others are gateways in front of
// it, and what they add is the difference.
#pragma once

#include <string>
#include <vector>

#include "bench/page.h"
#include "json/json.h"
#include "loadtest/stream_load.h"

namespace ac::bench {

struct GatewayFigures {
  std::string name;
  // Of every request of the latency rounds.
  std::vector<double> first_byte_s = {};
  std::vector<double> first_token_s = {};
  int failed = 0;
  std::string first_failure = {};
  int64_t tokens = 0;
  // Of its process; not measured for the model server, which lives in the measuring process.
  bool measured = false;
  double cpu_s = 0;
  double memory_mb = 0;  // after the latency rounds
  // Many streams at once; none asked: not measured.
  int hold_asked = 0;
  loadtest::LoadResult hold = {};
  double hold_cpu_s = 0;
  double hold_peak_mb = 0;

  void Add(const loadtest::LoadResult& round);
  double CpuPerTokenUs() const;
};

json::Object ToJson(const std::vector<GatewayFigures>& columns);
std::string ToText(const std::vector<GatewayFigures>& columns);
std::string GatewayPage(const std::string& about, const std::vector<GatewayFigures>& columns);

}  // namespace ac::bench
