#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace ac::app {
namespace {

constexpr Nanos kRedraw = std::chrono::milliseconds(100);
constexpr int kWidth = 30;

std::string Amount(double value) {
  if (value >= 1e9) return fmt::format("{:.1f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f} M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.1f} k", value / 1e3);
  return fmt::format("{:.0f} ", value);
}

}  // namespace

ProgressBar::ProgressBar(std::string what, std::string unit)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      shown_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::Real().Now()) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputc('\n', stderr);
}

void ProgressBar::Update(uint64_t done, uint64_t total) {
  const Nanos now = Clock::Real().Now();
  if (!shown_ || total == 0 || (done < total && now - last_draw_ < kRedraw)) return;
  last_draw_ = now;
  drawn_ = true;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double seconds = std::max(Seconds(now - start_), 1e-3);
  const double rate = static_cast<double>(done) / seconds;
  const int filled = static_cast<int>(share * kWidth);
  fmt::print(stderr, "\r{} [{}{}] {:3.0f} %  {}{}/s  {:.0f} s left  {} ", what_,
             std::string(static_cast<size_t>(filled), '#'),
             std::string(static_cast<size_t>(kWidth - filled), '.'), 100 * share, Amount(rate),
             unit_, rate > 0 ? static_cast<double>(total - done) / rate : 0, note_);
  std::fflush(stderr);
}

}  // namespace ac::app
