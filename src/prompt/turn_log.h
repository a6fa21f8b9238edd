// Generated turns on disk, so that a conversation that goes on after a restart keeps its tokens.
//
// One file per vocabulary and running server, appended to, described in docs/formats/turn_log.md. A
// record that is cut or damaged ends what is read; what follows is written over it. Not
// thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/function_ref.h"
#include "base/hash.h"
#include "base/status.h"
#include "prompt/generated_turns.h"
#include "tokenizer/tokenizer.h"

namespace ac::prompt {

class TurnLog {
 public:
  static constexpr int kMaxServers = 8;  // at once, with one home and one vocabulary

  // Reads what is there into `turns`, also what other servers wrote, and takes the first file that
  // no running server has: PATH, PATH.2, ... A file of another vocabulary, or none of ours, is
  // replaced. Fails with kUnavailable when every file is taken.
  static Result<std::unique_ptr<TurnLog>> Open(FileSystem& fs, const std::string& path,
                                               const Hash128& vocabulary, GeneratedTurns* turns);
  // Rewrites the file from `turns` when it has grown far beyond them.
  Status Append(const GeneratedTurn& turn);

  const std::string& path() const { return path_; }

 private:
  TurnLog(FileSystem& fs, std::string path, const Hash128& vocabulary, GeneratedTurns* turns)
      : fs_(fs), path_(std::move(path)), vocabulary_(vocabulary), turns_(turns) {}
  // False: another server writes there.
  Result<bool> Take();
  Status OpenAt(uint64_t end);
  Status Rewrite();

  FileSystem& fs_;
  const std::string path_;
  const Hash128 vocabulary_;
  GeneratedTurns* const turns_;
  std::unique_ptr<File> lock_;  // beside the log, which rewriting replaces
  std::unique_ptr<File> file_;
  uint64_t end_ = 0;        // where the next record goes
  uint64_t rewritten_ = 0;  // size after the last rewrite
};

// Token ids mean something for one vocabulary only.
Hash128 VocabularyHash(const tokenizer::Tokenizer& tokenizer);

// Calls `visit` for each whole record; returns where the last one ends. 0: not a log of this
// vocabulary.
uint64_t ParseTurnLog(std::string_view bytes, const Hash128& vocabulary,
                      FunctionRef<void(GeneratedTurn)> visit);

}  // namespace ac::prompt
