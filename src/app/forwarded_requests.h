// Requests that pass through to the Claude API, shown to the observers that watch every other
// request: traces, the ledger, the totals, the page.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "gateway/observer.h"
#include "http/message.h"
#include "remote/pass_through.h"

namespace ac::app {

// Null when the body is no request of the API's: nothing could be said about it. The observers must
// outlive the listener.
std::unique_ptr<remote::ReplyListener> ObserveForwarded(
    const std::vector<gateway::RequestObserver*>& observers, const http::Request& request,
    Nanos started);

}  // namespace ac::app
