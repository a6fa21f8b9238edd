#include "chat/ids.h"

#include <cstddef>
#include <random>

namespace ac::chat {
namespace {

constexpr size_t kRandomCharacters = 24;
constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

class RandomIds : public IdSource {
 public:
  // std::random_device reads the system's entropy source: nothing to seed, nothing to share.
  std::string Next(std::string_view prefix) override {
    std::random_device entropy;
    std::uniform_int_distribution<size_t> pick(0, kAlphabet.size() - 1);
    std::string id(prefix);
    for (size_t i = 0; i < kRandomCharacters; ++i) id += kAlphabet[pick(entropy)];
    return id;
  }
};

}  // namespace

IdSource& IdSource::Random() {
  static RandomIds ids;
  return ids;
}

}  // namespace ac::chat
