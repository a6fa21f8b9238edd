// A grammar as the engine's token constraint.
//
// Keeps the last tokens beside the grammar's position, to see whether forced text would be cut into
// tokens in one way only. Used by one thread at a time.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/token_constraint.h"
#include "grammar/matcher.h"

namespace ac::backend {

class GrammarConstraint : public engine::TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<const grammar::Grammar> grammar)
      : grammar_(grammar), matcher_(std::move(grammar)) {}

  std::unique_ptr<TokenConstraint> Fork() const override {
    return std::make_unique<GrammarConstraint>(*this);
  }
  std::span<const uint64_t> Allowed() override { return matcher_.Mask(); }
  bool Accept(engine::TokenId token) override;
  void Rollback(int count) override;
  std::vector<engine::TokenId> Forced() override;

 private:
  const std::shared_ptr<const grammar::Grammar> grammar_;
  grammar::Matcher matcher_;
  std::deque<engine::TokenId> recent_;
};

}  // namespace ac::backend
