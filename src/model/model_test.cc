#include "model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "support/model_runner.h"
#include "support/temp_dir.h"
#include "weights/synth.h"

namespace ac::model {
namespace {

using testing::ModelRunner;
using weights::ModelConfig;
using weights::ModelFile;
using weights::Tensor;

constexpr const char* kShapes[] = {"tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-qwen3moe"};

// Files are made once for all tests.
std::string SynthPath(const std::string& shape) {
  static const testing::TempDir dir;
  static std::map<std::string, std::string> made;
  std::string& path = made[shape];
  if (path.empty()) {
    path = dir / (shape + ".gguf");
    const Status status =
        weights::Synthesize({shape, weights::Recipe::kQ4_K_M, 1}, path, FileSystem::Real(), {});
    EXPECT_TRUE(status.ok()) << status;
  }
  return path;
}

std::unique_ptr<ModelFile> OpenFile(const std::string& shape) {
  auto file = ModelFile::Open(SynthPath(shape));
  EXPECT_TRUE(file.ok()) << file.status();
  return std::move(file).value();
}

// A model file with a few things changed.
class ChangedFile : public ModelFile {
 public:
  explicit ChangedFile(const std::string& shape)
      : file_(OpenFile(shape)), changed(file_->config()) {}

  const std::string& path() const override { return file_->path(); }
  const ModelConfig& config() const override { return changed; }
  std::span<const Tensor> tensors() const override { return file_->tensors(); }
  const Tensor* Find(std::string_view name) const override {
    return name == hidden ? nullptr : file_->Find(name);
  }
  const weights::TokenizerSource& tokenizer_source() const override {
    return file_->tokenizer_source();
  }
  uint64_t total_bytes() const override { return file_->total_bytes(); }
  std::string_view format() const override { return file_->format(); }

 private:
  const std::unique_ptr<ModelFile> file_;

 public:
  ModelConfig changed;
  std::string hidden;  // a tensor Find() does not see
};

std::vector<TokenId> Tokens(int count, int salt = 0) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 31 + salt * 17 + 5) % 250);
  return tokens;
}

std::unique_ptr<ModelRunner> MustOpen(std::unique_ptr<ModelFile> file,
                                      const ModelRunner::Options& options = {}) {
  auto runner = ModelRunner::Open(std::move(file), options);
  EXPECT_TRUE(runner.ok()) << runner.status();
  return std::move(runner).value();
}

std::vector<std::vector<float>> MustRun(ModelRunner& runner, std::vector<ModelRunner::Input> in) {
  auto rows = runner.Run(std::move(in));
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? std::move(rows).value() : std::vector<std::vector<float>>();
}

TEST(PoolingTest, HiddenStatesAddUpTheSameHoweverThePromptIsCut) {
  for (const char* shape : kShapes) {
    auto runner = MustOpen(OpenFile(shape), {.max_block_tokens = 16});
    const auto width = static_cast<size_t>(runner->model().config().d_model);
    const auto tokens = Tokens(40);
    std::vector<float> whole(width);
    ModelRunner::Sequence at_once;
    MustRun(*runner, {{&at_once, tokens, LogitRows::kNone, whole.data()}});
    std::vector<float> pieces(width);
    std::vector<float> last(width);
    ModelRunner::Sequence one_by_one;
    for (const TokenId token : tokens) {
      std::fill(last.begin(), last.end(), 0.0f);
      MustRun(*runner, {{&one_by_one, {token}, LogitRows::kNone, last.data()}});
      for (size_t i = 0; i < width; ++i) pieces[i] += last[i];
    }
    EXPECT_EQ(whole, pieces) << shape;
    float largest = 0;
    for (const float value : last) largest = std::max(largest, std::abs(value));
    EXPECT_GT(largest, 0.0f) << shape;
  }
}

class BatchTest
    : public ::testing::TestWithParam<std::tuple<const char*, const ac_kernel_table*, kv::KvType>> {
};

