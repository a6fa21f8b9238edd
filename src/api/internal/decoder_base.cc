#include "api/internal/decoder_base.h"

#include "api/errors.h"
#include "json/json.h"

namespace ac::api::internal {
namespace {
constexpr std::string_view kDone = "[DONE]";
constexpr size_t kQuotedBytes = 120;  // of a bad record, in the message
}  // namespace

void DecoderBase::Feed(std::string_view bytes, std::vector<chat::ChatEvent>* out) {
  builder_.SetOutput(out);
  if (builder_.ended()) return;
  if (mode_ == Mode::kUnknown) {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;
    bytes.remove_prefix(first);
    mode_ = bytes.front() == '{' ? Mode::kJson : Mode::kSse;
  }
  if (mode_ == Mode::kJson) {
    if (body_.size() + bytes.size() > max_bytes_) {
      return builder_.Fail(DataLoss("[api] the server's reply is too large"));
    }
    body_ += bytes;
    return;
  }
  const Status status = sse_.Feed(bytes, &records_);
  HandleRecords();
  if (!status.ok()) builder_.Fail(status);
}

void DecoderBase::Finish(std::vector<chat::ChatEvent>* out) {
  builder_.SetOutput(out);
  if (builder_.ended()) return;
  if (mode_ == Mode::kJson) {
    const Result<json::Value> body = json::Parse(body_, {.max_bytes = max_bytes_});
    if (!body.ok()) {
      return builder_.Fail(
          DataLoss("[api] the server's reply is not valid JSON: " + body.status().message()));
    }
    if (json::Find(*body, "error") != nullptr && !json::Find(*body, "error")->is_null()) {
      return builder_.Fail(StatusFromStreamError(*body));
    }
    HandleReply(*body);
  } else {
    sse_.Finish(&records_);
    HandleRecords();
  }
  if (builder_.ended()) return;
  if (builder_.has_stop_reason()) return builder_.End();
  builder_.Fail(Unavailable(builder_.started()
                                ? "[api] the server broke off in the middle of the reply"
                                : "[api] the server sent an empty reply"));
}

void DecoderBase::HandleRecords() {
  for (const SseRecord& record : std::exchange(records_, {})) {
    if (builder_.ended()) return;
    if (record.data == kDone) {
      if (builder_.started()) builder_.End();
      continue;
    }
    if (record.data.find_first_not_of(" \t") == std::string::npos) continue;
    const Result<json::Value> data = json::Parse(record.data, {.max_bytes = max_bytes_});
    if (!data.ok()) {
      return builder_.Fail(DataLoss("[api] the server sent a record that is not JSON: " +
                                    record.data.substr(0, kQuotedBytes)));
    }
    const json::Value* error = json::Find(*data, "error");
    if (record.event == "error" || (error != nullptr && !error->is_null())) {
      return builder_.Fail(StatusFromStreamError(*data));
    }
    HandleRecord(*data);
  }
}

}  // namespace ac::api::internal
