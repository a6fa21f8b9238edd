#include "demo/stream_reader.h"

namespace ac::demo {

http::CallEvents StreamReader::Events() {
  return {.on_headers = [this](const http::Response& head) { code_ = head.status; },
          .on_data =
              [this](std::string_view bytes) {
                if (code_ != 200) {
                  error_.append(bytes.substr(0, 500));
                } else if (Status status = parser_.Feed(bytes); !status.ok()) {
                  status_ = status;
                }
              },
          .on_done = [this](const Status& status) { Done(status); }};
}

void StreamReader::OnEvent(const http::SseEvent& event) {
  const Result<json::Value> value = json::Parse(event.data);
  if (!value.ok()) return;
  if (event.event == "error") {
    status_ = Status(Code::kUnavailable, "[demo] the server said: " + event.data);
  } else if (event.event == "message_start") {
    const json::Value* const message = json::Find(*value, "message");
    if (message != nullptr && json::Find(*message, "usage") != nullptr) {
      OnUsage(*json::Find(*message, "usage"));
    }
  } else if (event.event == "message_delta") {
    if (const json::Value* usage = json::Find(*value, "usage")) OnUsage(*usage);
  } else if (event.event == "content_block_start") {
    if (const json::Value* block = json::Find(*value, "content_block")) OnBlockStart(*block);
  } else if (event.event == "content_block_delta") {
    if (const json::Value* delta = json::Find(*value, "delta")) OnDelta(*delta);
  } else if (event.event == "content_block_stop") {
    OnBlockStop();
  }
}

// The last word counts: what comes at the end is exact.
void StreamReader::OnUsage(const json::Value& usage) {
  const auto input = json::GetInt(usage, "input_tokens");
  if (!input) return;
  reply_.computed = *input + json::GetInt(usage, "cache_creation_input_tokens").value_or(0);
  reply_.reused = json::GetInt(usage, "cache_read_input_tokens").value_or(0);
}

void StreamReader::OnBlockStart(const json::Value& block) {
  if (reply_.first_s == 0) reply_.first_s = Seconds(Clock::Real().Now() - start_);
  const json::Object* const object = json::AsObject(&block);
  block_ = object == nullptr ? json::Object() : *object;
  pieces_.clear();
}

void StreamReader::OnDelta(const json::Value& delta) {
  pieces_ += json::GetString(delta, "text").value_or("");
  pieces_ += json::GetString(delta, "partial_json").value_or("");
}

void StreamReader::OnBlockStop() {
  const json::Value block(block_);
  if (json::GetString(block, "type") == "text") {
    block_["text"] = pieces_;
    reply_.content.push_back(block_);
  } else if (json::GetString(block, "type") == "tool_use") {
    const Result<json::Value> input = json::Parse(pieces_.empty() ? "{}" : pieces_);
    if (!input.ok()) {
      status_ = input.status().WithPrefix("[demo] a call's input");
      return;
    }
    block_["input"] = *input;
    reply_.content.push_back(block_);
  }
}

void StreamReader::Done(const Status& status) {
  (void)parser_.Finish();
  if (!status.ok()) status_ = status;
  if (status.ok() && code_ != 200) {
    status_ = Status(Code::kUnavailable,
                     "[demo] HTTP " + std::to_string(code_) + " from the server: " + error_);
  }
  reply_.total_s = Seconds(Clock::Real().Now() - start_);
  if (status_.ok()) {
    promise_.set_value(std::move(reply_));
  } else {
    promise_.set_value(status_);
  }
}

}  // namespace ac::demo
