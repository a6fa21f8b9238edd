#include "gateway/visible_prefill.h"

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "chat/ids.h"

namespace ac::gateway {
namespace {

constexpr std::chrono::seconds kBetweenNotes{1};

bool IsNote(const chat::Block& block) {
  const auto* thinking = block.As<chat::Thinking>();
  return thinking != nullptr && thinking->signature.starts_with(kPrefillSignature);
}

// One block later than the model's backend says, for every event that names a block.
void MoveBack(chat::ChatEvent* event) {
  std::visit(
      [](auto& value) {
        if constexpr (requires { value.index; }) ++value.index;
      },
      event->value);
}

// From a backend, one call at a time.
class NotingSink : public chat::ChatSink {
 public:
  NotingSink(std::shared_ptr<chat::ChatSink> sink, Clock& clock)
      : sink_(std::move(sink)), clock_(clock) {}

  void OnEvent(chat::ChatEvent event) override {
    if (const auto* ping = event.As<chat::Ping>(); ping != nullptr && ping->prompt_total > 0) {
      Note(*ping);
    } else if (event.As<chat::BlockStart>() != nullptr ||
               event.As<chat::MessageDelta>() != nullptr) {
      Close();
    }
    if (noted_) MoveBack(&event);
    sink_->OnEvent(std::move(event));
  }

 private:
  void Note(const chat::Ping& ping) {
    if (closed_) return;
    const Nanos now = clock_.Now();
    if (!began_) {
      began_ = true;
      first_ = {now, ping.prompt_done};
      last_note_ = now;
    }
    if (now - last_note_ < kBetweenNotes || ping.prompt_done >= ping.prompt_total) return;
    last_note_ = now;
    if (!noted_) {
      noted_ = true;
      sink_->OnEvent(
          {.value = chat::BlockStart{.index = 0, .block = {chat::Thinking{}, ""}, .note = true}});
    }
    sink_->OnEvent({.value = chat::ThinkingDelta{.index = 0, .text = Line(ping, now)}});
  }

  std::string Line(const chat::Ping& ping, Nanos now) const {
    std::string line = "Reading the prompt: " + std::to_string(ping.prompt_done) + " of " +
                       std::to_string(ping.prompt_total) + " tokens";
    const auto [since, done_before] = first_;
    const double seconds = Seconds(now - since);
    const auto read = static_cast<double>(ping.prompt_done - done_before);
    if (seconds > 0 && read > 0) {
      const auto rest = static_cast<double>(ping.prompt_total - ping.prompt_done);
      line += ", about " + std::to_string(std::lround(rest / read * seconds)) + " s left";
    }
    return line + ".\n";
  }

  void Close() {
    if (noted_ && !closed_) {
      const std::string signature = chat::IdSource::Random().Next(kPrefillSignature);
      sink_->OnEvent({.value = chat::SignatureDelta{.index = 0, .signature = signature}});
      sink_->OnEvent({.value = chat::BlockStop{.index = 0}});
    }
    closed_ = true;
  }

  const std::shared_ptr<chat::ChatSink> sink_;
  Clock& clock_;
  bool began_ = false;
  std::pair<Nanos, int64_t> first_{};  // when progress was first told, and how much was read then
  Nanos last_note_{0};
  bool noted_ = false;   // our block is in the message
  bool closed_ = false;  // the reply itself has begun
};

}  // namespace

void DropPrefillNotes(chat::ChatRequest* request) {
  for (chat::Message& message : request->messages) {
    if (message.role == chat::Role::kAssistant) std::erase_if(message.blocks, IsNote);
  }
}

std::unique_ptr<backend::Call> VisiblePrefill::Start(chat::ChatRequest request,
                                                     std::shared_ptr<chat::ChatSink> sink) {
  if (request.metadata.takes_notes) sink = std::make_shared<NotingSink>(std::move(sink), clock_);
  return inner_.Start(std::move(request), std::move(sink));
}

void VisiblePrefill::CountTokens(chat::ChatRequest request,
                                 std::function<void(Result<int64_t>)> done) {
  inner_.CountTokens(std::move(request), std::move(done));
}

std::vector<api::ModelInfo> VisiblePrefill::Models() const { return inner_.Models(); }

}  // namespace ac::gateway
