#include "engine/loaded_model.h"

#include <algorithm>

#include "cpu/topology.h"
#include "engine/load_tokenizer.h"
#include "kernels/select.h"

namespace ac::engine {
namespace {

// More than this many full contexts is memory nobody asks for.
constexpr int64_t kMaxContexts = 8;
// Without a stated length in the file.
constexpr int64_t kDefaultContext = 4096;

}  // namespace

LoadedModel::LoadedModel() = default;
LoadedModel::~LoadedModel() = default;

Result<std::unique_ptr<LoadedModel>> LoadedModel::Load(const std::string& path,
                                                       const LoadOptions& options) {
  std::unique_ptr<LoadedModel> loaded(new LoadedModel());
  AC_ASSIGN_OR_RETURN(loaded->file_, weights::ModelFile::Open(path));
  AC_ASSIGN_OR_RETURN(loaded->tokenizer_, LoadTokenizer(*loaded->file_));
  AC_RETURN_IF_ERROR(weights::CheckVocabulary(*loaded->file_, loaded->tokenizer_->vocab_size()));
  AC_ASSIGN_OR_RETURN(const kernels::Selection kernels, kernels::SelectTable(options.isa.c_str()));
  loaded->kernel_choice_ = kernels.reason;
  loaded->kv_layout_ = kernels.table->kv_layout;
  loaded->pool_ =
      std::make_unique<cpu::ThreadPool>(cpu::ThreadPool::Options{.threads = options.threads});
  AC_ASSIGN_OR_RETURN(
      loaded->model_,
      model::Model::Create(*loaded->file_, {.table = kernels.table, .pool = loaded->pool_.get()}));
  const int64_t own = loaded->file_->config().context_length;
  loaded->context_length_ = own > 0 ? own : kDefaultContext;
  if (options.context_length > 0) {
    loaded->context_length_ = std::min(loaded->context_length_, options.context_length);
  }
  return loaded;
}

Result<kv::PagePool> LoadedModel::MakePages(const KvBudget& budget) const {
  const kv::PageLayout layout = model_->Layout(budget.type);
  const int64_t page_bytes = static_cast<int64_t>(layout.page_bytes());
  int64_t bytes = budget.bytes;
  if (bytes == 0) bytes = static_cast<int64_t>(cpu::HostTopology().memory_available / 4);
  const int64_t useful = kMaxContexts * (context_length_ / layout.page_tokens + 1);
  const int64_t pages = std::min(bytes / page_bytes, useful);
  const int64_t needed = std::min<int64_t>(context_length_, kDefaultContext) / layout.page_tokens;
  if (pages < needed) {
    return Status(Code::kResourceExhausted,
                  "[engine] the KV cache of " + std::to_string(bytes >> 20) + " MiB holds " +
                      std::to_string(std::max<int64_t>(pages, 0) * layout.page_tokens) +
                      " tokens; this model needs " + std::to_string(needed * page_bytes >> 20) +
                      " MiB for " + std::to_string(needed * layout.page_tokens) +
                      ": raise kv.memory_mb or lower context");
  }
  return kv::PagePool::Create(layout, pages);
}

int LoadedModel::vocab_size() const { return file_->config().vocab_size; }
int LoadedModel::embedding_size() const { return static_cast<int>(model_->config().d_model); }

int64_t LoadedModel::context_length() const { return context_length_; }

Status LoadedModel::Forward(std::span<const model::Chunk> batch, kv::PagePool& pages,
                            float* logits) {
  return model_->Forward(batch, pages, logits);
}

}  // namespace ac::engine
