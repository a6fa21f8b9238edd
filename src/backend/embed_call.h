// Several texts being embedded by the engine: waits for all of them and answers once.
//
// Private to backend/. Owned by the engine's sinks; the callback runs on the engine thread, or in
// Submit when nothing could be submitted.
#pragma once

#include <memory>
#include <vector>

#include "backend/text_tools.h"
#include "base/mutex.h"
#include "engine/engine.h"

namespace ac::backend {

class EmbedCall : public std::enable_shared_from_this<EmbedCall> {
 public:
  EmbedCall(engine::Engine& engine, TextTools::EmbeddingsCallback done)
      : engine_(engine), done_(std::move(done)) {}

  // One pass over each text's tokens, a few texts at a time. Once.
  void Submit(std::vector<std::vector<int32_t>> texts);
  // The caller is gone: nobody is answered any more, the engine stops its work.
  void Detach();
  // Answered, or nobody waits.
  bool over();

 private:
  class TextSink;

  void SubmitNext();
  void OnFinish(size_t text, const engine::FinishInfo& info);
  // The first failure is the answer; what still runs is cancelled.
  void Fail(const Status& status);
  // Nothing is answered from now on but by the caller; what still runs is cancelled.
  TextTools::EmbeddingsCallback Close();

  engine::Engine& engine_;
  Mutex mutex_;
  TextTools::EmbeddingsCallback done_ AC_GUARDED_BY(mutex_);  // null once answered
  TextTools::Embeddings result_ AC_GUARDED_BY(mutex_);
  std::vector<std::vector<int32_t>> texts_ AC_GUARDED_BY(mutex_);
  size_t submitted_ AC_GUARDED_BY(mutex_) = 0;
  size_t missing_ AC_GUARDED_BY(mutex_) = 0;
  std::vector<engine::RequestId> requests_ AC_GUARDED_BY(mutex_);
};

}  // namespace ac::backend
