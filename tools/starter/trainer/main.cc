// starter_train: trains the starter model, and writes what was trained as a GGUF file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "export.h"
#include "rows.h"
#include "select_ops.h"
#include "shape.h"
#include "trainer.h"

namespace ac::starter {
namespace {

struct Flags {
  std::string shape, data, checkpoint, held_out, vocabulary, chat_template, card, output;
  int64_t batch = 16;
  int64_t save_every = 200;
  int threads = 0;
  TrainOptions train;
};

// Every *.rows file of the folder, in the order of their names.
Result<std::vector<RowFile>> OpenRows(const std::string& folder, int vocabulary, FileSystem& fs) {
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  std::vector<RowFile> files;
  for (const std::string& name : names) {
    if (!name.ends_with(".rows")) continue;
    AC_ASSIGN_OR_RETURN(RowFile file, RowFile::Open(JoinPath(folder, name), vocabulary, fs));
    files.push_back(std::move(file));
  }
  if (files.empty()) return NotFound("[starter] no *.rows file in " + folder);
  return files;
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status Train(const Flags& flags) {
  FileSystem& fs = FileSystem::Real();
  AC_ASSIGN_OR_RETURN(const weights::ModelConfig config, ReadShape(flags.shape, fs));
  AC_ASSIGN_OR_RETURN(const std::vector<RowFile> files,
                      OpenRows(flags.data, config.vocab_size, fs));
  AC_ASSIGN_OR_RETURN(const RowFile held_out, RowFile::Open(flags.held_out, config.vocab_size, fs));
  std::vector<Row> rows;
  for (const RowFile& file : files) {
    rows.insert(rows.end(), file.rows().begin(), file.rows().end());
  }
  cpu::ThreadPool pool({.threads = flags.threads});
  Network network(config, *UsableOps().back(), files.front().row_length());
  Trainer trainer(&network, flags.train, &pool);
  if (fs.Exists(flags.checkpoint)) AC_RETURN_IF_ERROR(trainer.Load(flags.checkpoint, fs));
  fmt::print("{} parameters, {} rows of {} tokens, {} arithmetic, from step {}\n",
             network.parameters().size(), rows.size(), files.front().row_length(),
             network.ops().name, trainer.step());
  double begin = Seconds();
  double loss = 0;
  std::vector<Row> batch(static_cast<size_t>(flags.batch));
  while (trainer.step() < flags.train.steps) {
    for (int64_t i = 0; i < flags.batch; ++i) {
      const auto at = static_cast<size_t>(trainer.step() * flags.batch + i) % rows.size();
      batch[static_cast<size_t>(i)] = rows[at];
    }
    loss += trainer.Step(batch);
    const int64_t step = trainer.step();
    if (step % 20 == 0) {
      const double now = Seconds();
      const double tokens = static_cast<double>(20 * flags.batch * files.front().row_length());
      fmt::print("step {} loss {:.4f} rate {:.5f} tokens/s {:.0f}\n", step, loss / 20,
                 trainer.Rate(step), tokens / (now - begin));
      std::fflush(stdout);
      begin = now;
      loss = 0;
    }
    if (step % flags.save_every == 0 || step == flags.train.steps) {
      fmt::print("step {} held-out loss {:.4f}\n", step, trainer.Evaluate(held_out.rows()));
      AC_RETURN_IF_ERROR(trainer.Save(flags.checkpoint, fs));
      begin = Seconds();
    }
  }
  return OkStatus();
}

Status WriteModel(const Flags& flags) {
  FileSystem& fs = FileSystem::Real();
  AC_ASSIGN_OR_RETURN(const weights::ModelConfig config, ReadShape(flags.shape, fs));
  ExportInputs inputs;
  AC_ASSIGN_OR_RETURN(inputs.vocabulary, ReadFile(fs, flags.vocabulary));
  AC_ASSIGN_OR_RETURN(inputs.chat_template, ReadFile(fs, flags.chat_template));
  AC_ASSIGN_OR_RETURN(inputs.card, ReadFile(fs, flags.card));
  cpu::ThreadPool pool({.threads = 1});
  Network network(config, *UsableOps().front(), 1);
  Trainer trainer(&network, flags.train, &pool);
  AC_RETURN_IF_ERROR(trainer.Load(flags.checkpoint, fs));
  return Export(config, network.parameters(), trainer.values(), inputs, flags.output, fs);
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Trains the starter model (tools/starter/README.md)");
  app.require_subcommand(1);
  app.add_option("--shape", flags.shape, "shape.json")->required();
  app.add_option("--checkpoint", flags.checkpoint, "File to continue from and to save to")
      ->required();
  CLI::App* const train = app.add_subcommand("train", "Train; continues a checkpoint");
  train->add_option("--data", flags.data, "Folder of *.rows files")->required();
  train->add_option("--held-out", flags.held_out, "A *.rows file that is never trained on")
      ->required();
  train->add_option("--steps", flags.train.steps, "Train up to this step");
  train->add_option("--batch", flags.batch, "Rows per step");
  train->add_option("--rate", flags.train.rate, "Highest learning rate");
  train->add_option("--decay-share", flags.train.decay_share, "Last part with a falling rate");
  train->add_option("--save-every", flags.save_every, "Steps between checkpoints");
  train->add_option("--threads", flags.threads, "0: all cores");
  CLI::App* const write = app.add_subcommand("export", "Write a checkpoint as GGUF");
  write->add_option("--vocabulary", flags.vocabulary, "vocabulary.json")->required();
  write->add_option("--template", flags.chat_template, "chat_template.jinja")->required();
  write->add_option("--card", flags.card, "JSON object of metadata")->required();
  write->add_option("-o,--output", flags.output, "GGUF file")->required();
  CLI11_PARSE(app, argc, argv);
  const Status status = train->parsed() ? Train(flags) : WriteModel(flags);
  if (status.ok()) return 0;
  fmt::print(stderr, "starter_train: {}\n", status.message());
  return 1;
}

}  // namespace
}  // namespace ac::starter

int main(int argc, char** argv) { return ac::starter::Main(argc, argv); }
