// A second, smaller model that guesses for a large one (speculation/draft_model.h).
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/loaded_model.h"
#include "speculation/draft_model.h"

namespace ac::engine {

// Fails when the draft model's vocabulary is another one: its token ids would mean something else.
// The message names the first difference.
Status CheckDraftVocabulary(const tokenizer::Tokenizer& large, const tokenizer::Tokenizer& draft);

// Opens the file and checks that it fits `large`. Computes with as many threads, one after the
// other.
Result<std::unique_ptr<LoadedModel>> LoadDraft(const std::string& path, const LoadOptions& options,
                                               const LoadedModel& large);

// What an engine is given; with pages of its own. `draft` must outlive it.
Result<std::shared_ptr<speculation::DraftModel>> MakeDraftModel(LoadedModel& draft);

}  // namespace ac::engine
