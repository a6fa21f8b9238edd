#include <gtest/gtest.h>

#include "bench/forward.h"
#include "bench/gateway_figures.h"
#include "bench/kernel_rates.h"
#include "bench/local_session.h"
#include "bench/page.h"
#include "bench/peak.h"
#include "bench/session.h"
#include "bench/spread.h"
#include "bench/url_session.h"
#include "bench/workload.h"
#include "http/server.h"
#include "kernels/select.h"
#include "support/temp_dir.h"
#include "weights/synth.h"

namespace ac::bench {
namespace {

std::unique_ptr<engine::LoadedModel> TinyModel(const testing::TempDir& dir,
                                               const std::string& shape) {
  const std::string path = dir / "model.gguf";
  const Status made =
      weights::Synthesize({shape, weights::Recipe::kQ4_K_M, 1}, path, FileSystem::Real(), {});
  EXPECT_TRUE(made.ok()) << made;
  auto model = engine::LoadedModel::Load(path, {.threads = 2});
  EXPECT_TRUE(model.ok()) << model.status();
  return std::move(model).value();
}

TEST(Spread, IsTheMedianWithTheExtremes) {
  const Spread odd = SpreadOf({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 3);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).median, 2.5);
  int runs = 0;
  TimeOf(3, [&] { ++runs; });
  EXPECT_EQ(runs, 4) << "one run to warm up";
}

TEST(Peak, EveryTableCountsItsOwnOperations) {
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = 2});
  for (const ac_kernel_table* table : kernels::RunnableTables()) {
    SCOPED_TRACE(table->name);
    EXPECT_EQ(table->peak_floats(20), 2 * table->peak_floats(10));
    EXPECT_GT(table->peak_bytes(1), 0);
  }
  const auto peak = MeasurePeak(*kernels::RunnableTables().front(), pool);
  ASSERT_TRUE(peak.ok()) << peak.status();
  EXPECT_GT(peak->float_gflops, 0);
  EXPECT_GT(peak->byte_gops, 0);
  EXPECT_GT(peak->read_gb_per_s, 0);
}

TEST(Workload, CountsProductsOfLayersHeadAndAttention) {
  const testing::TempDir dir;
  const auto model = TinyModel(dir, "tiny-llama");
  const weights::ModelConfig& c = model->file().config();
  const Workload work = WorkloadOf(model->file());
  const double d = c.d_model, q = c.n_heads * c.head_dim, kv = c.n_kv_heads * c.head_dim;
  EXPECT_EQ(work.layer_flops, 2 * c.n_layers * (d * (2 * q + 2 * kv) + 3 * d * c.d_ff));
  EXPECT_EQ(work.head_flops, 2 * d * c.vocab_size);
  EXPECT_EQ(work.attention_flops, 4 * c.n_layers * q);
  EXPECT_TRUE(work.quantised);
  // Two tokens behind three see 4 and 5 positions.
  EXPECT_EQ(work.Flops(2, 3), 2 * work.layer_flops + work.head_flops + 9 * work.attention_flops);
}

TEST(Workload, OfExpertsOnlyTheChosenOnesCount) {
  const testing::TempDir dir;
  const auto model = TinyModel(dir, "tiny-qwen3moe");
  const Workload work = WorkloadOf(model->file());
  EXPECT_LT(work.layer_bytes, work.all_layer_bytes);
}

TEST(Forward, MeasuresEveryCaseAndRefusesWhatDoesNotFit) {
  const testing::TempDir dir;
  const auto model = TinyModel(dir, "tiny-qwen3");
  const Peak peak{.float_gflops = 100, .byte_gops = 100, .read_gb_per_s = 10};
  for (const kv::KvType type : {kv::KvType::kF32, kv::KvType::kBF16, kv::KvType::kQ8}) {
    int seen = 0;
    const auto results =
        MeasureForward(*model, {{1, 0}, {1, 100}, {33, 64}},
                       {.kind = ForwardKind::kDecode, .kv_type = type, .repetitions = 1}, peak,
                       [&](const ForwardResult&) { ++seen; });
    ASSERT_TRUE(results.ok()) << results.status();
    EXPECT_EQ(seen, 3);
    for (const ForwardResult& result : *results) {
      EXPECT_GT(result.tokens_per_s.median, 0);
      EXPECT_GT(result.percent_of_peak, 0);
      EXPECT_NEAR(result.percent_of_peak, 100 * result.gb_per_s / 10, 1e-9);
    }
  }
  const auto refused = MeasureForward(*model, {{1, 1 << 30}}, {}, peak, {});
  EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
  EXPECT_NE(refused.status().message().find("context"), std::string::npos);
}

