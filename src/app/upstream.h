// Where a mode's server is, what to ask it for and with which key: settings and the modes' own
// variables become the options of a backend. Pure functions; nothing is contacted.
#pragma once

#include <string>
#include <string_view>

#include "app/config.h"
#include "remote/pass_through.h"
#include "remote/remote_backend.h"

namespace ac::app {

// Flags win, then the variables of the mode (LMSTUDIO_URL, ...), then the files' upstream.*
// settings, then the table. Refused: no URL where there is no default, no key where one is needed,
// a model name the server cannot load.
Result<remote::RemoteOptions> UpstreamOptions(const remote::ServerKind& kind, const Config& config,
                                              const Environment& environment);

// Of the `claude` mode.
Result<remote::PassThroughOptions> PassThroughFor(const Config& config,
                                                  const Environment& environment);

// "$NAME" stands for that variable, so that files need not hold keys.
std::string ExpandVariable(std::string_view text, const Environment& environment);

}  // namespace ac::app
