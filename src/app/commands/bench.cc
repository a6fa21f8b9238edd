// anyclaude bench: how fast this machine runs models, beside what it could do at most.
#include "app/commands/bench.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "app/commands/all.h"
#include "app/progress.h"
#include "base/file_system.h"
#include "bench/forward.h"
#include "bench/kernel_rates.h"
#include "bench/page.h"
#include "cpu/topology.h"
#include "kernels/select.h"
#include "weights/synth.h"

namespace ac::app {
namespace {

constexpr const char* kDefaultShape = "qwen2.5-coder-0.5b";
constexpr const char* kDefaultQuant = "q4_0";

struct BenchFlags {
  BenchModelFlags model;
  std::vector<int64_t> tokens;
  std::vector<int64_t> depths = {0};
  std::string kv_type = "bf16";
  std::string html;
  int repetitions = 5;
  int threads = 0;
  bool json = false;
};

Result<kv::KvType> ParseKvType(const std::string& name) {
  if (name == "f32") return kv::KvType::kF32;
  if (name == "bf16") return kv::KvType::kBF16;
  if (name == "q8") return kv::KvType::kQ8;
  return InvalidArgument("[bench] --kv-type takes f32, bf16 or q8, not \"" + name + "\"");
}

// On stderr, so that stdout holds results alone.
void PrintPeak(const bench::Peak& peak) {
  fmt::print(stderr,
             "Peak of this machine now, {} threads, {} kernels: {:.0f} GFLOP/s of floats, {:.0f} "
             "Gop/s of bytes, {:.1f} GB/s read\n",
             peak.threads, peak.table, peak.float_gflops, peak.byte_gops, peak.read_gb_per_s);
}

Result<const ac_kernel_table*> Table() {
  const char* isa = std::getenv("ANYCLAUDE_ISA");
  AC_ASSIGN_OR_RETURN(const kernels::Selection selection,
                      kernels::SelectTable(isa == nullptr ? "" : isa));
  return selection.table;
}

std::string PageOf(const std::string& title, const bench::Peak& peak,
                   std::vector<bench::Chart> charts) {
  const std::string about = fmt::format(
      "{}, {} threads, {} kernels; peak measured in the same run: {:.0f} GFLOP/s of floats, {:.0f} "
      "Gop/s of bytes, {:.1f} GB/s read",
      cpu::HostTopology().model, peak.threads, peak.table, peak.float_gflops, peak.byte_gops,
      peak.read_gb_per_s);
  return bench::Page(title, about, charts, {});
}

Status RunKernels(const BenchFlags& flags) {
  AC_ASSIGN_OR_RETURN(const ac_kernel_table* const table, Table());
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = flags.threads});
  AC_ASSIGN_OR_RETURN(const bench::Peak peak, bench::MeasurePeak(*table, pool));
  PrintPeak(peak);
  if (!flags.json) {
    fmt::print("{:<16} {:>6} {:>6} {:>10} {:>9} {:>8} {:>10}\n", "kernel", "tokens", "depth", "ms",
               "GFLOP/s", "GB/s", "% of peak");
  }
  json::Array results;
  bench::Chart chart{"GFLOP/s", "GFLOP/s", {}};
  bench::MeasureKernels(
      *table, pool, {.repetitions = flags.repetitions}, peak, [&](const bench::KernelRate& rate) {
        results.push_back(bench::ToJson(rate));
        chart.bars.push_back(
            {fmt::format("{}, {} tokens", rate.kernel, rate.tokens), rate.gflop_per_s});
        if (flags.json) return;
        fmt::print("{:<16} {:>6} {:>6} {:>10.3f} {:>9.1f} {:>8.2f} {:>10.1f}\n", rate.kernel,
                   rate.tokens, rate.depth, 1e3 * rate.seconds.median, rate.gflop_per_s,
                   rate.gb_per_s, rate.percent_of_peak);
        std::fflush(stdout);
      });
  if (flags.json) {
    fmt::print("{}\n", json::Write(json::Object{{"peak", bench::ToJson(peak)},
                                                {"results", std::move(results)}}));
  }
  return WritePage(flags.html, PageOf("anyclaude bench kernels", peak, {std::move(chart)}));
}

