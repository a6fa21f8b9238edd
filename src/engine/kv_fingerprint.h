// Names everything that decides the bytes of a KV page, so that pages on disk are never given to a
// model that would have computed others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/hash.h"
#include "base/status.h"
#include "engine/loaded_model.h"
#include "kv/disk_store.h"
#include "kv/layout.h"

namespace ac::engine {

// Of weights, tokenizer, hyper-parameters, page layout and kernel layout. Weights count by names,
// shapes, types and samples of every tensor's bytes, so it takes milliseconds and does not depend
// on the file's path or date.
Hash128 KvFingerprint(const LoadedModel& model, const kv::PageLayout& layout);

// The disk tier of this model below `root`, with its warnings in the log.
Result<std::shared_ptr<kv::DiskStore>> OpenDiskStore(const LoadedModel& model,
                                                     const kv::PagePool& pages,
                                                     const std::string& root, uint64_t max_bytes);

}  // namespace ac::engine
