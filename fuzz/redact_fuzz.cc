// Redaction of any bytes: no crash, stable, JSON stays JSON, and a planted secret is gone.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "json/json.h"
#include "obs/redact.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string redacted = ac::obs::Redact(text);
  const auto require = [](bool condition) {
    if (!condition) std::abort();
  };
  require(!ac::json::Parse(text).ok() || ac::json::Parse(redacted).ok());

  // Nested as a JSON string it is valid JSON whatever the bytes, and has to stay so.
  const auto quoted = ac::json::Quote(text);
  require(!ac::json::Parse(quoted).ok() || ac::json::Parse(ac::obs::Redact(quoted)).ok());

  // A header line after anything loses its value.
  const std::string with_secret = std::string(text) + "\nx-api-key: planted-7Zk2\n";
  const std::string without = ac::obs::Redact(with_secret);
  require(text.find("planted") != std::string_view::npos ||
          without.find("planted-7Zk2") == std::string::npos);
  return 0;
}
