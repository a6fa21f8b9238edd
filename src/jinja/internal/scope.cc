// Which variable a name means.
//
// jinja2 decides at compile time: the template, every loop, macro, with, set and filter block is a
// scope; a name a scope assigns anywhere is a variable of that scope, which starts as the outer
// variable of that name, or as undefined when there is none; a name that is only read comes from
// the nearest scope that knows it, else from the context. The branches of an if are one scope, in
// which an assignment that some branch skips falls back to the outer variable or the context. This
// file follows the same rules in the same order, because templates show the difference.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "jinja/internal/builtins.h"
#include "jinja/internal/program.h"

namespace ac::jinja {
namespace {

template <typename Visit>
void ForEachArgument(const Arguments& arguments, Visit visit) {
  for (const ExprPtr& expr : arguments.positional) visit(*expr);
  for (const auto& [name, expr] : arguments.named) visit(*expr);
  if (arguments.star != nullptr) visit(*arguments.star);
  if (arguments.star_star != nullptr) visit(*arguments.star_star);
}

// Calls visit(Expr&) for the direct parts of an expression.
template <typename Visit>
void ForEachChild(const Expr& expr, Visit visit) {
  const auto maybe = [&](const ExprPtr& child) {
    if (child != nullptr) visit(*child);
  };
  switch (expr.kind) {
    case ExprKind::kConst:
    case ExprKind::kName:
    case ExprKind::kNamespaceRef:
      break;
    case ExprKind::kList:
    case ExprKind::kTuple:
    case ExprKind::kConcat:
      for (const ExprPtr& item : static_cast<const SequenceExpr&>(expr).items) visit(*item);
      break;
    case ExprKind::kDict:
      for (const auto& [key, value] : static_cast<const DictExpr&>(expr).items) {
        visit(*key);
        visit(*value);
      }
      break;
    case ExprKind::kAttribute:
      visit(*static_cast<const AttributeExpr&>(expr).object);
      break;
    case ExprKind::kItem:
      visit(*static_cast<const ItemExpr&>(expr).object);
      visit(*static_cast<const ItemExpr&>(expr).index);
      break;
    case ExprKind::kSlice:
      maybe(static_cast<const SliceExpr&>(expr).start);
      maybe(static_cast<const SliceExpr&>(expr).stop);
      maybe(static_cast<const SliceExpr&>(expr).step);
      break;
    case ExprKind::kCall:
      visit(*static_cast<const CallExpr&>(expr).callee);
      ForEachArgument(static_cast<const CallExpr&>(expr).arguments, visit);
      break;
    case ExprKind::kFilter:
      maybe(static_cast<const FilterExpr&>(expr).input);
      ForEachArgument(static_cast<const FilterExpr&>(expr).arguments, visit);
      break;
    case ExprKind::kTest:
      visit(*static_cast<const TestExpr&>(expr).input);
      ForEachArgument(static_cast<const TestExpr&>(expr).arguments, visit);
      break;
    case ExprKind::kNot:
    case ExprKind::kNegate:
    case ExprKind::kPlus:
      visit(*static_cast<const UnaryExpr&>(expr).operand);
      break;
    case ExprKind::kCompare:
      visit(*static_cast<const CompareExpr&>(expr).first);
      for (const auto& [op, right] : static_cast<const CompareExpr&>(expr).rest) visit(*right);
      break;
    case ExprKind::kConditional:
      visit(*static_cast<const ConditionalExpr&>(expr).test);
      visit(*static_cast<const ConditionalExpr&>(expr).then);
      maybe(static_cast<const ConditionalExpr&>(expr).otherwise);
      break;
    default:
      visit(*static_cast<const BinaryExpr&>(expr).left);
      visit(*static_cast<const BinaryExpr&>(expr).right);
  }
}

// Whether code reads a name before it assigns it, anywhere inside, nested scopes included.
class ReadFinder {
 public:
  explicit ReadFinder(std::string_view name) : name_(name) {}

  static bool Reads(const Body& body, std::string_view name) {
    ReadFinder finder(name);
    finder.Visit(body);
    return finder.read_;
  }

