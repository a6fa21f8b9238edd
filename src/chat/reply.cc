#include "chat/reply.h"

#include <algorithm>
#include <iterator>

namespace ac::chat {
namespace {

constexpr int kMaxChoices = 1024;  // keeps a hostile stream from making us allocate without end

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

ReplyChoice& ReplyBuilder::Choice(int index) {
  const auto wanted = static_cast<size_t>(std::clamp(index, 0, kMaxChoices - 1));
  if (reply_.choices.size() <= wanted) reply_.choices.resize(wanted + 1);
  return reply_.choices[wanted];
}

Block* ReplyBuilder::OpenBlock(int choice, int index) {
  std::vector<Block>& blocks = Choice(choice).blocks;
  if (index < 0 || static_cast<size_t>(index) >= blocks.size()) return nullptr;
  return &blocks[static_cast<size_t>(index)];
}

void ReplyBuilder::Apply(const ChatEvent& event) {
  const int choice = event.choice;
  const Overloaded handler{
      [&](const MessageStart& start) {
        reply_.id = start.id;
        reply_.model = start.model;
        reply_.usage = start.usage;
        reply_.diagnosis = start.diagnosis;
        Choice(0);
      },
      [](const Ping&) {},
      [&](const BlockStart& start) { Choice(choice).blocks.push_back(start.block); },
      [&](const TextDelta& delta) {
        Block* block = OpenBlock(choice, delta.index);
        if (block == nullptr || block->As<Text>() == nullptr) return;
        block->As<Text>()->text += delta.text;
        std::copy(delta.logprobs.begin(), delta.logprobs.end(),
                  std::back_inserter(Choice(choice).logprobs));
      },
      [&](const ThinkingDelta& delta) {
        Block* block = OpenBlock(choice, delta.index);
        if (block != nullptr && block->As<Thinking>() != nullptr) {
          block->As<Thinking>()->text += delta.text;
        }
      },
      [&](const SignatureDelta& delta) {
        Block* block = OpenBlock(choice, delta.index);
        if (block != nullptr && block->As<Thinking>() != nullptr) {
          block->As<Thinking>()->signature += delta.signature;
        }
      },
      [&](const ToolArgsDelta& delta) {
        Block* block = OpenBlock(choice, delta.index);
        if (block == nullptr) return;
        if (ToolUse* call = block->As<ToolUse>()) call->input += delta.partial_json;
        if (ServerToolUse* call = block->As<ServerToolUse>()) call->input += delta.partial_json;
      },
      [](const BlockStop&) {},
      [&](const MessageDelta& delta) {
        Choice(choice).stop_reason = delta.stop_reason;
        Choice(choice).stop_sequence = delta.stop_sequence;
        reply_.usage = delta.usage;
      },
      [&](const MessageStop&) { reply_.complete = true; },
      [&](const Error& error) {
        reply_.error = error.status;
        reply_.retry_after_s = error.retry_after_s;
      },
  };
  std::visit(handler, event.value);
}

}  // namespace ac::chat
