#include "app/mode_health.h"

#include <utility>

#include "remote/server_kind.h"

namespace ac::app {
namespace {

constexpr int kRoundsPerLook = 2;

}  // namespace

ModeHealth::ModeHealth(std::string serving, Environment environment, Nanos period)
    : serving_(std::move(serving)), environment_(std::move(environment)), period_(period) {
  thread_ = std::thread([this] { Run(); });
}

ModeHealth::~ModeHealth() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

std::vector<ModeState> ModeHealth::Look() {
  MutexLock lock(mutex_);
  if (rounds_wanted_ == 0) wake_.NotifyAll();
  rounds_wanted_ = kRoundsPerLook;
  return states_;
}

void ModeHealth::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (rounds_wanted_ == 0 && !stopping_) wake_.Wait(mutex_);
      if (stopping_) return;
      --rounds_wanted_;
    }
    std::vector<ModeState> states = AskAll();
    MutexLock lock(mutex_);
    states_ = std::move(states);
    const Nanos next = Clock::Real().Now() + period_;
    for (Nanos left = period_; left > Nanos{0} && !stopping_; left = next - Clock::Real().Now()) {
      wake_.WaitFor(mutex_, left);
    }
  }
}

std::vector<ModeState> ModeHealth::AskAll() const {
  std::vector<ModeState> states;
  if (serving_ != "local") {
    states.push_back({"local", "the embedded engine", "needs no other server", true});
  }
  for (const ProbedServer& server : ProbeServers(environment_)) {
    if (server.kind->mode == serving_) continue;
    states.push_back({std::string(server.kind->mode), std::string(server.kind->title),
                      (server.answers ? "answers at " : "no answer at ") + server.url,
                      server.answers});
  }
  for (const remote::ServerKind& kind : remote::ServerKinds()) {
    const bool has_key = remote::FromVariables(kind, {"_API_KEY"}, environment_).has_value();
    if (!kind.cloud || !has_key || kind.mode == serving_) continue;
    states.push_back({std::string(kind.mode), std::string(kind.title), "a key is set", true});
  }
  return states;
}

}  // namespace ac::app
