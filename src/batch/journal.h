// What a batch has finished so far, so that a killed run goes on where it was.
//
// One JSON line per finished request, appended when its reply is complete; a line that a crash cut
// is not a line, and what stands behind it was never acknowledged. The output file is written from
// it, in the order of the input, when everything is done. docs/formats/batch.md has the format.
// Not thread-safe: the runner's collector owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status.h"
#include "batch/input.h"

namespace ac::batch {

struct Totals {
  int64_t answered = 0;
  int64_t failed = 0;
  int64_t input_tokens = 0;  // computed
  int64_t cached_tokens = 0;
  int64_t output_tokens = 0;
};

// The end of one request.
struct Outcome {
  bool ok = false;
  int64_t input_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t output_tokens = 0;
  std::string output;  // the line for the output file, without its newline
};

class Journal {
 public:
  // Opens or makes `path`. `resume` false: kAlreadyExists when an earlier run left one. Results of
  // lines that have changed since are kFailedPrecondition: they belong to another input.
  static Result<std::unique_ptr<Journal>> Open(FileSystem& fs, const std::string& path,
                                               const std::vector<Item>& items, bool resume);

  bool IsDone(const Item& item) const { return offsets_.contains(item.line); }
  const Totals& totals() const { return totals_; }

  Status Append(const Item& item, const Outcome& outcome);
  // Writes every result to `path`, whole or not at all, and removes the journal.
  Status WriteOutput(const std::vector<Item>& items, const std::string& path);

 private:
  struct Place {
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  Journal(FileSystem& fs, std::string path, std::unique_ptr<File> file)
      : fs_(fs), path_(std::move(path)), file_(std::move(file)) {}

  Status Load(const std::vector<Item>& items);
  Status LoadLine(std::string_view line, uint64_t offset,
                  const std::unordered_map<int64_t, uint64_t>& digests);
  void Count(const Outcome& outcome);
  Result<std::string> ReadOutput(int64_t line) const;

  FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<File> file_;
  uint64_t end_ = 0;                            // behind the last whole line
  std::unordered_map<int64_t, Place> offsets_;  // by input line
  Totals totals_;
  Nanos last_sync_{0};
};

}  // namespace ac::batch
