// The session that anyclaude exists for: one long system prompt, then question after question.
//
// A target answers one turn after another; RunSession asks it and collects the times. The same
// session runs against our engine (local_session.h) and against any server (url_session.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "json/json.h"

namespace ac::bench {

struct SessionPlan {
  int64_t prompt_tokens = 18490;  // of the system prompt
  int64_t turn_tokens = 100;      // new ones with each question
  int64_t reply_tokens = 16;
  int turns = 10;
};

struct Turn {
  int n = 0;
  double ttft_s = 0;  // to the first token
  double total_s = 0;
  // Of the prompt; -1 where a server does not say.
  int64_t computed = -1;
  int64_t reused = -1;
  int64_t from_disk = -1;  // of those reused
  int64_t output_tokens = 0;
};

// One conversation with one server. Ask() appends the turn's question and what was answered.
class SessionTarget {
 public:
  virtual ~SessionTarget() = default;
  virtual Result<Turn> Ask(const SessionPlan& plan) = 0;
};

// The first turn reads the whole prompt; the later ones are follow-ups.
struct Column {
  std::string name;  // "cache", "no cache", "after restart", "speculation"
  std::vector<Turn> turns;

  double total_s() const;
  double cold_ttft_s() const { return turns.empty() ? 0 : turns.front().ttft_s; }
  // Of the follow-ups; nothing when there are none.
  std::optional<double> warm_ttft_s() const;
  // Tokens per second after each reply's first, over all turns; nothing when replies have no more.
  std::optional<double> decode_tokens_per_s() const;
};

Result<Column> RunSession(SessionTarget& target, const SessionPlan& plan, std::string name,
                          const std::function<void(const std::string&, const Turn&)>& on_turn);

// What other products need for the same ten questions, as their users and makers reported it.
struct Reported {
  const char* product;
  const char* first;      // request
  const char* follow_up;  // each
  const char* ten_turns;
  const char* decode;  // tokens per second
};
const std::vector<Reported>& ReportedElsewhere();

// The contract's object: the turns with the cache, cold, warm and restart times, then every column.
json::Object ToJson(const std::vector<Column>& columns);
std::string ToText(const std::vector<Column>& columns);

}  // namespace ac::bench
