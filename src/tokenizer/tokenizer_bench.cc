// Tokenizer speed in bytes per second, one core. Corpora: this repository's own C++ sources, prose
// of many scripts, and the long runs that make a careless implementation quadratic.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file_system.h"
#include "support/test_vocab.h"
#include "tokenizer/tokenizer.h"

namespace ac::tokenizer {
namespace {

const std::string& Sources() {
  static const std::string text = [] {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(AC_SOURCE_DIR "/src")) {
      const auto extension = entry.path().extension();
      if (extension == ".cc" || extension == ".h") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::string all;
    for (const std::string& path : paths) {
      all += ReadFile(FileSystem::Real(), path).value();
    }
    return all;
  }();
  return text;
}

// Identifiers no dictionary holds, numbers, indentation: code a cache helps little with.
std::string SyntheticCode(size_t size) {
  std::string text;
  uint32_t state = 12345;
  const auto next = [&](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  const auto name = [&] {
    for (uint32_t n = 3 + next(10); n > 0; --n) text += static_cast<char>('a' + next(26));
  };
  while (text.size() < size) {
    text.append(2 * next(6), ' ');
    name();
    text += "(";
    name();
    text += next(2) == 0 ? ", " : " + ";
    text += std::to_string(next(100000));
    text += ");\n";
  }
  return text;
}

std::string Prose(size_t size) {
  const std::string line =
      "The quick brown fox. \xD0\x91\xD1\x8B\xD1\x81\xD1\x82\xD1\x80\xD0\xB0\xD1\x8F "
      "\xD0\xBB\xD0\xB8\xD1\x81\xD0\xB0, \xE6\x88\x91\xE6\x83\xB3\xE5\x9C\xA8\xE5\xA4\xA9 "
      "\xE3\x81\x93\xE3\x82\x93\xE3\x81\xAB\xE3\x81\xA1\xE3\x81\xAF \xF0\x9F\x98\x80 caf\xC3\xA9 ";
  std::string text;
  while (text.size() < size) text += line + std::to_string(text.size()) + "\n";
  return text;
}

const Tokenizer* Load(const std::string& name) {
  const char* shared = std::getenv("AC_SHARED_DIR");
  auto loaded = ac::testing::LoadTestVocab(
      std::string(shared != nullptr ? shared : AC_SOURCE_DIR "/../shared") +
      "/data/vocab/ggml-vocab-" + name + ".gguf");
  return loaded.ok() ? std::move(loaded).value().release() : nullptr;
}

void Encode(benchmark::State& state, const std::string& vocabulary, const std::string& text) {
  const std::unique_ptr<const Tokenizer> tokenizer(Load(vocabulary));
  if (tokenizer == nullptr) {
    state.SkipWithError("vocabulary not on this machine (set AC_SHARED_DIR)");
    return;
  }
  size_t tokens = 0;
  for (auto _ : state) {
    tokens = tokenizer->Encode(text, {.parse_special = true}).size();
    benchmark::DoNotOptimize(tokens);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(std::max<size_t>(tokens, 1));
}

void Decode(benchmark::State& state, const std::string& vocabulary) {
  const std::unique_ptr<const Tokenizer> tokenizer(Load(vocabulary));
  if (tokenizer == nullptr) {
    state.SkipWithError("vocabulary not on this machine (set AC_SHARED_DIR)");
    return;
  }
  const std::vector<int32_t> ids = tokenizer->Encode(Sources());
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->Decode(ids));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * Sources().size()));
}

void Load(benchmark::State& state, const std::string& vocabulary) {
  for (auto _ : state) {
    const std::unique_ptr<const Tokenizer> tokenizer(Load(vocabulary));
    if (tokenizer == nullptr) {
      state.SkipWithError("vocabulary not on this machine (set AC_SHARED_DIR)");
      return;
    }
  }
}

constexpr size_t kMiB = size_t{1} << 20;

const int registered = [] {
  for (const char* vocabulary :
       {"qwen2", "llama-bpe", "gpt-2", "deepseek-coder", "llama-spm", "phi-3"}) {
    const std::string name = vocabulary;
    const auto add = [&](const char* what, const auto& function) {
      benchmark::RegisterBenchmark((std::string(what) + "/" + name).c_str(), function)
          ->Unit(benchmark::kMillisecond);
    };
    add("EncodeSources", [name](benchmark::State& s) { Encode(s, name, Sources()); });
    add("EncodeSynthetic",
        [name](benchmark::State& s) { Encode(s, name, SyntheticCode(4 * kMiB)); });
    add("EncodeProse", [name](benchmark::State& s) { Encode(s, name, Prose(4 * kMiB)); });
    add("EncodeShort", [name](benchmark::State& s) { Encode(s, name, Sources().substr(0, 2000)); });
    add("EncodeOneLetter1M",
        [name](benchmark::State& s) { Encode(s, name, std::string(kMiB, 'a')); });
    add("EncodeOneLetter4M",
        [name](benchmark::State& s) { Encode(s, name, std::string(4 * kMiB, 'a')); });
    add("EncodeSpaces1M", [name](benchmark::State& s) { Encode(s, name, std::string(kMiB, ' ')); });
    add("DecodeSources", [name](benchmark::State& s) { Decode(s, name); });
    add("Load", [name](benchmark::State& s) { Load(s, name); });
  }
  return 0;
}();

}  // namespace
}  // namespace ac::tokenizer