TEST_P(BatchTest, LogitsDependNeitherOnChunksNorOnBlocksNorOnTheRestOfTheBatch) {
  const auto& [shape, table, kv_type] = GetParam();
  auto runner = MustOpen(OpenFile(shape), {.table = table, .kv_type = kv_type});
  const auto tokens = Tokens(150);
  ModelRunner::Sequence whole;
  const auto expected = MustRun(*runner, {{&whole, tokens}});
  ASSERT_EQ(expected.size(), 1u);

  // In pieces that begin and end inside pages, then token by token.
  for (const std::vector<size_t>& cuts :
       {std::vector<size_t>{1, 64, 65, 128}, std::vector<size_t>{63, 149}}) {
    ModelRunner::Sequence pieces;
    std::vector<std::vector<float>> logits;
    size_t begin = 0;
    for (size_t i = 0; i <= cuts.size(); ++i) {
      const size_t end = i < cuts.size() ? cuts[i] : tokens.size();
      logits = MustRun(*runner, {{&pieces,
                                  {tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                   tokens.begin() + static_cast<std::ptrdiff_t>(end)}}});
      begin = end;
    }
    EXPECT_EQ(expected[0], logits[0]);
    runner->Free(pieces);
  }
  ModelRunner::Sequence single;
  std::vector<std::vector<float>> logits;
  for (TokenId token : tokens) logits = MustRun(*runner, {{&single, {token}}});
  EXPECT_EQ(expected[0], logits[0]);

  // Between two other sequences, one of which is further along.
  ModelRunner::Sequence first, second, middle;
  MustRun(*runner, {{&first, Tokens(70, 1), LogitRows::kNone}});
  const auto batch = MustRun(
      *runner, {{&first, {7}}, {&middle, tokens}, {&second, Tokens(40, 2), LogitRows::kAll}});
  ASSERT_EQ(batch.size(), 42u);
  EXPECT_EQ(expected[0], batch[1]);

  // In blocks of 17 tokens.
  auto small =
      MustOpen(OpenFile(shape), {.table = table, .kv_type = kv_type, .max_block_tokens = 17});
  ModelRunner::Sequence blocks;
  EXPECT_EQ(expected[0], MustRun(*small, {{&blocks, tokens}})[0]);
}

TEST_P(BatchTest, EveryRowOfAPromptEqualsTheLastRowOfItsPrefix) {
  const auto& [shape, table, kv_type] = GetParam();
  auto runner = MustOpen(OpenFile(shape), {.table = table, .kv_type = kv_type});
  const auto tokens = Tokens(67);
  ModelRunner::Sequence all;
  const auto rows = MustRun(*runner, {{&all, tokens, LogitRows::kAll}});
  ASSERT_EQ(rows.size(), tokens.size());
  for (size_t length : {size_t{1}, size_t{33}, size_t{66}}) {
    ModelRunner::Sequence prefix;
    const auto last = MustRun(
        *runner,
        {{&prefix, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(length)}}});
    EXPECT_EQ(last[0], rows[length - 1]);
    runner->Free(prefix);
  }
}

// Sequences over one cached prefix, as many tokens each as speculation gives them, beside a prompt:
// reading the prefix once for all of them changes nobody's bits.
TEST_P(BatchTest, LogitsAreTheSameWhenTheirPrefixIsReadOnceForAll) {
  const auto& [shape, table, kv_type] = GetParam();
  auto runner = MustOpen(OpenFile(shape), {.table = table, .kv_type = kv_type});
  const auto prefix = Tokens(140);
  const std::ptrdiff_t shared = 128;
  ModelRunner::Sequence trunk;
  MustRun(*runner, {{&trunk, prefix, LogitRows::kNone}});

  constexpr int kBranches = 5;
  std::vector<ModelRunner::Sequence> branches(kBranches);
  std::vector<std::vector<std::vector<float>>> expected;
  std::vector<std::vector<TokenId>> tails;
  for (int i = 0; i < kBranches; ++i) {
    // All but the last few tokens of a branch, by itself; these together with the others.
    auto head = Tokens(3 + 20 * i, i + 1);
    tails.push_back(Tokens(1 + i, i + 40));
    std::vector<TokenId> whole(prefix.begin(), prefix.begin() + shared);
    whole.insert(whole.end(), head.begin(), head.end());
    ModelRunner::Sequence alone;
    MustRun(*runner, {{&alone, whole, LogitRows::kNone}});
    expected.push_back(MustRun(*runner, {{&alone, tails.back(), LogitRows::kAll}}));
    runner->Free(alone);
    auto& branch = branches[static_cast<size_t>(i)];
    branch.pages.assign(trunk.pages.begin(), trunk.pages.begin() + shared / kv::kPageTokens);
    branch.length = shared;
    MustRun(*runner, {{&branch, head, LogitRows::kNone}});
  }
  ModelRunner::Sequence prompt;
  std::vector<ModelRunner::Input> inputs = {{&prompt, Tokens(80, 9), LogitRows::kNone}};
  for (size_t i = 0; i < branches.size(); ++i) {
    inputs.push_back({&branches[i], tails[i], LogitRows::kAll});
  }
  const auto together = MustRun(*runner, inputs);
  size_t row = 0;
  for (const auto& rows : expected) {
    for (const auto& logits : rows) EXPECT_EQ(logits, together[row++]);
  }
}