TEST(KernelRates, CoverFormatsAndCacheTypes) {
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = 2});
  const Peak peak{.float_gflops = 100, .byte_gops = 100, .read_gb_per_s = 10};
  std::vector<std::string> names;
  MeasureKernels(*kernels::RunnableTables().front(), pool,
                 {.rows = 33, .cols = 256, .tokens = 7, .depth = 70, .repetitions = 1}, peak,
                 [&](const KernelRate& rate) {
                   names.push_back(rate.kernel);
                   EXPECT_GT(rate.gflop_per_s, 0) << rate.kernel;
                 });
  EXPECT_EQ(names.size(), 2u * (9 + 3));
  EXPECT_EQ(names.front(), "matmul Q4_0");
  EXPECT_EQ(names.back(), "attention q8");
}

constexpr SessionPlan kSmall{
    .prompt_tokens = 200, .turn_tokens = 10, .reply_tokens = 4, .turns = 3};

TEST(LocalSession, FollowUpsReuseWhatWasComputed) {
  const testing::TempDir dir;
  const auto model = TinyModel(dir, "tiny-qwen3");
  for (const bool cache : {true, false}) {
    auto pages = model->MakePages({.type = kv::KvType::kBF16, .bytes = 64 << 20});
    ASSERT_TRUE(pages.ok()) << pages.status();
    engine::EngineOptions options;
    options.prefix_cache = cache;
    engine::Engine engine(*model, model->tokenizer(), std::move(pages).value(), options);
    LocalSession session(250, 1);
    session.Use(&engine);
    const auto column = RunSession(session, kSmall, cache ? "cache" : "no cache", {});
    ASSERT_TRUE(column.ok()) << column.status();
    ASSERT_EQ(column->turns.size(), 3u);
    EXPECT_EQ(column->turns[0].computed, 210);
    EXPECT_EQ(column->turns[1].computed + column->turns[1].reused, 210 + 4 + 10);
    EXPECT_EQ(column->turns[1].reused > 0, cache);
    EXPECT_EQ(column->turns[1].output_tokens, 4);
  }
}

std::vector<Column> TwoColumns() {
  return {{"cache", {{1, 30, 31, 18590, 0, 0, 16}, {2, 0.5, 1.5, 116, 18590, 0, 16}}},
          {"after restart", {{1, 2, 3, 116, 18590, 18560, 16}}}};
}

TEST(Session, JsonKeepsTheContract) {
  const json::Value out = ToJson(TwoColumns());
  const json::Array& turns = *json::AsArray(json::Find(out, "turns"));
  ASSERT_EQ(turns.size(), 2u);
  for (const char* key : {"n", "ttft_s", "total_s", "computed", "reused", "from_disk"}) {
    EXPECT_NE(json::Find(turns[1], key), nullptr) << key;
  }
  EXPECT_EQ(json::GetDouble(out, "cold_ttft_s"), 30.0);
  EXPECT_EQ(json::GetDouble(out, "warm_ttft_s_median"), 0.5);
  EXPECT_EQ(json::GetDouble(out, "restart_ttft_s"), 2.0);
  const json::Array& columns = *json::AsArray(json::Find(out, "columns"));
  EXPECT_EQ(json::GetDouble(columns[0], "decode_tokens_per_s"), 15.0);
}

TEST(Session, DecodeIsCountedAfterTheFirstToken) {
  const Column column{"speculation", {{1, 5, 6, 10, 0, 0, 11}, {2, 1, 2, 10, 0, 0, 31}}};
  EXPECT_EQ(column.decode_tokens_per_s(), 20.0);
  EXPECT_FALSE((Column{"cache", {{1, 5, 5, 10, 0, 0, 1}}}).decode_tokens_per_s());
  EXPECT_NE(ToText({column}).find("20.0"), std::string::npos);
}

