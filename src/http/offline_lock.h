// A promise that this process talks to nobody but its own machine.
//
// One switch for the whole process, because a promise with exceptions is none: every connection of
// every Client passes the check, names are not even looked up, and a refusal is logged as an error.
// It can be closed but not opened again. Thread-safe.
#pragma once

#include <span>

#include "base/status.h"
#include "http/url.h"

namespace ac::http {

void EngageOfflineLock();
bool OfflineLockEngaged();

// What a locked client may reach: loopback by name or address, directly or through a proxy that is
// on loopback as well.
Status CheckOffline(const Url& target, const Url* proxy);

}  // namespace ac::http
