#include "gateway/response_store.h"

#include <iterator>
#include <utility>

#include "chat/reply.h"

namespace ac::gateway {
namespace {

// "resp_X" on the wire is the message "msg_X" of the reply.
std::string KeyOf(const std::string& caller, std::string_view id) {
  const size_t prefix = id.find('_');
  return caller + " " + std::string(prefix == std::string_view::npos ? id : id.substr(prefix + 1));
}

// Roughly: what the texts take.
size_t BytesOf(const std::vector<chat::Message>& messages) {
  size_t bytes = 0;
  for (const chat::Message& message : messages) {
    for (const chat::Block& block : message.blocks) {
      bytes += sizeof(block);
      if (const auto* text = block.As<chat::Text>()) bytes += text->text.size();
      if (const auto* image = block.As<chat::Image>()) bytes += image->data.size();
      if (const auto* use = block.As<chat::ToolUse>()) bytes += use->input.size();
      if (const auto* result = block.As<chat::ToolResult>()) {
        bytes += chat::JoinText(result->content, "").size();
      }
    }
  }
  return bytes;
}

}  // namespace

class ResponseStore::Watch : public RequestWatch {
 public:
  Watch(ResponseStore& store, const chat::ChatRequest& request)
      : store_(store), caller_(request.metadata.caller), messages_(request.messages) {}

  void OnEvent(const chat::ChatEvent& event, Nanos) override { reply_.Apply(event); }
  void OnEnd(Ending ending, Nanos) override {
    chat::Reply reply = reply_.Take();
    if (ending != Ending::kComplete || reply.choices.empty()) return;
    messages_.push_back(
        {.role = chat::Role::kAssistant, .blocks = std::move(reply.choices.front().blocks)});
    store_.Keep(KeyOf(caller_, reply.id), std::move(messages_));
  }

 private:
  ResponseStore& store_;
  const std::string caller_;
  std::vector<chat::Message> messages_;
  chat::ReplyBuilder reply_;
};

std::unique_ptr<RequestWatch> ResponseStore::OnStarted(const ObservedRequest& request) {
  if (request.endpoint != api::Endpoint::kResponses || !request.chat.store) return nullptr;
  return std::make_unique<Watch>(*this, request.chat);
}

Status ResponseStore::Continue(chat::ChatRequest* request) {
  if (request->previous_response_id.empty()) return OkStatus();
  MutexLock lock(mutex_);
  const auto found = by_id_.find(KeyOf(request->metadata.caller, request->previous_response_id));
  if (found == by_id_.end()) {
    return NotFound("[gateway] previous_response_id: no reply " + request->previous_response_id +
                    " is kept here (the last " + std::to_string(kMaxConversations) +
                    " are, until the server stops); send the whole conversation in input");
  }
  stored_.splice(stored_.end(), stored_, found->second);
  std::vector<chat::Message> messages = found->second->messages;
  messages.insert(messages.end(), std::make_move_iterator(request->messages.begin()),
                  std::make_move_iterator(request->messages.end()));
  request->messages = std::move(messages);
  return OkStatus();
}

void ResponseStore::Keep(std::string id, std::vector<chat::Message> messages) {
  const size_t bytes = BytesOf(messages);
  MutexLock lock(mutex_);
  bytes_ += bytes;
  stored_.push_back({id, std::move(messages), bytes});
  by_id_[std::move(id)] = std::prev(stored_.end());
  while (stored_.size() > kMaxConversations || (bytes_ > kMaxBytes && stored_.size() > 1)) {
    bytes_ -= stored_.front().bytes;
    by_id_.erase(stored_.front().id);
    stored_.pop_front();
  }
}

}  // namespace ac::gateway