 private:
  void Read(const Expr& expr) {
    if (expr.kind == ExprKind::kName && static_cast<const NameExpr&>(expr).name == name_) {
      read_ = read_ || !assigned_;
    }
    ForEachChild(expr, [this](const Expr& child) { Read(child); });
  }
  void Write(const Expr& target) {
    if (target.kind == ExprKind::kName && static_cast<const NameExpr&>(target).name == name_) {
      assigned_ = true;
    }
    ForEachChild(target, [this](const Expr& child) { Write(child); });
  }
  void Visit(const Body& body) {
    for (const auto& node : body) Visit(*node);
  }
  void VisitMacro(const MacroNode& node) {
    for (const auto& parameter : node.parameters) assigned_ = assigned_ || parameter.name == name_;
    for (const auto& parameter : node.parameters) {
      if (parameter.fallback != nullptr) Read(*parameter.fallback);
    }
    Visit(node.body);
  }
  void Visit(const Node& node);

  const std::string_view name_;
  bool read_ = false;
  bool assigned_ = false;
};

void ReadFinder::Visit(const Node& node) {
  switch (node.kind) {
    case NodeKind::kOutput:
      for (const auto& part : static_cast<const OutputNode&>(node).parts) {
        if (part.expr != nullptr) Read(*part.expr);
      }
      break;
    case NodeKind::kIf:
      for (const auto& [test, body] : static_cast<const IfNode&>(node).branches) {
        Read(*test);
        Visit(body);
      }
      Visit(static_cast<const IfNode&>(node).otherwise);
      break;
    case NodeKind::kFor: {
      const auto& loop = static_cast<const ForNode&>(node);
      Write(*loop.target);
      Read(*loop.iterable);
      Visit(loop.body);
      Visit(loop.otherwise);
      if (loop.test != nullptr) Read(*loop.test);
      break;
    }
    case NodeKind::kSet:
      Write(*static_cast<const SetNode&>(node).target);
      Read(*static_cast<const SetNode&>(node).value);
      break;
    case NodeKind::kSetBlock: {
      const auto& set = static_cast<const SetBlockNode&>(node);
      Write(*set.target);
      if (set.filter != nullptr) Read(*set.filter);
      Visit(set.body);
      break;
    }
    case NodeKind::kMacro:
      VisitMacro(static_cast<const MacroNode&>(node));
      break;
    case NodeKind::kCallBlock: {
      const auto& call = static_cast<const CallBlockNode&>(node);
      if (call.call != nullptr) Read(*call.call);
      VisitMacro(*call.caller);
      break;
    }
    case NodeKind::kFilterBlock:
      Visit(static_cast<const FilterBlockNode&>(node).body);
      Read(*static_cast<const FilterBlockNode&>(node).filter);
      break;
    case NodeKind::kWith:
      for (const auto& [target, value] : static_cast<const WithNode&>(node).assignments)
        Write(*target);
      for (const auto& [target, value] : static_cast<const WithNode&>(node).assignments)
        Read(*value);
      Visit(static_cast<const WithNode&>(node).body);
      break;
    case NodeKind::kBreak:
    case NodeKind::kContinue:
      break;
  }
}

// The names looked up in the context, numbered.
class ContextNames {
 public:
  explicit ContextNames(Program* program) : program_(program) {}
  int IndexOf(const std::string& name) {
    const auto [entry, added] = index_.try_emplace(name, static_cast<int>(index_.size()));
    if (added) {
      program_->names.push_back(name);
      if (FindFunction(name) == nullptr) program_->free_variables.insert(name);
    }
    return entry->second;
  }

 private:
  Program* program_;
  std::map<std::string, int> index_;
};

// The names one scope knows. A branch of an if starts as an empty layer over its scope.
class Symbols {
 public:
  Symbols(const Symbols* outer, Routine* routine)
      : outer_(outer),
        routine_(routine),
        level_(outer == nullptr ? 0 : outer->level_ + (outer->routine_ == routine ? 0 : 1)),
        slots_(std::make_shared<std::map<std::string, int>>()) {}

  Symbols Branch() const {
    Symbols branch(*this);
    branch.below_ = this;
    branch.references_.clear();
    branch.loads_.clear();
    branch.stores_.clear();
    return branch;
  }

  struct Reference {
    int level;
    int slot;
  };

  std::optional<Reference> Find(const std::string& name) const {
    for (const Symbols* scope = this; scope != nullptr;
         scope = scope->below_ != nullptr ? scope->below_ : scope->outer_) {
      const auto found = scope->references_.find(name);
      if (found != scope->references_.end()) return Reference{scope->level_, found->second};
    }
    return std::nullopt;
  }
  Variable VariableFor(const std::string& name) const {
    const auto found = Find(name);
    return found ? Variable{level_ - found->level, found->slot} : Variable{};
  }

