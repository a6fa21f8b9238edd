#include "http/offline_lock.h"

#include <atomic>

#include "obs/log.h"

namespace ac::http {
namespace {

std::atomic<bool> engaged{false};

}  // namespace

void EngageOfflineLock() { engaged.store(true); }
bool OfflineLockEngaged() { return engaged.load(); }

Status CheckOffline(const Url& target, const Url* proxy) {
  const bool target_is_here = IsLoopbackHost(target.host);
  if (target_is_here && (proxy == nullptr || IsLoopbackHost(proxy->host))) return OkStatus();
  const std::string refused = target_is_here ? proxy->host : target.host;
  obs::Error("http", "offline lock refused a connection", {{"host", std::string_view(refused)}});
  return Status(Code::kPermissionDenied,
                "[http] the offline lock refuses the connection to " + refused +
                    ": only this machine may be reached; start without --offline-lock "
                    "(offline_lock, ANYCLAUDE_OFFLINE_LOCK) to allow it");
}

}  // namespace ac::http