TEST(Session, TextPutsTheReportedTimesBesideOurs) {
  const std::string text = ToText(TwoColumns());
  for (const char* words : {"after restart", "116 + 18590", "60x", "LM Studio", "300 s"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  }
}

TEST(Page, IsOneFileAndEscapesWhatItIsGiven) {
  const std::string page = SessionPage("<model> & more", TwoColumns());
  EXPECT_NE(page.find("&lt;model&gt; &amp; more"), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
}

// A server with one of the two APIs that counts the messages it gets.
class OneApi {
 public:
  explicit OneApi(std::string path) : path_(std::move(path)) {
    auto server = http::Server::Create(
        {.port = 0}, [this](http::Request request, std::shared_ptr<http::Exchange> exchange) {
          Answer(request, *exchange);
        });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(server).value();
  }
  std::string url() const { return server_->url(); }
  std::vector<std::string> bodies;

 private:
  void Answer(const http::Request& request, http::Exchange& exchange) {
    if (request.path == "/v1/models") {
      exchange.Respond(http::Response::Make(200, "application/json", R"({"data":[{"id":"m"}]})"));
    } else if (request.path != path_) {
      exchange.Respond(http::Response::Make(404, "application/json", "{}"));
    } else {
      bodies.push_back(request.body);
      const bool anthropic = path_ == "/v1/messages";
      exchange.Respond(http::Response::Make(
          200, "text/event-stream",
          anthropic
              ? "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":5,"
                "\"cache_read_input_tokens\":90}}}\n\n"
                "event: content_block_delta\ndata: {\"delta\":{\"text\":\"hi\"}}\n\n"
                "event: message_delta\ndata: {\"usage\":{\"output_tokens\":1}}\n\n"
              : "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":95,\"completion_tokens\":1,"
                "\"prompt_tokens_details\":{\"cached_tokens\":90}}}\n\ndata: [DONE]\n\n"));
    }
  }

  const std::string path_;
  std::unique_ptr<http::Server> server_;
};

TEST(UrlSession, SpeaksWhicheverApiTheServerHas) {
  for (const char* path : {"/v1/messages", "/v1/chat/completions"}) {
    SCOPED_TRACE(path);
    OneApi server(path);
    auto session = UrlSession::Open({.url = server.url() + "/v1/"});
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ((*session)->model(), "m");
    const auto column = RunSession(**session, kSmall, "server", {});
    ASSERT_TRUE(column.ok()) << column.status();
    for (const Turn& turn : column->turns) {
      EXPECT_EQ(turn.computed, 5);
      EXPECT_EQ(turn.reused, 90);
      EXPECT_EQ(turn.output_tokens, 1);
    }
    const auto last = json::Parse(server.bodies.back());
    ASSERT_TRUE(last.ok());
    const size_t system = path == std::string("/v1/messages") ? 0 : 1;
    EXPECT_EQ(json::AsArray(json::Find(*last, "messages"))->size(), 5u + system);
  }
}

TEST(UrlSession, SaysWhatTheServerAnswered) {
  OneApi nothing("/elsewhere");
  auto session = UrlSession::Open({.url = nothing.url()});
  ASSERT_TRUE(session.ok()) << session.status();
  const auto turn = (*session)->Ask(kSmall);
  EXPECT_NE(turn.status().message().find("404"), std::string::npos) << turn.status();
  EXPECT_FALSE(UrlSession::Open({.url = "not a url"}).ok());
}

TEST(GatewayFigures, AddedTimesAreAgainstTheFirstColumn) {
  GatewayFigures direct{.name = "direct"};
  direct.Add({.first_byte_s = {0.001, 0.001}, .first_token_s = {0.001, 0.001}, .complete = 2});
  GatewayFigures ours{.name = "ours", .measured = true, .cpu_s = 0.5, .memory_mb = 30};
  ours.Add({.first_byte_s = {0.003}, .first_token_s = {0.005}, .complete = 1, .tokens = 100'000});
  const json::Value out = ToJson({direct, ours});
  const json::Array& columns = *json::AsArray(json::Find(out, "columns"));
  EXPECT_NEAR(*json::GetDouble(columns[1], "added_first_byte_p50_ms"), 2, 1e-9);
  EXPECT_NEAR(*json::GetDouble(columns[1], "added_first_token_p99_ms"), 4, 1e-9);
  EXPECT_NEAR(*json::GetDouble(columns[1], "cpu_per_token_us"), 5, 1e-9);
  EXPECT_TRUE(json::Find(columns[0], "cpu_per_token_us")->is_null());
  EXPECT_TRUE(json::Find(columns[1], "hold_open")->is_null());
  EXPECT_NE(ToText({direct, ours}).find("processor time per token"), std::string::npos);
  EXPECT_NE(GatewayPage("about", {direct, ours}).find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace ac::bench
