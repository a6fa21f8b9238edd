// The neutral request and its events as JSON for people: golden files, traces, debugging.
//
// Fields that have their default value are left out. EventFromJson reads what EventToJson wrote, so
// tests can keep event lists in files. Pure functions.
#pragma once

#include <string>

#include "base/status.h"
#include "chat/chat.h"
#include "chat/event.h"
#include "json/json_fwd.h"

namespace ac::chat {

json::Value ToJson(const ChatRequest& request);
json::Value ToJson(const Block& block);
json::Value ToJson(const Usage& usage);
json::Value ToJson(const PromptFacts& facts);
// What ToJson wrote; fields that are missing have their default.
PromptFacts PromptFactsFromJson(const json::Value& value);
json::Value EventToJson(const ChatEvent& event);
Result<ChatEvent> EventFromJson(const json::Value& value);

}  // namespace ac::chat
