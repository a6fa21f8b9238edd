// anyclaude doctor: is this machine ready? One line per check, with the fix where one is needed.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "app/commands/all.h"
#include "app/model_path.h"
#include "base/file_system.h"
#include "cpu/bandwidth.h"
#include "cpu/features.h"
#include "cpu/topology.h"
#include "http/server.h"
#include "json/json.h"
#include "kernels/select.h"

namespace ac::app {
namespace {

enum class Verdict { kOk, kWarn, kFail };

struct Check {
  Verdict verdict = Verdict::kOk;
  std::string subject;
  std::string finding;
  std::string fix;  // empty when nothing is to be done
};

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "OK";
    case Verdict::kWarn:
      return "WARN";
    case Verdict::kFail:
      return "FAIL";
  }
  return "?";
}

double Gigabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

Check CheckCpu() {
  Check check{.subject = "cpu", .finding = cpu::DescribeCpu()};
  if (cpu::HostFeatures().amx_refused) {
    check.verdict = Verdict::kWarn;
    check.fix =
        "the CPU has AMX but the system refuses it; run outside the container or allow "
        "arch_prctl";
  }
  return check;
}

Check CheckKernels() {
  const Result<kernels::Selection> selection = kernels::SelectTable(std::getenv("ANYCLAUDE_ISA"));
  if (!selection.ok()) {
    return {Verdict::kFail, "kernels", selection.status().message(), "unset ANYCLAUDE_ISA"};
  }
  Check check{.subject = "kernels", .finding = selection->reason};
  if (std::string_view(selection->table->name) == "ref") {
    check.verdict = Verdict::kWarn;
    check.fix = "only the scalar kernels run here: correct, but slow";
  }
  return check;
}

Check CheckMemory() {
  const cpu::Topology topology = cpu::HostTopology();
  Check check{.subject = "memory",
              .finding = fmt::format("{:.1f} GB available of {:.1f} GB",
                                     Gigabytes(topology.memory_available),
                                     Gigabytes(topology.memory_total))};
  if (topology.memory_available < (uint64_t{4} << 30)) {
    check.verdict = Verdict::kWarn;
    check.fix = "under 4 GB is free: choose a small model";
  }
  if (topology.transparent_huge_pages == "never") {
    check.verdict = Verdict::kWarn;
    check.finding += ", huge pages off";
    check.fix = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled makes decoding faster";
  }
  return check;
}

Check CheckBandwidth() {
  cpu::ThreadPool pool({});
  const Result<cpu::Bandwidth> measured = cpu::MeasureReadBandwidth(pool);
  if (!measured.ok()) return {Verdict::kWarn, "bandwidth", measured.status().message(), ""};
  // Every byte of the weights is read once per generated token.
  return {.subject = "bandwidth",
          .finding = fmt::format("{:.1f} GB/s read by {} threads: a 4 GB model can decode at most "
                                 "{:.1f} tokens/s",
                                 measured->gb_per_s, pool.threads(), measured->gb_per_s / 4)};
}

Check CheckModels(const Config& config) {
  const std::vector<std::string> names = ListModels(config, FileSystem::Real());
  if (!config.Text("model").empty()) {
    const Result<ResolvedModel> model = ResolveModel(config, "", FileSystem::Real());
    if (!model.ok()) {
      return {Verdict::kFail, "models", model.status().message(), "correct the model setting"};
    }
    return {.subject = "models", .finding = "configured: " + model->path};
  }
  if (names.empty()) {
    return {
        Verdict::kWarn, "models", "none in " + config.HomePath("models"),
        "put a GGUF file there or use --model FILE; until then the built-in test model answers"};
  }
  return {.subject = "models",
          .finding = fmt::format("{} in {}", names.size(), config.HomePath("models"))};
}

Check CheckPort(const Config& config) {
  http::ServerOptions options;
  options.host = config.Text("host");
  options.port = static_cast<uint16_t>(config.Integer("port"));
  const auto server =
      http::Server::Create(options, [](http::Request, std::shared_ptr<http::Exchange>) {});
  if (!server.ok()) {
    return {Verdict::kFail, "port", server.status().message(),
            "stop that program or choose another port with --port"};
  }
  return {.subject = "port",
          .finding = fmt::format("{} is free on {}", options.port, options.host)};
}

std::optional<std::string> FindOnPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string candidate = JoinPath(rest.substr(0, colon), program);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
  }
  return std::nullopt;
}

Check CheckClients() {
  if (const auto claude = FindOnPath("claude")) {
    return {.subject = "clients", .finding = "Claude Code at " + *claude};
  }
  return {Verdict::kWarn, "clients", "Claude Code (claude) is not on the PATH",
          "install it with npm (package @anthropic-ai/claude-code), or use any other client"};
}

Check CheckHome(const Config& config) {
  FileSystem& fs = FileSystem::Real();
  const std::string& home = config.home();
  if (Status status = fs.CreateDirectories(home); !status.ok()) {
    return {Verdict::kFail, "home", status.message(), "set ANYCLAUDE_HOME to a folder you own"};
  }
  const std::string probe = JoinPath(home, ".probe");
  if (Status status = WriteFileAtomic(fs, probe, "x"); !status.ok()) {
    return {Verdict::kFail, "home", status.message(), "set ANYCLAUDE_HOME to a folder you own"};
  }
  (void)fs.Remove(probe);
  struct stat st = {};
  if (::stat(home.c_str(), &st) == 0 && (st.st_mode & 077) != 0) {
    return {Verdict::kWarn, "home", home + " can be read by other users", "chmod 700 " + home};
  }
  return {.subject = "home", .finding = home + " is writable"};
}

Status Run(CommandContext& context, bool as_json) {
  const Config& config = context.config;
  const Check checks[] = {CheckCpu(),       CheckKernels(),      CheckMemory(),
                          CheckBandwidth(), CheckModels(config), CheckPort(config),
                          CheckClients(),   CheckHome(config)};
  int failed = 0;
  json::Array report;
  for (const Check& check : checks) {
    failed += check.verdict == Verdict::kFail ? 1 : 0;
    if (as_json) {
      report.push_back(json::Object{{"check", check.subject},
                                    {"verdict", VerdictName(check.verdict)},
                                    {"finding", check.finding},
                                    {"fix", check.fix}});
      continue;
    }
    fmt::print("{:<5} {:<10} {}\n", VerdictName(check.verdict), check.subject, check.finding);
    if (!check.fix.empty()) fmt::print("      {:<10} -> {}\n", "", check.fix);
  }
  if (as_json) fmt::print("{}\n", json::WritePretty(report));
  if (failed > 0) {
    return Status(Code::kFailedPrecondition, fmt::format("[doctor] {} checks failed", failed));
  }
  return OkStatus();
}

}  // namespace

void RegisterDoctor(CLI::App& app, Action* chosen) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command =
      AddCommand(app, chosen, "doctor", "Check this machine: CPU, memory, models, port, clients",
                 [as_json](CommandContext& context) { return Run(context, *as_json); });
  command->add_flag("--json", *as_json, "Print JSON");
}

}  // namespace ac::app
