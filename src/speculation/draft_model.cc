#include "speculation/draft_model.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ac::speculation {
namespace {

// A guess after which the whole draft is less likely than this is the last one: those behind it
// would be computed for nothing.
constexpr double kUnsure = 0.3;
// Fewer tokens in common with another sequence are no conversation that goes on.
constexpr int64_t kResumeTokens = 64;

}  // namespace

DraftModel::DraftModel(model::ForwardModel& model, kv::PagePool pages, int vocabulary, Clock& clock)
    : model_(model),
      pool_(std::move(pages)),
      vocabulary_(std::min(vocabulary, model.vocab_size())),
      clock_(clock),
      most_tokens_(std::min(kMostTokens, model.context_length())) {}

Status DraftModel::Guess(std::span<DraftTask> tasks) {
  ++calls_;
  Status status;
  std::vector<Work> works = Read(tasks, &status);
  AC_RETURN_IF_ERROR(status);
  for (int round = 0; !works.empty(); ++round) {
    const Nanos begin = clock_.Now();
    AC_RETURN_IF_ERROR(Forward(works, /*guess=*/true));
    // The first round also reads what is new.
    if (round > 0) {
      const double took = Seconds(clock_.Now() - begin);
      seconds_per_guess_ = seconds_per_guess_ == 0 ? took : 0.8 * seconds_per_guess_ + 0.2 * took;
    }
    std::erase_if(works, [](const Work& work) {
      return static_cast<int>(work.task->guesses.size()) >= work.task->count ||
             work.confidence < kUnsure;
    });
    for (Work& work : works) work.input = std::span(work.task->guesses).last(1);
  }
  return OkStatus();
}

void DraftModel::End(uint64_t id) {
  for (Reader& reader : readers_) {
    if (reader.id == id) reader.id = 0;
  }
  readers_.remove_if([](const Reader& reader) { return reader.id == 0 && reader.pages.empty(); });
}

// Brings every reader up to its sequence, at most kReadAtOnce tokens of each, and returns the work
// of those that can guess.
std::vector<DraftModel::Work> DraftModel::Read(std::span<DraftTask> tasks, Status* status) {
  std::vector<Work> behind;
  std::vector<Work> ready;
  for (DraftTask& task : tasks) {
    task.guesses.clear();
    if (task.count <= 0 || task.tokens.empty()) continue;
    Reader* reader = ReaderOf(task);
    Align(*reader, task.tokens);
    const auto rest = task.tokens.subspan(static_cast<size_t>(reader->begin) + reader->read.size());
    const auto after = static_cast<int64_t>(reader->read.size() + rest.size());
    if (!Grow(*reader, std::min(after + task.count, most_tokens_))) continue;
    task.count = std::min(task.count, static_cast<int>(most_tokens_ - after) + 1);
    const bool long_rest = static_cast<int64_t>(rest.size()) > kReadAtOnce;
    (long_rest ? behind : ready)
        .push_back({.task = &task,
                    .reader = reader,
                    .input = long_rest ? rest.first(static_cast<size_t>(kReadAtOnce)) : rest});
  }
  if (!behind.empty()) *status = Forward(behind, /*guess=*/false);
  return ready;
}

DraftModel::Reader* DraftModel::ReaderOf(const DraftTask& task) {
  const auto own = std::find_if(readers_.begin(), readers_.end(),
                                [&](const Reader& reader) { return reader.id == task.id; });
  Reader* reader = own != readers_.end() ? &*own : Resume(task);
  const auto known = static_cast<int64_t>(task.tokens.size());
  if (reader == nullptr || known - reader->begin > most_tokens_) {
    if (reader == nullptr) reader = &readers_.emplace_back();
    reader->begin = std::max<int64_t>(0, known - std::min(kWindow, most_tokens_ / 2));
    reader->read.clear();
  }
  reader->id = task.id;
  reader->used = calls_;
  return reader;
}

