// Compiles or is refused with a message; what compiles can be walked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grammar/internal/simulator.h"
#include "grammar/regex.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ac::grammar;  // NOLINT: one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ProgramBuilder builder;
  const ac::Result<CompiledRegex> piece = CompileRegex(
      text,
      {.spelling = size % 2 == 0 ? Spelling::kPlain : Spelling::kJson, .search = size % 3 == 0});
  if (!piece.ok()) {
    if (piece.status().message().empty()) std::abort();
    return 0;
  }
  const ac::Result<Program> program = builder.Build(piece->piece);
  if (!program.ok()) return 0;
  internal::FrameStore frames;
  internal::Simulator simulator(*program, frames);
  internal::ThreadSet at = simulator.Start();
  internal::ThreadSet next;
  for (int step = 0; step < 100 && !at.threads.empty(); ++step) {
    const Op& op = program->op(at.threads[static_cast<size_t>(step) % at.threads.size()].pc);
    simulator.StepByte(at, static_cast<uint8_t>(program->bytes(op)._Find_first()), &next);
    std::swap(at, next);
  }
  return 0;
}
