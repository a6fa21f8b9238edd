#include "weights/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/hash.h"
#include "quant/quant.h"
#include "support/shared_data.h"
#include "support/weight_files.h"
#include "weights/gguf_writer.h"
#include "weights/model_file.h"

namespace ac::weights {
namespace {

using ac::testing::TempPath;

// Builds a file by hand, so that the reader is not checked against our own writer alone.
class Bytes {
 public:
  template <typename T>
  Bytes& Put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& Text(std::string_view text) {
    Put<uint64_t>(text.size());
    text_ += text;
    return *this;
  }
  Bytes& Raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  Bytes& Header(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
    return Raw("GGUF").Put(version).Put(tensors).Put(entries);
  }
  Bytes& Key(std::string_view key, uint32_t type) { return Text(key).Put(type); }
  Bytes& Tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t type,
                uint64_t offset) {
    Text(name).Put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) Put(dim);
    return Put(type).Put(offset);
  }
  Bytes& Data(size_t bytes) {
    text_.resize((text_.size() + 31) / 32 * 32);
    text_.append(bytes, '\x01');
    return *this;
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

Result<GgufFile> ParseText(const std::string& text) {
  return GgufFile::Parse(std::as_bytes(std::span(text)), "test.gguf");
}

void ExpectFailure(const std::string& text, Code code, std::initializer_list<const char*> parts) {
  const Status status = ParseText(text).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_TRUE(status.message().starts_with("[weights] test.gguf: ")) << status;
  for (const char* part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status << " lacks " << part;
  }
}

// Two F32 tensors of 8 elements, a few metadata entries.
Bytes SmallFile() {
  Bytes b;
  b.Header(2, 2);
  b.Key("general.architecture", 8).Text("llama");
  b.Key("x.list", 9).Put<uint32_t>(8).Put<uint64_t>(2).Text("one").Text("two");
  b.Tensor("a", {8}, 0, 0).Tensor("b", {4, 2}, 0, 32);
  b.Data(64);
  return b;
}

TEST(Gguf, EveryMetadataTypeIsRead) {
  Bytes b;
  b.Header(0, 14);
  b.Key("u8", 0).Put<uint8_t>(200);
  b.Key("i8", 1).Put<int8_t>(-100);
  b.Key("u16", 2).Put<uint16_t>(60000);
  b.Key("i16", 3).Put<int16_t>(-30000);
  b.Key("u32", 4).Put<uint32_t>(4000000000u);
  b.Key("i32", 5).Put<int32_t>(-2000000000);
  b.Key("f32", 6).Put<float>(1.5f);
  b.Key("bool", 7).Put<uint8_t>(1);
  b.Key("string", 8).Text("text");
  b.Key("u64", 10).Put<uint64_t>(~uint64_t{0});
  b.Key("i64", 11).Put<int64_t>(-5);
  b.Key("f64", 12).Put<double>(2.25);
  b.Key("floats", 9).Put<uint32_t>(6).Put<uint64_t>(2).Put<float>(1).Put<float>(2);
  b.Key("nested", 9).Put<uint32_t>(9).Put<uint64_t>(2);
  b.Put<uint32_t>(8).Put<uint64_t>(1).Text("deep");
  b.Put<uint32_t>(5).Put<uint64_t>(2).Put<int32_t>(7).Put<int32_t>(8);
  Result<GgufFile> file = ParseText(b.str());
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata& m = file->metadata();
  EXPECT_EQ(m.GetUint("u8"), 200u);
  EXPECT_EQ(m.GetInt("i8"), -100);
  EXPECT_EQ(m.GetUint("i8"), std::nullopt) << "negative";
  EXPECT_EQ(m.GetUint("u16"), 60000u);
  EXPECT_EQ(m.GetInt("i16"), -30000);
  EXPECT_EQ(m.GetUint("u32"), 4000000000u);
  EXPECT_EQ(m.GetInt("i32"), -2000000000);
  EXPECT_EQ(m.GetFloat("f32"), 1.5);
  EXPECT_EQ(m.GetInt("f32"), std::nullopt);
  EXPECT_EQ(m.GetBool("bool"), true);
  EXPECT_EQ(m.GetString("string"), "text");
  EXPECT_EQ(m.GetUint("u64"), ~uint64_t{0});
  EXPECT_EQ(m.GetInt("u64"), std::nullopt) << "does not fit";
  EXPECT_EQ(m.GetInt("i64"), -5);
  EXPECT_EQ(m.GetFloat("f64"), 2.25);
  EXPECT_EQ(m.GetFloat("i64"), -5.0);
  EXPECT_EQ(m.GetFloatArray("floats"), (std::vector<double>{1, 2}));
  EXPECT_EQ(m.GetStringArray("floats"), std::nullopt);
  EXPECT_EQ(m.ArraySize("nested"), 2u);
  const auto nested = m.Find("nested")->AsArray();
  ASSERT_TRUE(nested.has_value());
  EXPECT_EQ((*nested)[0].AsArray()->at(0).AsString(), "deep");
  EXPECT_EQ((*nested)[1].AsArray()->at(1).AsInt(), 8);
  EXPECT_EQ(m.Find("absent"), nullptr);
  EXPECT_EQ(m.entries().size(), 14u);
  EXPECT_EQ(m.entries()[3].key, "i16") << "file order is kept";
}

TEST(Gguf, TensorsPointAtTheirData) {
  const std::string text = SmallFile().str();
  Result<GgufFile> file = ParseText(text);
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufTensor* b = file->Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->n_dims, 2);
  EXPECT_EQ(b->dims, (std::array<int64_t, 4>{4, 2, 1, 1}));
  EXPECT_EQ(b->row_bytes, 16u);
  EXPECT_EQ(reinterpret_cast<const char*>(b->data.data()), text.data() + text.size() - 32);
}

TEST(Gguf, VersionTwoIsReadAndOthersAreRefusedByName) {
  EXPECT_TRUE(ParseText(Bytes().Header(0, 0, 2).str()).ok());
  ExpectFailure(Bytes().Header(0, 0, 1).str(), Code::kUnsupported, {"version 1", "2 and 3"});
  ExpectFailure(Bytes().Header(0, 0, 4).str(), Code::kUnsupported, {"version 4"});
  ExpectFailure(Bytes().Header(0, 0, 0x03000000).str(), Code::kUnsupported, {"big-endian"});
  ExpectFailure("GGML0000000000000000000000000000", Code::kInvalidArgument, {"not a GGUF file"});
  ExpectFailure("", Code::kDataLoss, {"truncated"});
}

TEST(Gguf, AbsurdCountsAndSizesAreRefusedWithoutAllocating) {
  const uint64_t huge = uint64_t{1} << 60;
  ExpectFailure(Bytes().Header(huge, 0).str(), Code::kDataLoss, {"tensors, more than fit"});
  ExpectFailure(Bytes().Header(0, huge).str(), Code::kDataLoss,
                {"metadata entries, more than fit"});
  ExpectFailure(Bytes().Header(0, 1).Put(huge).Raw("aaaaaaaaaaaaaaaa").str(), Code::kDataLoss,
                {"metadata entry 0"});
  for (const uint32_t type : {0u, 8u, 9u, 12u}) {
    ExpectFailure(
        Bytes().Header(0, 1).Key("k", 9).Put(type).Put(huge).Raw("aaaaaaaaaaaaaaaa").str(),
        Code::kDataLoss, {"metadata 'k'"});
  }
  ExpectFailure(Bytes().Header(1, 0).Tensor("t", {huge, 4}, 0, 0).Data(64).str(), Code::kDataLoss,
                {"'t'", "absurdly large"});
  ExpectFailure(Bytes().Header(1, 0).Tensor("t", {32, huge, 64}, 0, 0).Data(64).str(),
                Code::kDataLoss, {"'t'", "absurdly large"});
  ExpectFailure(Bytes().Header(1, 0).Tensor("t", {32, ~uint64_t{0}}, 0, 0).Data(64).str(),
                Code::kDataLoss, {"'t'", "dimension of size -1"});
}

TEST(Gguf, ArraysNestedTooDeeplyAreRefused) {
  Bytes b;
  b.Header(0, 1).Key("deep", 9);
  for (int i = 0; i < 5000; ++i) b.Put<uint32_t>(9).Put<uint64_t>(1);
  b.Put<uint32_t>(0).Put<uint64_t>(0);
  ExpectFailure(b.str(), Code::kDataLoss, {"'deep'", "too deeply"});
}

TEST(Gguf, DamagedTensorsAreNamed) {
  const auto one = [](std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    return Bytes().Header(1, 0).Tensor("blk.0.x", dims, type, offset).Data(64).str();
  };
  EXPECT_TRUE(ParseText(one({16}, 0, 0)).ok());
  ExpectFailure(one({17}, 0, 0), Code::kDataLoss, {"'blk.0.x'", "beyond the file", "68 bytes"});
  ExpectFailure(one({8}, 0, 64), Code::kDataLoss, {"'blk.0.x'", "beyond the file"});
  ExpectFailure(one({8}, 0, ~uint64_t{31}), Code::kDataLoss, {"'blk.0.x'", "beyond the file"});
  ExpectFailure(one({8}, 0, 4), Code::kDataLoss, {"'blk.0.x'", "multiple of the alignment 32"});
  ExpectFailure(one({0}, 0, 0), Code::kDataLoss, {"'blk.0.x'", "dimension of size 0"});
  ExpectFailure(one({}, 0, 0), Code::kDataLoss, {"'blk.0.x'", "0 dimensions"});
  ExpectFailure(one({1, 1, 1, 1, 1}, 0, 0), Code::kDataLoss, {"'blk.0.x'", "5 dimensions"});
  ExpectFailure(one({33}, 2, 0), Code::kDataLoss, {"'blk.0.x'", "Q4_0 blocks of 32"});
  ExpectFailure(one({32}, 16, 0), Code::kUnsupported,
                {"'blk.0.x'", "IQ2_XXS", "supported:", "Q4_K"});
  ExpectFailure(one({32}, 77, 0), Code::kUnsupported, {"'blk.0.x'", "number 77"});
  ExpectFailure(Bytes().Header(2, 0).Tensor("a", {16}, 0, 0).Tensor("b", {8}, 0, 32).Data(64).str(),
                Code::kDataLoss, {"'b'", "overlaps tensor 'a'"});
  ExpectFailure(Bytes().Header(2, 0).Tensor("a", {8}, 0, 0).Tensor("a", {8}, 0, 32).Data(64).str(),
                Code::kDataLoss, {"'a'", "twice"});
}

TEST(Gguf, DamagedMetadataIsNamed) {
  ExpectFailure(Bytes()
                    .Header(0, 2)
                    .Key("k", 0)
                    .Put<uint8_t>(1)
                    .Key("k", 0)
                    .Put<uint8_t>(1)
                    .Raw("aaaaaaaaaaaaa")
                    .str(),
                Code::kDataLoss, {"'k'", "twice"});
  ExpectFailure(Bytes().Header(0, 1).Key("k", 13).Raw("aaaa").str(), Code::kDataLoss,
                {"'k'", "unknown value type 13"});
  ExpectFailure(Bytes().Header(0, 1).Text("").Put<uint32_t>(0).Raw("aaaa").str(), Code::kDataLoss,
                {"key of 0 bytes"});
  for (const uint32_t alignment : {0u, 1u, 24u, 1u << 30}) {
    ExpectFailure(Bytes().Header(0, 1).Key("general.alignment", 4).Put(alignment).str(),
                  Code::kDataLoss, {"general.alignment", "power of two"});
  }
}

TEST(Gguf, AnotherAlignmentMovesTheData) {
  Bytes b;
  b.Header(1, 1).Key("general.alignment", 4).Put<uint32_t>(256).Tensor("t", {8}, 0, 0);
  std::string text = b.str();
  text.resize(256, '\0');
  text.append(32, '\x02');
  Result<GgufFile> file = ParseText(text);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(static_cast<char>(file->Find("t")->data[0]), '\x02');
}

// Reads everything a caller could read, so that sanitizers see any view that leaves the file.
size_t TouchEverything(const GgufFile& file) {
  size_t sum = 0;
  for (const GgufMetadata::Entry& entry : file.metadata().entries()) {
    sum += entry.key.size();
    (void)entry.value.AsUint();
    (void)entry.value.AsDouble();
    if (const auto text = entry.value.AsString()) sum += Hash64(*text);
    if (const auto array = entry.value.AsArray()) {
      for (const GgufValue& element : *array) sum += element.AsString().value_or("").size();
    }
    (void)file.metadata().GetStringArray(entry.key);
    (void)file.metadata().GetFloatArray(entry.key);
  }
  for (const GgufTensor& tensor : file.tensors()) {
    for (const std::byte byte : tensor.data) sum += static_cast<size_t>(byte);
  }
  return sum;
}

TEST(Gguf, EveryTruncationFailsCleanly) {
  const std::string text = SmallFile().str();
  for (size_t size = 0; size < text.size(); ++size) {
    // A fresh allocation of the exact size lets AddressSanitizer see reads beyond it.
    const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    Result<GgufFile> file = GgufFile::Parse(std::as_bytes(std::span(cut)), "cut.gguf");
    EXPECT_FALSE(file.ok()) << size;
  }
}

TEST(Gguf, NoChangedByteCrashesTheReader) {
  const std::string text = SmallFile().str();
  size_t opened = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    for (const int change : {0x00, 0x01, 0x02, 0x08, 0x20, 0x7F, 0x80, 0xFF}) {
      std::vector<char> bad(text.begin(), text.end());
      bad[at] = static_cast<char>(change);
      Result<GgufFile> file = GgufFile::Parse(std::as_bytes(std::span(bad)), "bad.gguf");
      if (file.ok()) opened += TouchEverything(*file) > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(opened, 0u) << "changes of tensor data are not errors";
}

TEST(GgufWriter, WhatItWritesIsReadBackExactly) {
  GgufMetadataBuilder metadata;
  metadata.AddString("general.architecture", "none");
  metadata.AddUint32("u", 7);
  metadata.AddUint64("u64", ~uint64_t{0});
  metadata.AddFloat32("f", 0.5f);
  metadata.AddBool("b", true);
  metadata.AddStringArray("s", std::vector<std::string>{"x", "", "yy"});
  metadata.AddInt32Array("i", std::vector<int32_t>{-1, 2});
  metadata.AddFloat32Array("fs", std::vector<float>{1.5f});
  const std::string path = TempPath("w.gguf");
  std::filesystem::remove(path);
  auto writer = GgufWriter::Create(FileSystem::Real(), path, metadata,
                                   {{"small", AC_F16, {3}}, {"blocks", AC_Q4_0, {64, 2}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ((*writer)->data_bytes(), 6u + 72u);
  std::string data;
  for (int i = 0; i < 78; ++i) data += static_cast<char>(i);
  // Pieces may straddle tensors.
  EXPECT_TRUE((*writer)->Append(std::as_bytes(std::span(data).first(5))).ok());
  EXPECT_FALSE(FileSystem::Real().Exists(path)) << "no half file under the final name";
  EXPECT_TRUE((*writer)->Append(std::as_bytes(std::span(data).subspan(5))).ok());
  EXPECT_FALSE((*writer)->Append(std::as_bytes(std::span("x", 1))).ok()) << "more than fits";
  ASSERT_TRUE((*writer)->Finish().ok());

  Result<GgufFile> file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().GetUint("u64"), ~uint64_t{0});
  EXPECT_EQ(file->metadata().GetFloat("f"), 0.5);
  EXPECT_EQ(file->metadata().GetStringArray("s"), (std::vector<std::string_view>{"x", "", "yy"}));
  EXPECT_EQ(file->metadata().GetIntArray("i"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(std::memcmp(file->Find("small")->data.data(), data.data(), 6), 0);
  EXPECT_EQ(std::memcmp(file->Find("blocks")->data.data(), data.data() + 6, 72), 0);
}

TEST(GgufWriter, AnUnfinishedFileLeavesNothingBehind) {
  const std::string directory = TempPath("dir");
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  {
    auto writer =
        GgufWriter::Create(FileSystem::Real(), directory + "/x.gguf", {}, {{"t", AC_F32, {4}}});
    ASSERT_TRUE(writer.ok());
    EXPECT_FALSE((*writer)->Finish().ok()) << "data is missing";
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST(GgufWriter, RefusesWhatTheFormatCannotHold) {
  FileSystem& fs = FileSystem::Real();
  const std::string path = TempPath("no.gguf");
  EXPECT_FALSE(GgufWriter::Create(fs, path, {}, {{"t", AC_MLX_AFFINE, {64}}}).ok());
  EXPECT_FALSE(GgufWriter::Create(fs, path, {}, {{"t", AC_Q4_K, {64}}}).ok());
  EXPECT_FALSE(GgufWriter::Create(fs, path, {}, {{"t", AC_F32, {}}}).ok());
  EXPECT_FALSE(GgufWriter::Create(fs, path, {}, {{"t", AC_F32, {1}}, {"t", AC_F32, {1}}}).ok());
}

// Writes part `number` of `count`, with one tensor of its own.
void WritePart(const std::string& path, uint32_t number, uint32_t count,
               const std::string& tensor) {
  GgufMetadataBuilder metadata;
  if (number == 1) metadata.AddString("general.architecture", "llama");
  metadata.AddUint32("split.no", number - 1);
  metadata.AddUint32("split.count", count);
  metadata.AddUint32("split.tensors.count", count);
  auto writer = GgufWriter::Create(FileSystem::Real(), path, metadata, {{tensor, AC_F32, {8}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::vector<float> data(8, static_cast<float>(number));
  ASSERT_TRUE((*writer)->Append(std::as_bytes(std::span(data))).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
}

TEST(GgufSplit, AnyPartOpensAllAndAMissingOneIsNamed) {
  const std::string directory = TempPath("split");
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const auto part = [&](int n) {
    return directory + "/m-0000" + std::to_string(n) + "-of-00003.gguf";
  };
  for (int n = 1; n <= 3; ++n)
    WritePart(part(n), static_cast<uint32_t>(n), 3, "t" + std::to_string(n));
  for (int n = 1; n <= 3; ++n) {
    Result<GgufFile> file = GgufFile::Open(part(n));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tensors().size(), 3u);
    EXPECT_EQ(file->metadata().GetString("general.architecture"), "llama");
    float value = 0;
    std::memcpy(&value, file->Find("t3")->data.data(), sizeof value);
    EXPECT_EQ(value, 3.0f);
  }
  WritePart(part(3), 3, 3, "t1");
  EXPECT_NE(GgufFile::Open(part(1)).status().message().find("'t1' is in another part"),
            std::string::npos);
  std::filesystem::remove(part(2));
  const Status missing = GgufFile::Open(part(3)).status();
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_NE(missing.message().find("part 2 of 3"), std::string::npos) << missing;
  EXPECT_NE(missing.message().find("m-00002-of-00003.gguf"), std::string::npos) << missing;
}

TEST(GgufSplit, ARenamedPartIsExplained) {
  const std::string path = TempPath("renamed.gguf");
  WritePart(path, 1, 3, "t1");
  const Status status = GgufFile::Open(path).status();
  EXPECT_NE(status.message().find("one of 3 parts"), std::string::npos) << status;
  EXPECT_NE(status.message().find("-00001-of-00003.gguf"), std::string::npos) << status;
}

TEST(GoldenModels, EveryFileOpensAndDescribesItself) {
  AC_REQUIRE_SHARED_DATA();
  const auto names = FileSystem::Real().List(testing::SharedData("golden"));
  ASSERT_TRUE(names.ok()) << names.status();
  for (const std::string& name : *names) {
    if (!name.ends_with(".gguf")) continue;
    Result<std::unique_ptr<ModelFile>> model =
        ModelFile::Open(testing::SharedData("golden/" + name));
    ASSERT_TRUE(model.ok()) << model.status();
    const ModelConfig& c = (*model)->config();
    EXPECT_EQ(c.n_layers, 3) << name;
    EXPECT_EQ(c.vocab_size, 4096) << name;
    EXPECT_EQ(c.rope.style, c.architecture == "llama" ? RopeStyle::kNormal : RopeStyle::kNeox);
    EXPECT_EQ(c.head_dim, c.architecture == "llama" || c.architecture == "qwen2" ? 64 : 128);
    EXPECT_EQ((*model)->Find("rope_freqs.weight") != nullptr, c.architecture == "llama");
    for (const Tensor& tensor : (*model)->tensors()) {
      const Status finite = CheckFinite(tensor);
      EXPECT_TRUE(finite.ok()) << name << ": " << finite;
    }
    const ModelSummary summary = Summarize(**model);
    EXPECT_EQ(summary.kv_bytes_per_token, 2u * 2u * 3u * 2u * static_cast<unsigned>(c.head_dim));
    EXPECT_LE(summary.tensor_bytes, (*model)->total_bytes());
  }
}

// Relative error of `coarse` against `fine`, both the same tensor in different types.
double RelativeError(const Tensor& coarse, const Tensor& fine) {
  double error = 0;
  double power = 0;
  std::vector<float> a(static_cast<size_t>(fine.matrix.cols));
  std::vector<float> b(a.size());
  for (int64_t r = 0; r < fine.matrix.rows; ++r) {
    quant::DequantizeRow(coarse.matrix, r, a.data());
    quant::DequantizeRow(fine.matrix, r, b.data());
    for (size_t c = 0; c < a.size(); ++c) {
      error += (a[c] - b[c]) * (a[c] - b[c]);
      power += b[c] * b[c];
    }
  }
  return std::sqrt(error / power);
}

// The golden files of one architecture hold the same weights, encoded by another program: every
// block format must decode to nearly the F16 numbers. A wrong nibble anywhere makes this error
// near 1.
TEST(GoldenModels, QuantisedFilesDecodeToTheF16Weights) {
  AC_REQUIRE_SHARED_DATA();
  const std::map<ac_quant_type, double> bounds = {{AC_Q8_0, 0.01}, {AC_Q6_K, 0.03}, {AC_Q5_K, 0.05},
                                                  {AC_Q5_0, 0.06}, {AC_Q4_K, 0.1},  {AC_Q4_0, 0.11},
                                                  {AC_IQ4_NL, 0.1}};
  std::map<ac_quant_type, int> seen;
  for (const char* name : {"llama-Q8_0", "llama-Q4_K_M", "llama-IQ4_NL", "qwen2-Q4_0", "qwen2-Q5_0",
                           "qwen3-Q5_K_M", "qwen3moe-Q6_K"}) {
    const std::string architecture = std::string(name).substr(0, std::string(name).find('-'));
    const auto coarse =
        ModelFile::Open(testing::SharedData("golden/" + std::string(name) + ".gguf"));
    const auto fine = ModelFile::Open(testing::SharedData("golden/" + architecture + "-F16.gguf"));
    ASSERT_TRUE(coarse.ok() && fine.ok());
    for (const Tensor& tensor : (*coarse)->tensors()) {
      if (!bounds.contains(tensor.type)) continue;
      ++seen[tensor.type];
      EXPECT_LT(RelativeError(tensor, *(*fine)->Find(tensor.name)), bounds.at(tensor.type))
          << name << " " << tensor.name << " " << quant::InfoOf(tensor.type).name;
    }
  }
  for (const auto& [type, bound] : bounds) EXPECT_GT(seen[type], 0) << quant::InfoOf(type).name;
}

TEST(Vocabularies, OpenWithoutWeights) {
  AC_REQUIRE_SHARED_DATA();
  const auto names = FileSystem::Real().List(testing::SharedData("vocab"));
  ASSERT_TRUE(names.ok()) << names.status();
  int count = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".gguf")) continue;
    ++count;
    const std::string path = testing::SharedData("vocab/" + name);
    Result<GgufFile> file = GgufFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_GT(file->metadata().ArraySize("tokenizer.ggml.tokens"), 10000u) << name;
    EXPECT_EQ(file->metadata().GetStringArray("tokenizer.ggml.tokens")->size(),
              file->metadata().ArraySize("tokenizer.ggml.tokens"));
    const auto vocabulary = ModelFile::Open(path, OpenScope::kVocabulary);
    ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
    EXPECT_NE((*vocabulary)->tokenizer_source().gguf, nullptr);
    EXPECT_FALSE((*vocabulary)->tokenizer_source().eos_token_ids.empty()) << name;
    EXPECT_FALSE(ModelFile::Open(path).ok()) << "no weights to run";
  }
  EXPECT_GE(count, 6);
}

}  // namespace
}  // namespace ac::weights
