// The settings of Claude Code that have no environment variable, as words of its command line.
//
// What the user decided stays: settings on the command line, or a settings file that names the same
// key. Pure, but for ReadSettingsFiles.
#pragma once

#include <string>
#include <vector>

#include "base/file_system.h"
#include "launch/client_environment.h"

namespace ac::launch {

// Goes in front of the user's arguments; empty when there is nothing to say. `files`: the texts of
// the client's settings files.
std::vector<std::string> SettingsWords(const ClientSetup& setup,
                                       const std::vector<std::string>& user_args,
                                       const std::vector<std::string>& files);

// The client's settings files of the user (`config_folder`: ~/.claude or CLAUDE_CONFIG_DIR) and of
// the project in `folder`, those that exist.
std::vector<std::string> ReadSettingsFiles(FileSystem& files, const std::string& config_folder,
                                           const std::string& folder);

}  // namespace ac::launch
