// Templates and contexts of any bytes: the template up to the first NUL, then the context as JSON.
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string_view>

#include "jinja/template.h"
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t nul = input.find('\0');
  const auto parsed = ac::jinja::Template::Parse(input.substr(0, nul), "fuzz");
  if (!parsed.ok()) return 0;
  ac::json::Value context = ac::json::Object();
  if (nul != std::string_view::npos) {
    auto value = ac::json::Parse(input.substr(nul + 1));
    if (value.ok()) context = std::move(*value);
  }
  ac::jinja::RenderOptions options;
  options.limits.max_steps = 100'000;
  options.limits.max_output_bytes = 1 << 20;
  options.limits.max_memory_bytes = 16 << 20;
  options.limits.max_depth = 300;  // sanitizers make frames large
  static_cast<void>((*parsed)->Render(context, options));
  return 0;
}
