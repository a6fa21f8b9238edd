// A report as one HTML file that needs nothing else: bar charts as inline SVG, tables as text.
#pragma once

#include <string>
#include <vector>

#include "bench/session.h"

namespace ac::bench {

struct Bar {
  std::string label;
  double value = 0;
};

struct Chart {
  std::string title;
  std::string unit;
  std::vector<Bar> bars;
};

struct Table {
  std::string title;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

// Text is escaped here.
std::string Page(const std::string& title, const std::string& about,
                 const std::vector<Chart>& charts, const std::vector<Table>& tables);

std::string SessionPage(const std::string& about, const std::vector<Column>& columns);

}  // namespace ac::bench
