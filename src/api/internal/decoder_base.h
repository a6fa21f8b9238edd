// What both decoders share: SSE or a plain JSON body, records, the end of the bytes.
//
// Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/codec.h"
#include "api/internal/event_builder.h"
#include "api/internal/sse.h"
#include "json/json_fwd.h"

namespace ac::api::internal {

class DecoderBase : public EventDecoder {
 public:
  explicit DecoderBase(const DecoderOptions& options)
      : builder_(options), max_bytes_(options.max_event_bytes), sse_(options.max_event_bytes) {}

  void Feed(std::string_view bytes, std::vector<chat::ChatEvent>* out) final;
  void Finish(std::vector<chat::ChatEvent>* out) final;

 protected:
  virtual void HandleRecord(const json::Value& data) = 0;  // one SSE record
  virtual void HandleReply(const json::Value& body) = 0;   // the whole body as JSON

  EventBuilder& builder() { return builder_; }

 private:
  enum class Mode { kUnknown, kSse, kJson };
  void HandleRecords();

  EventBuilder builder_;
  const size_t max_bytes_;
  Mode mode_ = Mode::kUnknown;
  SseParser sse_;
  std::vector<SseRecord> records_;
  std::string body_;  // of kJson
};

}  // namespace ac::api::internal