  void Read(const std::string& name, ContextNames* names) {
    if (!Find(name)) Define(name, {SlotLoad::Action::kResolve, 0, {}, names->IndexOf(name)});
  }
  void Assign(const std::string& name) {
    stores_.insert(name);
    if (Knows(name)) return;
    const auto outer = outer_ == nullptr ? std::nullopt : outer_->Find(name);
    if (outer) {
      Define(name, {SlotLoad::Action::kAlias, 0, {level_ - outer->level, outer->slot}});
    } else {
      Define(name, {SlotLoad::Action::kClear, 0, {}});
    }
  }
  int DeclareParameter(const std::string& name) {
    stores_.insert(name);
    return Define(name, {SlotLoad::Action::kKeep, 0, {}});
  }

  // Joins the branches of an if. What only some of them assign may still be the outer value.
  void Merge(const std::vector<Symbols>& branches, ContextNames* names) {
    std::map<std::string, size_t> counts;
    for (const Symbols& branch : branches) {
      for (const std::string& name : branch.stores_) {
        if (!Stores(name)) ++counts[name];
      }
    }
    for (const Symbols& branch : branches) {
      for (const auto& [name, slot] : branch.references_) references_[name] = slot;
      for (const auto& [slot, load] : branch.loads_) loads_[slot] = load;
      stores_.insert(branch.stores_.begin(), branch.stores_.end());
    }
    for (const auto& [name, count] : counts) {
      if (count == branches.size()) continue;
      const int slot = Find(name)->slot;
      const auto outer = outer_ == nullptr ? std::nullopt : outer_->Find(name);
      if (outer) {
        loads_[slot] = {SlotLoad::Action::kAlias, slot, {level_ - outer->level, outer->slot}};
      } else {
        loads_[slot] = {SlotLoad::Action::kResolve, slot, {}, names->IndexOf(name)};
      }
    }
  }

  Scope Loads() const {
    Scope scope;
    for (const auto& [slot, load] : loads_) scope.push_back(load);
    return scope;
  }
  Routine* routine() const { return routine_; }

 private:
  int Define(const std::string& name, SlotLoad load) {
    const auto [entry, added] = slots_->try_emplace(name, routine_->slots);
    if (added) ++routine_->slots;
    load.slot = entry->second;
    references_[name] = load.slot;
    loads_[load.slot] = load;
    return load.slot;
  }
  bool Knows(const std::string& name) const {
    for (const Symbols* layer = this; layer != nullptr; layer = layer->below_) {
      if (layer->references_.count(name) != 0) return true;
    }
    return false;
  }
  bool Stores(const std::string& name) const {
    for (const Symbols* layer = this; layer != nullptr; layer = layer->below_) {
      if (layer->stores_.count(name) != 0) return true;
    }
    return false;
  }

  const Symbols* below_ = nullptr;
  const Symbols* outer_;
  Routine* routine_;
  int level_;  // routines around
  std::map<std::string, int> references_;
  std::map<int, SlotLoad> loads_;
  std::set<std::string> stores_;
  std::shared_ptr<std::map<std::string, int>> slots_;  // shared by all layers of the scope
};

// Two passes over each scope: Analyze collects what it knows, Bind gives the names their variables
// and descends into inner scopes.
class Resolver {
 public:
  explicit Resolver(Program* program) : program_(program), names_(program) {}

  void Run() {
    Symbols symbols(nullptr, &program_->routine);
    Analyze(program_->body, &symbols);
    program_->scope = symbols.Loads();
    Bind(program_->body, &symbols);
  }

 private:
  void AnalyzeExpr(const Expr& expr, Symbols* symbols) {
    if (expr.kind == ExprKind::kName)
      symbols->Read(static_cast<const NameExpr&>(expr).name, &names_);
    ForEachChild(expr, [&](const Expr& child) { AnalyzeExpr(child, symbols); });
  }
  void AnalyzeTarget(const Expr& target, Symbols* symbols, bool is_parameter) {
    if (target.kind == ExprKind::kNamespaceRef) {
      symbols->Read(static_cast<const NamespaceRefExpr&>(target).name, &names_);
    } else if (target.kind == ExprKind::kName) {
      const std::string& name = static_cast<const NameExpr&>(target).name;
      is_parameter ? static_cast<void>(symbols->DeclareParameter(name)) : symbols->Assign(name);
    }
    ForEachChild(target, [&](const Expr& child) { AnalyzeTarget(child, symbols, is_parameter); });
  }
  void Analyze(const Body& body, Symbols* symbols) {
    for (const auto& node : body) Analyze(*node, symbols);
  }
  void Analyze(const Node& node, Symbols* symbols);
  void AnalyzeIf(const IfNode& node, Symbols* symbols);

