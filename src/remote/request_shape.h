// Makes a request fit the server it goes to, and learns from refusals.
//
// ShapeRequest applies the server's quirks and what earlier refusals taught; AdaptToRefusal reads a
// refusal and says whether another form of the same request is worth sending. Nothing that shapes
// the answer is dropped before a server has refused it. Pure functions over values, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "api/api.h"
#include "chat/chat.h"
#include "remote/server_kind.h"

namespace ac::remote {

// What one server has refused so far.
struct Learned {
  std::set<std::string, std::less<>> dropped_fields;  // names of the OpenAI protocol
  std::set<std::string, std::less<>> untyped_tools;   // their schema broke the grammar compiler
  bool subset_schemas = false;
  bool all_untyped = false;
  bool no_images = false;
  bool system_first = false;        // system messages only at the start
  bool completion_tokens = false;   // wants max_completion_tokens
  bool no_native_endpoint = false;  // /v1/messages is missing
  int64_t max_output = 0;           // most tokens it generates; 0: not said
};

// The request as this server should get it. Only values change, never the order of the
// conversation.
chat::ChatRequest ShapeRequest(chat::ChatRequest request, const ServerKind& kind,
                               const Learned& learned, api::Endpoint endpoint);

// Qwen3's hybrid models think unless the word they were taught tells them not to, and servers of
// OpenAI's protocol have no field for it. At the end of the system prompt, where it is the same in
// every turn and costs no cache.
void TellNotToThink(std::string_view model, chat::ChatRequest* request);

api::SerializeOptions SerializeOptionsFor(const ServerKind& kind, const Learned& learned,
                                          std::string model);

// A refusal before any reply: true when `learned` or `request` changed so that sending again may
// succeed. `text` is the server's own message.
bool AdaptToRefusal(int http_status, std::string_view text, api::Endpoint endpoint,
                    chat::ChatRequest* request, Learned* learned);

// Bytes of text that the model will read: for estimates until the server has counted.
size_t PromptBytes(const chat::ChatRequest& request);

}  // namespace ac::remote
