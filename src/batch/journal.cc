#include "batch/journal.h"

#include <algorithm>
#include <span>

#include "json/json.h"

namespace ac::batch {
namespace {

constexpr std::string_view kHeader = R"({"format":"anyclaude-batch","version":1})";
// A power cut loses at most this much; a killed process loses nothing.
constexpr Nanos kSyncInterval = std::chrono::seconds(2);

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(FileSystem& fs, const std::string& path,
                                               const std::vector<Item>& items, bool resume) {
  const bool exists = fs.Exists(path);
  if (exists && !resume) {
    return Status(Code::kAlreadyExists, "[batch] " + path +
                                            " is what an earlier run left: go on with it by "
                                            "--resume, or remove it to start again");
  }
  AC_ASSIGN_OR_RETURN(auto file, fs.Open(path, OpenMode::kReadWrite));
  std::unique_ptr<Journal> journal(new Journal(fs, path, std::move(file)));
  AC_RETURN_IF_ERROR(journal->Load(items));
  return journal;
}

Status Journal::Load(const std::vector<Item>& items) {
  AC_ASSIGN_OR_RETURN(const uint64_t size, file_->Size());
  std::string text(size, '\0');
  if (size > 0) AC_RETURN_IF_ERROR(file_->ReadAt(0, std::as_writable_bytes(std::span(text))));
  std::unordered_map<int64_t, uint64_t> digests;
  for (const Item& item : items) digests.emplace(item.line, item.digest);

  const std::string header = std::string(kHeader) + "\n";
  if (size < header.size() && header.starts_with(text)) {  // new, or killed at its first write
    AC_RETURN_IF_ERROR(file_->WriteAt(0, Bytes(header)));
    end_ = header.size();
    return OkStatus();
  }
  if (!text.starts_with(header)) {
    return DataLoss("[batch] " + path_ + " is no journal of this version; remove it");
  }
  uint64_t offset = header.size();
  for (size_t end; (end = text.find('\n', offset)) != std::string::npos; offset = end + 1) {
    const std::string_view line = std::string_view(text).substr(offset, end - offset);
    AC_RETURN_IF_ERROR(LoadLine(line, offset, digests));
  }
  end_ = offset;  // what a kill cut off is overwritten
  return OkStatus();
}

Status Journal::LoadLine(std::string_view line, uint64_t offset,
                         const std::unordered_map<int64_t, uint64_t>& digests) {
  const Result<json::Value> entry = json::Parse(line);
  // A line that lost its middle to a power cut is not done: it will be asked again.
  if (!entry.ok()) return OkStatus();
  const int64_t number = json::GetInt(*entry, "line").value_or(0);
  const auto digest = digests.find(number);
  if (digest == digests.end() ||
      std::to_string(digest->second) != json::GetString(*entry, "input").value_or("")) {
    return Status(Code::kFailedPrecondition,
                  "[batch] line " + std::to_string(number) +
                      " of the input is not what it was when " + path_ +
                      " was begun; restore it, or remove the journal to start again");
  }
  if (!offsets_.emplace(number, Place{offset, line.size()}).second) return OkStatus();
  Count({.ok = json::GetBool(*entry, "ok").value_or(false),
         .input_tokens = json::GetInt(*entry, "input_tokens").value_or(0),
         .cached_tokens = json::GetInt(*entry, "cached_tokens").value_or(0),
         .output_tokens = json::GetInt(*entry, "output_tokens").value_or(0)});
  return OkStatus();
}

void Journal::Count(const Outcome& outcome) {
  ++(outcome.ok ? totals_.answered : totals_.failed);
  totals_.input_tokens += outcome.input_tokens;
  totals_.cached_tokens += outcome.cached_tokens;
  totals_.output_tokens += outcome.output_tokens;
}

Status Journal::Append(const Item& item, const Outcome& outcome) {
  const std::string line = json::Write(json::Object{{"line", item.line},
                                                    {"input", std::to_string(item.digest)},
                                                    {"ok", outcome.ok},
                                                    {"input_tokens", outcome.input_tokens},
                                                    {"cached_tokens", outcome.cached_tokens},
                                                    {"output_tokens", outcome.output_tokens},
                                                    {"output", outcome.output}}) +
                           "\n";
  AC_RETURN_IF_ERROR(file_->WriteAt(end_, Bytes(line)));
  offsets_[item.line] = {end_, line.size() - 1};
  end_ += line.size();
  Count(outcome);
  const Nanos now = Clock::Real().Now();
  if (now - last_sync_ < kSyncInterval) return OkStatus();
  last_sync_ = now;
  return file_->Sync();
}

Result<std::string> Journal::ReadOutput(int64_t line) const {
  const Place place = offsets_.at(line);
  std::string text(place.size, '\0');
  AC_RETURN_IF_ERROR(file_->ReadAt(place.offset, std::as_writable_bytes(std::span(text))));
  AC_ASSIGN_OR_RETURN(const json::Value entry, json::Parse(text));
  return std::string(json::GetString(entry, "output").value_or(""));
}

Status Journal::WriteOutput(const std::vector<Item>& items, const std::string& path) {
  const std::string part = path + ".part";
  {
    AC_ASSIGN_OR_RETURN(const auto file, fs_.Open(part, OpenMode::kCreate));
    uint64_t offset = 0;
    for (const Item& item : items) {
      AC_ASSIGN_OR_RETURN(std::string output, ReadOutput(item.line));
      output += '\n';
      AC_RETURN_IF_ERROR(file->WriteAt(offset, Bytes(output)));
      offset += output.size();
    }
    AC_RETURN_IF_ERROR(file->Sync());
  }
  AC_RETURN_IF_ERROR(fs_.Rename(part, path));
  AC_RETURN_IF_ERROR(fs_.SyncDirectory(DirName(path)));
  return fs_.Remove(path_);
}

}  // namespace ac::batch
