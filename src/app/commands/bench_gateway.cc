// anyclaude bench gateway: what standing between client and model server costs, beside a peer.
//
// The model server keeps time and does nothing else, and lives in this process together with the
// clients; the gateways are processes of their own, so that their processor time and memory can be
// read from the kernel.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "app/commands/bench.h"
#include "base/file_system.h"
#include "bench/gateway_figures.h"
#include "launch/background_child.h"
#include "loadtest/paced_upstream.h"
#include "loadtest/process_usage.h"
#include "loadtest/stream_load.h"

namespace ac::app {
namespace {

struct BenchGatewayFlags {
  std::string peer_url;
  pid_t peer_pid = 0;
  std::string peer_name = "peer";
  std::string peer_key;
  uint16_t upstream_port = 4180;
  int streams = 50;
  int requests = 200;
  int rounds = 3;
  loadtest::Pace pace;
  int token_ms = 20;
  int hold = 2000;
  int64_t prompt_bytes = 2000;
  std::string html;
  bool json = false;
};

// While many streams are held, each gets a token a second: for longer than it takes to start all.
constexpr loadtest::Pace kHoldPace{.tokens = 15, .interval = std::chrono::seconds(1)};
constexpr Nanos kHoldBetweenStarts = std::chrono::milliseconds(2);

struct MeasuredServer {
  std::string url;
  std::string key;
  pid_t pid = 0;  // 0: not measured
  bench::GatewayFigures figures;
};

// Our gateway as a user starts it, with a home of its own: neither the user's settings nor what is
// kept there change what is measured.
Result<std::unique_ptr<launch::BackgroundChild>> StartOwnGateway(const Config& config,
                                                                 const std::string& upstream) {
  const std::string home = config.HomePath("bench/gateway");
  AC_RETURN_IF_ERROR(FileSystem::Real().CreateDirectories(home));
  const char* path = std::getenv("PATH");
  return launch::BackgroundChild::Start(
      {"/proc/self/exe", "serve", "--mode", "custom", "--url", upstream + "/v1", "--port", "0"},
      {"ANYCLAUDE_HOME=" + home, "HOME=" + home,
       std::string("PATH=") + (path == nullptr ? "/usr/bin:/bin" : path)});
}

Result<double> CpuOf(const MeasuredServer& server) {
  if (server.pid == 0) return 0;
  AC_ASSIGN_OR_RETURN(const loadtest::ProcessUsage usage, loadtest::UsageOf(server.pid));
  return usage.cpu_s;
}

size_t TextOf(const loadtest::Pace& pace) {
  return static_cast<size_t>(pace.tokens) * loadtest::PacedUpstream::kToken.size();
}

// Round after round, every server in turn, so that a change of the machine meets them all.
Status MeasureLatency(const BenchGatewayFlags& flags, loadtest::PacedUpstream& upstream,
                      std::vector<MeasuredServer>* servers) {
  upstream.SetPace(flags.pace);
  loadtest::LoadPlan plan{
      .streams = flags.streams,
      .requests = flags.requests,
      .between_starts = flags.pace.tokens * Nanos(flags.pace.interval) / std::max(flags.streams, 1),
      .prompt_bytes = flags.prompt_bytes,
      .text_bytes = TextOf(flags.pace)};
  for (int round = 0; round <= flags.rounds; ++round) {
    for (MeasuredServer& server : *servers) {
      plan.url = server.url;
      plan.api_key = server.key;
      AC_ASSIGN_OR_RETURN(const double before, CpuOf(server));
      const loadtest::LoadResult result = loadtest::RunLoad(plan);
      AC_ASSIGN_OR_RETURN(const double after, CpuOf(server));
      if (result.complete == 0) {
        return Status(Code::kUnavailable, "[bench] no request to " + server.figures.name + " at " +
                                              server.url +
                                              " was answered: " + result.first_failure);
      }
      // The first round warms up: connections, compiled code, memory.
      if (round == 0) continue;
      server.figures.Add(result);
      server.figures.cpu_s += after - before;
      fmt::print(stderr, "round {}, {}: first byte {:.2f} ms (median of {})\n", round,
                 server.figures.name, 1e3 * loadtest::Percentile(result.first_byte_s, 0.5),
                 result.complete);
    }
  }
  for (MeasuredServer& server : *servers) {
    if (server.pid == 0) continue;
    AC_ASSIGN_OR_RETURN(const loadtest::ProcessUsage usage, loadtest::UsageOf(server.pid));
    server.figures.memory_mb = usage.memory_mb;
  }
  return OkStatus();
}

Status MeasureHold(const BenchGatewayFlags& flags, loadtest::PacedUpstream& upstream,
                   std::vector<MeasuredServer>* servers) {
  upstream.SetPace(kHoldPace);
  for (MeasuredServer& server : *servers) {
    AC_ASSIGN_OR_RETURN(const double before, CpuOf(server));
    server.figures.hold_asked = flags.hold;
    server.figures.hold = loadtest::RunLoad({.url = server.url,
                                             .api_key = server.key,
                                             .streams = flags.hold,
                                             .requests = flags.hold,
                                             .between_starts = kHoldBetweenStarts,
                                             .prompt_bytes = flags.prompt_bytes,
                                             .text_bytes = TextOf(kHoldPace)});
    fmt::print(stderr, "{}: {} streams open at once, {} whole replies of {}\n", server.figures.name,
               server.figures.hold.most_open, server.figures.hold.complete, flags.hold);
    if (server.pid == 0) continue;
    AC_ASSIGN_OR_RETURN(const loadtest::ProcessUsage usage, loadtest::UsageOf(server.pid));
    server.figures.hold_cpu_s = usage.cpu_s - before;
    server.figures.hold_peak_mb = usage.peak_memory_mb;
  }
  return OkStatus();
}

Status Run(CommandContext& context, BenchGatewayFlags flags) {
  flags.pace.interval = std::chrono::milliseconds(flags.token_ms);
  if (flags.peer_url.empty() != (flags.peer_pid == 0)) {
    return InvalidArgument(
        "[bench] a peer needs both --peer-url and --peer-pid, the process that answers there");
  }
  while (flags.peer_url.ends_with('/')) flags.peer_url.pop_back();
  AC_ASSIGN_OR_RETURN(const auto upstream, loadtest::PacedUpstream::Create(flags.upstream_port));
  AC_ASSIGN_OR_RETURN(const auto own, StartOwnGateway(context.config, upstream->url()));
  AC_ASSIGN_OR_RETURN(const std::string url, own->WaitFor("Serving at ", std::chrono::seconds(30)));
  std::vector<MeasuredServer> servers;
  servers.push_back({upstream->url(), "", 0, {.name = "direct"}});
  servers.push_back({url, "", own->pid(), {.name = "anyclaude", .measured = true}});
  if (flags.peer_pid != 0) {
    servers.push_back({flags.peer_url,
                       flags.peer_key,
                       flags.peer_pid,
                       {.name = flags.peer_name, .measured = true}});
  }
  AC_RETURN_IF_ERROR(MeasureLatency(flags, *upstream, &servers));
  if (flags.hold > 0) AC_RETURN_IF_ERROR(MeasureHold(flags, *upstream, &servers));

  std::vector<bench::GatewayFigures> columns;
  for (MeasuredServer& server : servers) columns.push_back(std::move(server.figures));
  const std::string about = fmt::format(
      "{} streams at a time, {} rounds of {} requests of {} bytes, {} tokens each, one every {} ms",
      flags.streams, flags.rounds, flags.requests, flags.prompt_bytes, flags.pace.tokens,
      flags.token_ms);
  if (flags.json) {
    fmt::print("{}\n", json::Write(bench::ToJson(columns)));
  } else {
    fmt::print("{}; then {} streams at once\n\n{}", about, flags.hold, bench::ToText(columns));
  }
  return WritePage(flags.html, bench::GatewayPage(about, columns));
}

}  // namespace

void RegisterBenchGateway(CLI::App& bench, Action* chosen) {
  auto flags = std::make_shared<BenchGatewayFlags>();
  CLI::App* command = AddCommand(bench, chosen, "gateway",
                                 "What the gateway adds to every request and token, beside a peer",
                                 [flags](CommandContext& context) { return Run(context, *flags); });
  command->add_option("--peer-url", flags->peer_url,
                      "Another gateway, set up to ask http://127.0.0.1:4180/v1");
  command->add_option("--peer-pid", flags->peer_pid, "Its process");
  command->add_option("--peer-name", flags->peer_name, "What to call it");
  command->add_option("--peer-key", flags->peer_key, "Key it demands");
  command->add_option("--upstream-port", flags->upstream_port,
                      "Where the model server of this benchmark listens (4180); 0: any");
  command->add_option("--streams", flags->streams, "Replies at the same time")
      ->check(CLI::PositiveNumber);
  command->add_option("--requests", flags->requests, "Requests of a round")
      ->check(CLI::PositiveNumber);
  command->add_option("--rounds", flags->rounds, "Rounds, after one that is not counted")
      ->check(CLI::PositiveNumber);
  command->add_option("--tokens", flags->pace.tokens, "Tokens of a reply")
      ->check(CLI::PositiveNumber);
  command->add_option("--token-ms", flags->token_ms, "Time between two tokens of a reply")
      ->check(CLI::PositiveNumber);
  command->add_option("--hold", flags->hold, "Streams to hold open together at the end; 0: none")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--prompt-bytes", flags->prompt_bytes, "Size of the system prompt")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--html", flags->html, "Also write one page with charts");
  command->add_flag("--json", flags->json, "Print one JSON object");
}

}  // namespace ac::app