std::string_view NameOf(kv::KvType type) {
  return type == kv::KvType::kF32 ? "f32" : type == kv::KvType::kBF16 ? "bf16" : "q8";
}

std::string NameOfBatch(
    const ::testing::TestParamInfo<std::tuple<const char*, const ac_kernel_table*, kv::KvType>>&
        test) {
  std::string name = std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param)->name +
                     "_" + std::string(NameOf(std::get<2>(test.param)));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Tables, BatchTest,
                         ::testing::Combine(::testing::ValuesIn(kShapes),
                                            ::testing::ValuesIn(kernels::RunnableTables()),
                                            ::testing::Values(kv::KvType::kF32)),
                         NameOfBatch);

// Only attention reads the cache: one shape is enough.
INSTANTIATE_TEST_SUITE_P(RoundedKv, BatchTest,
                         ::testing::Combine(::testing::Values("tiny-qwen2"),
                                            ::testing::ValuesIn(kernels::RunnableTables()),
                                            ::testing::Values(kv::KvType::kBF16, kv::KvType::kQ8)),
                         NameOfBatch);

class RoundedKvTest : public ::testing::TestWithParam<kv::KvType> {};

TEST_P(RoundedKvTest, LogitsStayCloseToThoseWithF32) {
  auto exact = MustOpen(OpenFile("tiny-qwen3"));
  auto rounded = MustOpen(OpenFile("tiny-qwen3"), {.kv_type = GetParam()});
  ModelRunner::Sequence a, b;
  const auto x = MustRun(*exact, {{&a, Tokens(90)}})[0];
  const auto y = MustRun(*rounded, {{&b, Tokens(90)}})[0];
  double difference = 0, square = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    difference += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
    square += std::pow(static_cast<double>(x[i]), 2);
  }
  EXPECT_GT(difference, 0.0);
  EXPECT_LE(std::sqrt(difference / square), 0.05);
}

INSTANTIATE_TEST_SUITE_P(Types, RoundedKvTest,
                         ::testing::Values(kv::KvType::kBF16, kv::KvType::kQ8),
                         [](const auto& test) { return std::string(NameOf(test.param)); });

TEST(Model, ASlidingWindowHidesWhatLiesBeforeIt) {
  auto file = std::make_unique<ChangedFile>("tiny-llama");
  file->changed.sliding_window = 4;
  const int reach = 1 + file->changed.n_layers * 3;  // tokens the last one can hear of
  auto runner = MustOpen(std::move(file));
  const auto run = [&](std::vector<TokenId> tokens) {
    ModelRunner::Sequence s;
    auto rows = MustRun(*runner, {{&s, std::move(tokens)}});
    runner->Free(s);
    return rows[0];
  };
  auto tokens = Tokens(100);
  const auto expected = run(tokens);
  auto changed_outside = tokens;
  changed_outside[static_cast<size_t>(100 - reach - 1)] += 1;
  EXPECT_EQ(run(changed_outside), expected);
  auto changed_inside = tokens;
  changed_inside[97] += 1;
  EXPECT_NE(run(changed_inside), expected);
}

TEST(Model, OnlyTheLayersMarkedSlidingHaveAWindow) {
  auto file = std::make_unique<ChangedFile>("tiny-llama");
  file->changed.sliding_window = 4;
  file->changed.sliding_layers.assign(static_cast<size_t>(file->changed.n_layers), true);
  file->changed.sliding_layers[0] = false;
  auto runner = MustOpen(std::move(file));
  ModelRunner::Sequence a, b;
  auto tokens = Tokens(100);
  const auto expected = MustRun(*runner, {{&a, tokens}})[0];
  tokens[0] += 1;
  EXPECT_NE(MustRun(*runner, {{&b, tokens}})[0], expected);
}

TEST(Model, AttentionTemperatureChangesOnlyPositionsBeyondItsFloor) {
  auto file = std::make_unique<ChangedFile>("tiny-llama");
  file->changed.attention_temperature = 0.5f;
  file->changed.attention_temperature_floor = 50;
  auto scaled = MustOpen(std::move(file));
  auto plain = MustOpen(OpenFile("tiny-llama"));
  ModelRunner::Sequence a, b;
  const auto x = MustRun(*scaled, {{&a, Tokens(60), LogitRows::kAll}});
  const auto y = MustRun(*plain, {{&b, Tokens(60), LogitRows::kAll}});
  for (size_t t = 0; t < 60; ++t) EXPECT_EQ(x[t] == y[t], t < 50) << t;
}