Status RunForward(CommandContext& context, const BenchFlags& flags, bench::ForwardKind kind) {
  bench::ForwardOptions options{.kind = kind, .repetitions = flags.repetitions};
  AC_ASSIGN_OR_RETURN(options.kv_type, ParseKvType(flags.kv_type));
  if (flags.threads > 0) {
    AC_RETURN_IF_ERROR(context.config.SetFlag("threads", std::to_string(flags.threads)));
  }
  AC_ASSIGN_OR_RETURN(const OpenedModel opened, OpenBenchModel(context, flags.model));
  AC_ASSIGN_OR_RETURN(const ac_kernel_table* const table, Table());
  Result<bench::Peak> peak = [&] {
    // Gone before the model's own threads work.
    cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = opened.loaded->threads()});
    return bench::MeasurePeak(*table, pool);
  }();
  AC_RETURN_IF_ERROR(peak.status());
  PrintPeak(*peak);
  std::vector<bench::ForwardCase> cases;
  for (const int64_t depth : flags.depths) {
    for (const int64_t tokens : flags.tokens) cases.push_back({tokens, depth});
  }
  if (!flags.json) {
    fmt::print("{:>6} {:>6} {:>10} {:>20} {:>9} {:>8} {:>10}\n", "tokens", "depth", "tokens/s",
               "(min to max)", "GFLOP/s", "GB/s", "% of peak");
  }
  bench::Chart chart{"Tokens per second", "tokens/s", {}};
  const auto print = [&](const bench::ForwardResult& r) {
    chart.bars.push_back(
        {fmt::format("{} tokens at depth {}", r.what.tokens, r.what.depth), r.tokens_per_s.median});
    if (flags.json) return;
    fmt::print("{:>6} {:>6} {:>10.2f} {:>20} {:>9.1f} {:>8.2f} {:>10.1f}\n", r.what.tokens,
               r.what.depth, r.tokens_per_s.median,
               fmt::format("({:.2f} to {:.2f})", r.tokens_per_s.min, r.tokens_per_s.max),
               r.gflop_per_s, r.gb_per_s, r.percent_of_peak);
    std::fflush(stdout);
  };
  AC_ASSIGN_OR_RETURN(const auto results,
                      bench::MeasureForward(*opened.loaded, cases, options, *peak, print));
  if (flags.json) {
    json::Array array;
    for (const bench::ForwardResult& result : results) array.push_back(bench::ToJson(result));
    fmt::print("{}\n", json::Write(json::Object{{"peak", bench::ToJson(*peak)},
                                                {"results", std::move(array)},
                                                {"model", opened.resolved.name},
                                                {"kv_type", flags.kv_type}}));
  }
  const std::string title = std::string("anyclaude bench ") +
                            (kind == bench::ForwardKind::kPrefill ? "prefill" : "decode") + ": " +
                            opened.resolved.name;
  return WritePage(flags.html, PageOf(title, *peak, {std::move(chart)}));
}

CLI::App* AddForward(CLI::App& bench, Action* chosen, bench::ForwardKind kind) {
  auto flags = std::make_shared<BenchFlags>();
  const bool prefill = kind == bench::ForwardKind::kPrefill;
  flags->tokens = prefill ? std::vector<int64_t>{512, 4096} : std::vector<int64_t>{1};
  if (!prefill) flags->depths = {0, 4096};
  CLI::App* command = AddCommand(
      bench, chosen, prefill ? "prefill" : "decode",
      prefill ? "Prompt tokens per second" : "Generated tokens per second of one conversation",
      [flags, kind](CommandContext& context) { return RunForward(context, *flags, kind); });
  AddBenchModelOptions(command, &flags->model);
  if (prefill) {
    command->add_option("--tokens", flags->tokens, "Prompt lengths: 512,4096")
        ->delimiter(',')
        ->check(CLI::PositiveNumber);
  }
  command->add_option("--depth", flags->depths, "Positions already in the cache: 0,4096")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  command->add_option("--kv-type", flags->kv_type, "Keys and values as f32, bf16 or q8");
  command->add_option("--repeat", flags->repetitions, "Runs of each; the median counts")
      ->check(CLI::PositiveNumber);
  command->add_option("--threads", flags->threads, "Threads (one for each core)");
  command->add_option("--html", flags->html, "Also write one page with a chart");
  command->add_flag("--json", flags->json, "Print one JSON object");
  return command;
}

}  // namespace

