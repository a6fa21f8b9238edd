// A schema from outside: compiles or is refused; what compiles writes only JSON, and never runs
// into a dead end.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grammar/internal/simulator.h"
#include "grammar/json_schema.h"
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ac::grammar;  // NOLINT: one function
  const ac::Result<ac::json::Value> schema =
      ac::json::Parse({reinterpret_cast<const char*>(data), size});
  if (!schema.ok()) return 0;
  ProgramBuilder builder;
  std::vector<SchemaNote> notes;
  SchemaCompiler compiler(builder, *schema, &notes);
  const ac::Result<Piece> piece = compiler.CompileRoot();
  if (!piece.ok()) return 0;
  const ac::Result<Program> program = builder.Build(*piece);
  if (!program.ok()) return 0;
  internal::FrameStore frames;
  internal::Simulator simulator(*program, frames);
  internal::ThreadSet at = simulator.Start();
  internal::ThreadSet next;
  std::string text;
  uint32_t state = 1;
  for (int step = 0; step < 200 && !at.threads.empty(); ++step) {
    state = state * 1664525u + 1013904223u;
    const Op& op = program->op(at.threads[(state >> 8) % at.threads.size()].pc);
    size_t byte = program->bytes(op)._Find_next((state >> 16) % 256);
    if (byte == 256) byte = program->bytes(op)._Find_first();
    simulator.StepByte(at, static_cast<uint8_t>(byte), &next);
    if (next.dead() && frames[at.threads[0].frame].depth < 200) std::abort();
    if (next.dead()) break;
    text += static_cast<char>(byte);
    std::swap(at, next);
    if (at.accepting && !ac::json::Parse(text).ok()) std::abort();
  }
  return 0;
}