TEST(Model, BadBatchesAreRefusedBeforeAnythingIsWritten) {
  auto runner = MustOpen(OpenFile("tiny-qwen2"));
  kv::PagePool& pool = runner->pool();
  const std::vector<kv::PageId> pages = {*pool.Allocate()};
  const std::vector<kv::PageId> foreign = {1000};
  const auto good = Tokens(3), none = std::vector<TokenId>();
  const std::vector<TokenId> huge = {1 << 30}, negative = {-1};
  const auto expect = [&](const Chunk& chunk, const std::string& words) {
    std::vector<float> logits(static_cast<size_t>(runner->model().config().vocab_size));
    const Status status = runner->model().Forward({&chunk, 1}, pool, logits.data());
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find(words), std::string::npos) << status;
  };
  expect({huge, 0, pages}, "outside the vocabulary");
  expect({negative, 0, pages}, "outside the vocabulary");
  expect({good, 62, pages}, "block table ends");
  expect({good, -1, pages}, "negative position");
  expect({good, 0, foreign}, "not in the pool");
  expect({none, 0, pages}, "no tokens");

  auto other = MustOpen(OpenFile("tiny-qwen3"));
  const Chunk chunk{good, 0, pages};
  std::vector<float> logits(static_cast<size_t>(runner->model().config().vocab_size));
  EXPECT_FALSE(runner->model().Forward({&chunk, 1}, other->pool(), logits.data()).ok());
}

TEST(Model, AnInterruptedPassGivesUpAndTheNextOneIsRight) {
  auto runner = MustOpen(OpenFile("tiny-qwen2"));
  ModelRunner::Sequence plain;
  const auto expected = MustRun(*runner, {{&plain, Tokens(20), LogitRows::kLast}});
  std::atomic<bool> interrupt{true};
  runner->model().SetInterrupt(&interrupt);
  kv::PagePool& pool = runner->pool();
  const std::vector<kv::PageId> pages = {*pool.Allocate()};
  const auto tokens = Tokens(20);
  std::vector<float> logits(static_cast<size_t>(runner->model().config().vocab_size));
  const Chunk chunk{tokens, 0, pages};
  EXPECT_EQ(runner->model().Forward({&chunk, 1}, pool, logits.data()).code(), Code::kCancelled);
  interrupt = false;
  ASSERT_TRUE(runner->model().Forward({&chunk, 1}, pool, logits.data()).ok());
  EXPECT_EQ(logits, expected.at(0));
  runner->model().SetInterrupt(nullptr);
}

Status CreateStatus(const ModelFile& file) {
  cpu::ThreadPool threads(cpu::ThreadPool::Options{.threads = 1});
  return Model::Create(file, {.table = &ac_kernels_ref, .pool = &threads}).status();
}

TEST(Model, AnUnknownArchitectureIsRefusedWithTheListOfKnownOnes) {
  ChangedFile file("tiny-llama");
  file.changed.architecture = "mamba";
  const Status status = CreateStatus(file);
  EXPECT_EQ(status.code(), Code::kUnsupported);
  for (std::string_view name : SupportedArchitectures()) {
    EXPECT_NE(status.message().find(name), std::string::npos) << status;
  }
}

TEST(Model, AMissingTensorIsNamedWithItsFile) {
  ChangedFile file("tiny-qwen2");
  for (const char* name : {"blk.1.attn_k.bias", "blk.0.ffn_down.weight", "output_norm.weight"}) {
    file.hidden = name;
    const Status status = CreateStatus(file);
    EXPECT_EQ(status.code(), Code::kDataLoss);
    EXPECT_NE(status.message().find(name), std::string::npos) << status;
    EXPECT_NE(status.message().find(file.path()), std::string::npos) << status;
  }
}

TEST(Model, ATensorOfAnotherShapeIsNamedWithBothShapes) {
  ChangedFile file("tiny-qwen3moe");
  file.changed.d_expert += 256;
  const Status status = CreateStatus(file);
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_NE(status.message().find("ffn_gate_exps"), std::string::npos) << status;
  EXPECT_NE(status.message().find(std::to_string(file.changed.d_expert)), std::string::npos);
}

}  // namespace
}  // namespace ac::model