void AddBenchModelOptions(CLI::App* command, BenchModelFlags* flags) {
  AddModelOption(command, &flags->model);
  command->add_option("--shape", flags->shape,
                      "Instead of a model: random weights of this shape (models synth --help)");
  command->add_option("--quant", flags->quant,
                      "Weight type of --shape: " + std::string(weights::kRecipeNames));
  command->add_option("--layers", flags->layers, "Only so many of the layers of --shape");
}

Result<OpenedModel> OpenBenchModel(CommandContext& context, const BenchModelFlags& flags) {
  const Config& config = context.config;
  const bool synthetic = !flags.shape.empty() || !flags.quant.empty() || flags.layers != 0 ||
                         (flags.model.empty() && config.Text("model").empty());
  if (!synthetic) return OpenModel(config, flags.model);
  if (!flags.model.empty()) {
    return InvalidArgument("[bench] give either --model or --shape with --quant, not both");
  }
  weights::SynthSpec spec;
  spec.shape = flags.shape.empty() ? kDefaultShape : flags.shape;
  const std::string quant = flags.quant.empty() ? kDefaultQuant : flags.quant;
  const auto recipe = weights::RecipeByName(quant);
  if (!recipe) {
    return InvalidArgument("[bench] unknown weight type \"" + quant +
                           "\"; there are: " + std::string(weights::kRecipeNames));
  }
  spec.recipe = *recipe;
  spec.layers = flags.layers;
  AC_RETURN_IF_ERROR(weights::SynthBytes(spec).status());  // an unknown shape makes no folder
  FileSystem& fs = FileSystem::Real();
  AC_RETURN_IF_ERROR(fs.CreateDirectories(config.HomePath("bench")));
  std::string name = spec.shape + "-" + quant;
  if (spec.layers > 0) name += "-" + std::to_string(spec.layers) + "-layers";
  name += ".gguf";
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string path = JoinPath(config.HomePath("bench"), name);
  if (!fs.Exists(path)) {
    fmt::print(stderr, "making {} (kept for next time)\n", path);
    ProgressBar progress("writing", "B");
    AC_RETURN_IF_ERROR(weights::Synthesize(
        spec, path, fs,
        [&progress](uint64_t done, uint64_t total) { progress.Update(done, total); }));
  }
  return OpenModel(config, path);
}

Status WritePage(const std::string& path, const std::string& page) {
  if (path.empty()) return OkStatus();
  AC_RETURN_IF_ERROR(WriteFileAtomic(FileSystem::Real(), path, page));
  fmt::print(stderr, "wrote {}\n", path);
  return OkStatus();
}

void RegisterBench(CLI::App& app, Action* chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed beside this machine's peak");
  bench->require_subcommand(1);
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* kernels =
      AddCommand(*bench, chosen, "kernels", "Products and attention, every format, one by one",
                 [flags](CommandContext&) { return RunKernels(*flags); });
  kernels->add_option("--repeat", flags->repetitions, "Runs of each; the median counts")
      ->check(CLI::PositiveNumber);
  kernels->add_option("--threads", flags->threads, "Threads (one for each core)");
  kernels->add_option("--html", flags->html, "Also write one page with a chart");
  kernels->add_flag("--json", flags->json, "Print one JSON object");
  AddForward(*bench, chosen, bench::ForwardKind::kPrefill);
  AddForward(*bench, chosen, bench::ForwardKind::kDecode);
  RegisterBenchGateway(*bench, chosen);
  RegisterBenchSession(*bench, chosen);
}

}  // namespace ac::app