// An ended sequence that this one continues.
DraftModel::Reader* DraftModel::Resume(const DraftTask& task) {
  for (Reader& reader : readers_) {
    if (reader.id != 0 || reader.begin >= static_cast<int64_t>(task.tokens.size())) continue;
    const auto tokens = task.tokens.subspan(static_cast<size_t>(reader.begin));
    const auto common =
        std::mismatch(reader.read.begin(), reader.read.end(), tokens.begin(), tokens.end());
    const int64_t left = tokens.end() - common.second;
    if (common.first - reader.read.begin() >= kResumeTokens && left <= kWindow) return &reader;
  }
  return nullptr;
}

// Forgets what was read of wrong guesses; the last token is always computed, for its logits.
void DraftModel::Align(Reader& reader, std::span<const int32_t> tokens) const {
  const auto known = tokens.subspan(static_cast<size_t>(reader.begin));
  const auto common =
      std::mismatch(reader.read.begin(), reader.read.end(), known.begin(), known.end());
  const auto good = static_cast<size_t>(common.first - reader.read.begin());
  reader.read.resize(std::min(good, known.size() - 1));
}

bool DraftModel::Grow(Reader& reader, int64_t tokens) {
  const int64_t page_tokens = pool_.layout().page_tokens;
  while (static_cast<int64_t>(reader.pages.size()) * page_tokens < tokens) {
    if (pool_.free_pages() > 0) {
      reader.pages.push_back(pool_.Allocate().value());
      continue;
    }
    // Whoever was not asked for longest gives its pages.
    Reader* oldest = nullptr;
    for (Reader& other : readers_) {
      const bool better = oldest == nullptr || other.used < oldest->used;
      if (other.used < calls_ && !other.pages.empty() && better) oldest = &other;
    }
    if (oldest == nullptr) return false;
    Drop(*oldest);
  }
  return true;
}

void DraftModel::Drop(Reader& reader) {
  for (const kv::PageId page : reader.pages) pool_.Release(page);
  reader.pages.clear();
  reader.read.clear();
  if (reader.id != 0) return;  // its sequence may come back
  readers_.remove_if([&](const Reader& other) { return &other == &reader; });
}

Status DraftModel::Forward(std::span<Work> works, bool guess) {
  std::vector<model::Chunk> batch;
  for (const Work& work : works) {
    batch.push_back({.tokens = work.input,
                     .position = static_cast<int64_t>(work.reader->read.size()),
                     .pages = work.reader->pages,
                     .logits = guess ? model::LogitRows::kLast : model::LogitRows::kNone});
  }
  const auto row = static_cast<size_t>(model_.vocab_size());
  logits_.resize(guess ? works.size() * row : 0);
  AC_RETURN_IF_ERROR(model_.Forward(batch, pool_, logits_.data()));
  for (size_t i = 0; i < works.size(); ++i) {
    Work& work = works[i];
    work.reader->read.insert(work.reader->read.end(), work.input.begin(), work.input.end());
    if (guess) Choose(work, std::span(logits_).subspan(i * row, row));
  }
  return OkStatus();
}

void DraftModel::Choose(Work& work, std::span<const float> logits) const {
  const auto known = logits.first(static_cast<size_t>(vocabulary_));
  const auto best = std::max_element(known.begin(), known.end());
  double total = 0;
  for (const float logit : known) total += std::exp(static_cast<double>(logit - *best));
  work.confidence /= total;
  work.task->guesses.push_back(static_cast<int32_t>(best - known.begin()));
}

Status DraftModel::CheckIntegrity() const {
  int64_t held = 0;
  for (const Reader& reader : readers_) held += static_cast<int64_t>(reader.pages.size());
  if (held + pool_.free_pages() == pool_.total_pages()) return OkStatus();
  return Internal("[speculation] readers hold " + std::to_string(held) + " pages and " +
                  std::to_string(pool_.free_pages()) + " of " +
                  std::to_string(pool_.total_pages()) + " are free");
}

}  // namespace ac::speculation
