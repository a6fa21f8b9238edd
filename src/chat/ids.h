// Names of messages and tool calls. Clients throw away a tool call whose id they saw before, so ids
// must never repeat, over restarts and machines: 24 random characters (142 bits) after the prefix.
//
// Tests pass SequenceIds for replies that are equal byte by byte. Thread-safe.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace ac::chat {

inline constexpr std::string_view kMessageIdPrefix = "msg_";
inline constexpr std::string_view kToolUseIdPrefix = "toolu_";

class IdSource {
 public:
  virtual ~IdSource() = default;
  virtual std::string Next(std::string_view prefix) = 0;

  static IdSource& Random();
};

// "msg_1", "toolu_2", ...
class SequenceIds : public IdSource {
 public:
  std::string Next(std::string_view prefix) override {
    return std::string(prefix) + std::to_string(++last_);
  }

 private:
  std::atomic<uint64_t> last_{0};
};

}  // namespace ac::chat
