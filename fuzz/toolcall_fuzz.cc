// The first byte picks the family, the second the size of the pieces; the rest is the reply. The
// pieces must not matter, and calls must nest properly.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "toolcall/toolcall.h"

namespace {

using ac::toolcall::Event;

std::vector<Event> Read(ac::toolcall::Family family, std::string_view text, size_t piece) {
  static const std::vector<ac::chat::ToolSpec> tools = [] {
    std::vector<ac::chat::ToolSpec> specs(2);
    specs[0].name = "Bash";
    specs[0].input_schema = R"({"properties":{"command":{"type":"string"},"n":{"type":"number"}}})";
    specs[1].name = "f";
    return specs;
  }();
  const auto parser = ac::toolcall::MakeParser(family, {.tools = tools});
  std::vector<Event> events;
  for (size_t i = 0; i < text.size(); i += piece) parser->Feed(text.substr(i, piece), &events);
  parser->Finish(piece % 2 == 0, &events);
  std::vector<Event> joined;
  bool open = false;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kCallStart && open) std::abort();
    if (event.kind == Event::Kind::kCallEnd && !open) std::abort();
    if (event.kind == Event::Kind::kCallStart) open = true;
    if (event.kind == Event::Kind::kCallEnd) open = false;
    const bool mark = event.kind == Event::Kind::kCallStart || event.kind == Event::Kind::kCallEnd;
    if (!mark && !joined.empty() && joined.back().kind == event.kind) {
      joined.back().text += event.text;
    } else {
      joined.push_back(event);
    }
  }
  if (open) std::abort();
  return joined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto family = static_cast<ac::toolcall::Family>(data[0] % 8);
  const size_t piece = 1 + data[1] % 13;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  // An odd and another odd size: Finish gets the same `cut`.
  const size_t odd = piece | 1;
  if (Read(family, text, odd) != Read(family, text, odd + 2)) std::abort();
  return 0;
}
