#include "engine/load_draft.h"

#include <algorithm>
#include <string_view>

namespace ac::engine {
namespace {

// More sequences than this guess one after the other whose turn it is, or not at all.
constexpr int kSequences = 8;

std::string Shown(std::string_view bytes) {
  constexpr size_t kMost = 40;
  std::string text = "\"";
  for (const char c : bytes.substr(0, kMost)) {
    const bool plain = c >= ' ' && c <= '~';
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    text += plain ? std::string(1, c) : std::string{'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  return text + "\"";
}

}  // namespace

Status CheckDraftVocabulary(const tokenizer::Tokenizer& large, const tokenizer::Tokenizer& draft) {
  const std::string advice = "; take a smaller model of the same family";
  const auto used = [](const tokenizer::Tokenizer& tokenizer, int32_t id) {
    return id < tokenizer.vocab_size() && tokenizer.type(id) != tokenizer::TokenType::kUnused;
  };
  const int32_t most = std::max(large.vocab_size(), draft.vocab_size());
  for (int32_t id = 0; id < most; ++id) {
    const bool both = used(large, id) && used(draft, id);
    if (!both && !used(large, id) && !used(draft, id)) continue;
    if (both && large.TokenBytes(id) == draft.TokenBytes(id)) continue;
    const auto name = [&](const tokenizer::Tokenizer& tokenizer) {
      return used(tokenizer, id) ? Shown(tokenizer.TokenBytes(id)) : std::string("not used");
    };
    return InvalidArgument("[engine] the draft model has another vocabulary: token " +
                           std::to_string(id) + " is " + name(draft) + " there and " + name(large) +
                           " in the model" + advice);
  }
  return OkStatus();
}

Result<std::unique_ptr<LoadedModel>> LoadDraft(const std::string& path, const LoadOptions& options,
                                               const LoadedModel& large) {
  AC_ASSIGN_OR_RETURN(std::unique_ptr<LoadedModel> draft, LoadedModel::Load(path, options));
  const Status same = CheckDraftVocabulary(large.tokenizer(), draft->tokenizer());
  if (!same.ok()) return same.WithPrefix(path);
  return draft;
}

Result<std::shared_ptr<speculation::DraftModel>> MakeDraftModel(LoadedModel& draft) {
  const kv::PageLayout layout = draft.model().Layout(kv::KvType::kBF16);
  AC_ASSIGN_OR_RETURN(kv::PagePool pages,
                      kv::PagePool::Create(layout, speculation::DraftModel::PagesFor(
                                                       kSequences, layout.page_tokens)));
  return std::make_shared<speculation::DraftModel>(draft, std::move(pages),
                                                   draft.tokenizer().vocab_size());
}

}  // namespace ac::engine
