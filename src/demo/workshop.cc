#include "demo/workshop.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/file_system.h"

namespace ac::demo {
namespace {

constexpr std::pair<const char*, const char*> kFiles[] = {
    {"README.md", "# Weather station\n\nReads a sensor and prints what it says.\n"},
    {"Makefile", "test:\n\t@sh src/test.sh\n"},
    {"src/station.sh", "#!/bin/sh\necho \"sensor: 21 degrees\"\n"},
    {"src/test.sh",
     "#!/bin/sh\nsh src/station.sh | grep -q sensor && echo \"all 3 tests passed\"\n"},
};

ToolResult Error(const std::string& text) { return {.text = "Error: " + text, .is_error = true}; }

std::string Argument(const json::Value& input, std::string_view key) {
  return std::string(json::GetString(input, key).value_or(""));
}

std::string Numbered(const std::string& text) {
  std::string out;
  size_t line = 1;
  for (size_t begin = 0; begin < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out += fmt::format("{}\t{}\n", line, text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// Files below `folder` with their paths in it, in the order of their names.
std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(it->path().lexically_relative(folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<Workshop> Workshop::Create(std::string folder, std::vector<std::string> commands) {
  FileSystem& fs = FileSystem::Real();
  for (const auto& [name, content] : kFiles) {
    const std::string path = JoinPath(folder, name);
    AC_RETURN_IF_ERROR(fs.CreateDirectories(DirName(path)));
    AC_RETURN_IF_ERROR(WriteFileAtomic(fs, path, content));
  }
  return Workshop(std::move(folder), std::move(commands));
}

ToolResult Workshop::Run(const std::string& tool, const json::Value& input) const {
  if (tool == "Read") return Read(input);
  if (tool == "Write") return Write(input);
  if (tool == "Edit") return Edit(input);
  if (tool == "Bash") return Bash(input);
  if (tool == "LS") return List(input);
  if (tool == "Glob" || tool == "Grep") return Find(tool, input);
  return Error("there is no tool " + tool);
}

Result<std::string> Workshop::Path(const json::Value& input, std::string_view key) const {
  const std::string name = Argument(input, key);
  // An absolute name replaces the folder; "src/" and "." lose what they need not have.
  std::filesystem::path path = (std::filesystem::path(folder_) / name).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (name.empty() || (path != folder_ && !path.string().starts_with(folder_ + "/"))) {
    return Status(Code::kPermissionDenied, "File does not exist: " + name);
  }
  return path.string();
}

ToolResult Workshop::Read(const json::Value& input) const {
  const Result<std::string> path = Path(input, "file_path");
  if (!path.ok()) return Error(path.status().message());
  const Result<std::string> text = ReadFile(FileSystem::Real(), *path);
  if (!text.ok()) return Error("File does not exist: " + Argument(input, "file_path"));
  return {.text = Numbered(*text)};
}

ToolResult Workshop::Write(const json::Value& input) const {
  const Result<std::string> path = Path(input, "file_path");
  if (!path.ok()) return Error(path.status().message());
  FileSystem& fs = FileSystem::Real();
  Status status = fs.CreateDirectories(DirName(*path));
  if (status.ok()) status = WriteFileAtomic(fs, *path, Argument(input, "content"));
  if (!status.ok()) return Error(status.message());
  return {.text = "File created successfully at: " + Argument(input, "file_path")};
}

ToolResult Workshop::Edit(const json::Value& input) const {
  const Result<std::string> path = Path(input, "file_path");
  if (!path.ok()) return Error(path.status().message());
  FileSystem& fs = FileSystem::Real();
  Result<std::string> text = ReadFile(fs, *path);
  if (!text.ok()) return Error("File does not exist: " + Argument(input, "file_path"));
  const std::string old_text = Argument(input, "old_string");
  const size_t at = old_text.empty() ? std::string::npos : text->find(old_text);
  if (at == std::string::npos) return Error("String to replace not found in file.");
  text->replace(at, old_text.size(), Argument(input, "new_string"));
  if (Status status = WriteFileAtomic(fs, *path, *text); !status.ok()) {
    return Error(status.message());
  }
  return {.text = "The file " + Argument(input, "file_path") + " has been updated successfully."};
}

ToolResult Workshop::Bash(const json::Value& input) const {
  const std::string command = Argument(input, "command");
  if (std::find(commands_.begin(), commands_.end(), command) == commands_.end()) {
    return Error("the demonstration does not run this command");
  }
  // Our own `make demo` must not change what the repository's make prints.
  std::FILE* const pipe = ::popen(
      fmt::format("unset MAKEFLAGS MAKELEVEL; cd '{}' && {{ {}; }} 2>&1", folder_, command).c_str(),
      "re");
  if (pipe == nullptr) return Error("no shell");
  std::string output;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    output.append(buffer, n);
  if (::pclose(pipe) != 0) return Error("exit code not zero\n" + output);
  return {.text = output.empty() ? "(no output)" : output};
}

ToolResult Workshop::List(const json::Value& input) const {
  const Result<std::string> path = Path(input, "path");
  if (!path.ok()) return Error(path.status().message());
  const Result<std::vector<std::string>> names = FileSystem::Real().List(*path);
  if (!names.ok()) return Error("no such file or directory: " + Argument(input, "path"));
  return {.text = fmt::format("{}", fmt::join(*names, "\n"))};
}

ToolResult Workshop::Find(const std::string& tool, const json::Value& input) const {
  const std::string pattern = Argument(input, "pattern");
  std::string found;
  for (const std::string& file : FilesBelow(folder_)) {
    if (tool == "Glob") {
      if (::fnmatch(pattern.c_str(), BaseName(file).c_str(), 0) == 0) found += file + "\n";
      continue;
    }
    const Result<std::string> text = ReadFile(FileSystem::Real(), JoinPath(folder_, file));
    if (!text.ok()) continue;
    const size_t at = text->find(pattern);
    if (at == std::string::npos) continue;
    const size_t begin = text->rfind('\n', at) + 1;  // npos + 1 is 0
    const auto line = 1 + std::count(text->begin(), text->begin() + static_cast<long>(at), '\n');
    found +=
        fmt::format("{}:{}:{}\n", file, line, text->substr(begin, text->find('\n', at) - begin));
  }
  return {.text = found.empty() ? "No matches found" : found};
}

}  // namespace ac::demo
