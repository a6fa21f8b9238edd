// A reference to a callable: two words, no allocation, one indirect call.
//
// FunctionRef does not own what it points to, so it is for parameters only: the callable (a lambda
// in the call expression, say) lives until the callee returns. Copies are free. Plain functions
// are passed through a lambda.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace ac {

template <typename Signature>
class FunctionRef;

template <typename R, typename... Args>
class FunctionRef<R(Args...)> {
  // Not copies of itself, which the constructor below would otherwise win; not plain functions,
  // whose addresses need not fit a void*.
  template <typename F>
  static constexpr bool kAccepts =
      !std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
      !std::is_function_v<std::remove_reference_t<F>> && std::is_invocable_r_v<R, F&, Args...>;

 public:
  template <typename F, typename = std::enable_if_t<kAccepts<F>>>
  FunctionRef(F&& callable) noexcept  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace ac
