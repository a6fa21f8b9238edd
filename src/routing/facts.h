// What a routing rule may ask about a request. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat.h"

namespace ac::routing {

struct Facts {
  std::string model;   // as asked for
  std::string tier;    // "haiku", "sonnet", "opus", "fable"; empty: none of them
  int64_t tokens = 0;  // of the prompt, estimated from its size
  bool tools = false;  // the model may call some
  bool images = false;
  bool thinking = false;
  bool sub_agent = false;
  bool web_search = false;    // asks for a search that the server would run
  std::string path;           // the folder the agent works in, as its prompt says; may be empty
  std::string wanted_target;  // "backend,model" named by the model id or a sub-agent's tag
  std::string session;        // who asks: session and agent, stable over turns
};

Facts FactsOf(const chat::ChatRequest& request);

// Claude Code Router's mark in a sub-agent's prompt; it is meant for the router, not for the model.
void RemoveSubAgentTag(chat::ChatRequest* request);

// Hashes of the prompt's beginnings, one per `chunk_bytes`: two requests share their first n
// entries exactly when they share the first n chunks. Tools come first, then the system prompt
// without its billing block, then the messages, as in rendered prompts.
std::vector<uint64_t> PrefixChunks(const chat::ChatRequest& request, size_t chunk_bytes = 1024);

}  // namespace ac::routing