  void BindExpr(const Expr& expr, Symbols* symbols);
  void Bind(const Body& body, Symbols* symbols) {
    for (const auto& node : body) Bind(*node, symbols);
  }
  void Bind(Node& node, Symbols* symbols);
  void BindFor(ForNode* node, Symbols* symbols);
  void BindMacro(MacroNode* node, Symbols* symbols);
  void BindWith(WithNode* node, Symbols* symbols);

  Program* program_;
  ContextNames names_;
};

void Resolver::AnalyzeIf(const IfNode& node, Symbols* symbols) {
  AnalyzeExpr(*node.branches[0].first, symbols);
  std::vector<Symbols> branches(3, symbols->Branch());
  Analyze(node.branches[0].second, &branches[0]);
  // Each elif counts as an if of its own, without else.
  for (size_t i = 1; i < node.branches.size(); ++i) {
    AnalyzeExpr(*node.branches[i].first, &branches[1]);
    std::vector<Symbols> inner(3, branches[1].Branch());
    Analyze(node.branches[i].second, &inner[0]);
    branches[1].Merge(inner, &names_);
  }
  Analyze(node.otherwise, &branches[2]);
  symbols->Merge(branches, &names_);
}

void Resolver::Analyze(const Node& node, Symbols* symbols) {
  switch (node.kind) {
    case NodeKind::kOutput:
      for (const auto& part : static_cast<const OutputNode&>(node).parts) {
        if (part.expr != nullptr) AnalyzeExpr(*part.expr, symbols);
      }
      break;
    case NodeKind::kIf:
      AnalyzeIf(static_cast<const IfNode&>(node), symbols);
      break;
    case NodeKind::kFor:
      AnalyzeExpr(*static_cast<const ForNode&>(node).iterable, symbols);
      break;
    case NodeKind::kSet:
      AnalyzeExpr(*static_cast<const SetNode&>(node).value, symbols);
      AnalyzeTarget(*static_cast<const SetNode&>(node).target, symbols, false);
      break;
    case NodeKind::kSetBlock:
      AnalyzeTarget(*static_cast<const SetBlockNode&>(node).target, symbols, false);
      break;
    case NodeKind::kMacro:
      symbols->Assign(static_cast<const MacroNode&>(node).name);
      break;
    case NodeKind::kCallBlock:
      if (static_cast<const CallBlockNode&>(node).call != nullptr) {
        AnalyzeExpr(*static_cast<const CallBlockNode&>(node).call, symbols);
      }
      break;
    case NodeKind::kFilterBlock:
      AnalyzeExpr(*static_cast<const FilterBlockNode&>(node).filter, symbols);
      break;
    case NodeKind::kWith:
      for (const auto& [target, value] : static_cast<const WithNode&>(node).assignments) {
        AnalyzeExpr(*value, symbols);
      }
      break;
    case NodeKind::kBreak:
    case NodeKind::kContinue:
      break;
  }
}

void Resolver::BindExpr(const Expr& expr, Symbols* symbols) {
  // The tree is only const to the visitors: this pass is what completes it.
  if (expr.kind == ExprKind::kName) {
    auto& name = const_cast<NameExpr&>(static_cast<const NameExpr&>(expr));
    name.variable = symbols->VariableFor(name.name);
  } else if (expr.kind == ExprKind::kNamespaceRef) {
    auto& name = const_cast<NamespaceRefExpr&>(static_cast<const NamespaceRefExpr&>(expr));
    name.variable = symbols->VariableFor(name.name);
  }
  ForEachChild(expr, [&](const Expr& child) { BindExpr(child, symbols); });
}

void Resolver::Bind(Node& node, Symbols* symbols) {
  switch (node.kind) {
    case NodeKind::kOutput:
      for (const auto& part : static_cast<OutputNode&>(node).parts) {
        if (part.expr != nullptr) BindExpr(*part.expr, symbols);
      }
      break;
    case NodeKind::kIf:
      for (const auto& [test, body] : static_cast<IfNode&>(node).branches) {
        BindExpr(*test, symbols);
        Bind(body, symbols);
      }
      Bind(static_cast<IfNode&>(node).otherwise, symbols);
      break;
    case NodeKind::kFor:
      BindFor(static_cast<ForNode*>(&node), symbols);
      break;
    case NodeKind::kSet:
      BindExpr(*static_cast<SetNode&>(node).value, symbols);
      BindExpr(*static_cast<SetNode&>(node).target, symbols);
      break;
    case NodeKind::kSetBlock: {
      auto& set = static_cast<SetBlockNode&>(node);
      Symbols inner(symbols, symbols->routine());
      Analyze(set.body, &inner);
      if (set.filter != nullptr) AnalyzeExpr(*set.filter, &inner);
      set.scope = inner.Loads();
      Bind(set.body, &inner);
      if (set.filter != nullptr) BindExpr(*set.filter, &inner);
      BindExpr(*set.target, symbols);
      break;
    }
    case NodeKind::kMacro: {
      auto& macro = static_cast<MacroNode&>(node);
      BindMacro(&macro, symbols);
      macro.variable = symbols->VariableFor(macro.name);
      break;
    }
    case NodeKind::kCallBlock:
      BindMacro(static_cast<CallBlockNode&>(node).caller.get(), symbols);
      if (static_cast<CallBlockNode&>(node).call != nullptr) {
        BindExpr(*static_cast<CallBlockNode&>(node).call, symbols);
      }
      break;
    case NodeKind::kFilterBlock: {
      auto& block = static_cast<FilterBlockNode&>(node);
      Symbols inner(symbols, symbols->routine());
      Analyze(block.body, &inner);
      AnalyzeExpr(*block.filter, &inner);
      block.scope = inner.Loads();
      Bind(block.body, &inner);
      BindExpr(*block.filter, &inner);
      break;
    }
    case NodeKind::kWith:
      BindWith(static_cast<WithNode*>(&node), symbols);
      break;
    case NodeKind::kBreak:
    case NodeKind::kContinue:
      break;
  }
}

void Resolver::BindFor(ForNode* node, Symbols* symbols) {
  BindExpr(*node->iterable, symbols);
  Routine* routine = symbols->routine();
  if (node->recursive) {
    routine->captured = true;
    routine = &node->routine;
  }
  node->uses_loop = node->recursive || ReadFinder::Reads(node->body, "loop");

  Symbols body(symbols, routine);
  if (node->uses_loop) node->loop_slot = body.DeclareParameter("loop");
  AnalyzeTarget(*node->target, &body, true);
  Analyze(node->body, &body);
  node->scope = body.Loads();
  BindExpr(*node->target, &body);
  Bind(node->body, &body);

  if (node->test != nullptr) {
    Symbols test(symbols, routine);
    AnalyzeTarget(*node->test_target, &test, true);
    AnalyzeExpr(*node->test, &test);
    node->test_scope = test.Loads();
    BindExpr(*node->test_target, &test);
    BindExpr(*node->test, &test);
  }
  Symbols otherwise(symbols, routine);
  Analyze(node->otherwise, &otherwise);
  node->otherwise_scope = otherwise.Loads();
  Bind(node->otherwise, &otherwise);
}

void Resolver::BindMacro(MacroNode* node, Symbols* symbols) {
  symbols->routine()->captured = true;
  Symbols inner(symbols, &node->routine);
  for (auto& parameter : node->parameters) parameter.slot = inner.DeclareParameter(parameter.name);
  for (const auto& parameter : node->parameters) {
    if (parameter.fallback != nullptr) AnalyzeExpr(*parameter.fallback, &inner);
  }
  const auto special = [&](const char* name) {
    const bool declared =
        std::any_of(node->parameters.begin(), node->parameters.end(),
                    [&](const auto& parameter) { return parameter.name == name; });
    if (declared || !ReadFinder::Reads(node->body, name)) return -1;
    return inner.DeclareParameter(name);
  };
  node->caller_slot = special("caller");
  node->kwargs_slot = special("kwargs");
  node->varargs_slot = special("varargs");
  Analyze(node->body, &inner);
  node->scope = inner.Loads();
  for (const auto& parameter : node->parameters) {
    if (parameter.fallback != nullptr) BindExpr(*parameter.fallback, &inner);
  }
  Bind(node->body, &inner);
}

void Resolver::BindWith(WithNode* node, Symbols* symbols) {
  Symbols inner(symbols, symbols->routine());
  for (const auto& [target, value] : node->assignments) AnalyzeTarget(*target, &inner, true);
  Analyze(node->body, &inner);
  node->scope = inner.Loads();
  for (const auto& [target, value] : node->assignments) {
    BindExpr(*value, symbols);
    BindExpr(*target, &inner);
  }
  Bind(node->body, &inner);
}

}  // namespace

Status ResolveNames(Program* program) {
  Resolver(program).Run();
  return OkStatus();
}

}  // namespace ac::jinja
