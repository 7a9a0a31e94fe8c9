// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <memory>
#include <utility>

namespace trio::lowlevel {

template <class T> class RunVar;

namespace detail_run_var {
std::shared_ptr<void> get(void const* key);
// Returns what it was.
std::shared_ptr<void> set(void const* key, std::shared_ptr<void> value);
[[noreturn]] void refuse_token();

// How a RunVar was before a set(), to be given to its reset(), once.
class Token {
 public:
  Token(Token&& other) noexcept
      : variable_(std::exchange(other.variable_, nullptr)), previous_(std::move(other.previous_)) {}

  Token& operator=(Token&& other) noexcept {
    variable_ = std::exchange(other.variable_, nullptr);
    previous_ = std::move(other.previous_);
    return *this;
  }

  ~Token() = default;

 private:
  template <class> friend class lowlevel::RunVar;

  Token(void const* variable, std::shared_ptr<void> previous)
      : variable_(variable), previous_(std::move(previous)) {}

  // Null once it is used.
  void const* variable_;
  std::shared_ptr<void> previous_;
};
}  // namespace detail_run_var

// A value of its own for each run, for what would else be a global: a default limiter, a pool of
// connections. A run begins with none; its values are destroyed at its end, on its thread, when no
// task is left. Make it a global or static: its address is its name. Its functions throw
// MisuseError outside a run; none is a checkpoint. Mirrors trio.lowlevel.RunVar.
//
//   static lowlevel::RunVar<Pool> pool;
//   if (!pool.get()) pool.set(std::make_shared<Pool>(8));
template <class T> class RunVar {
 public:
  using Token = detail_run_var::Token;

  RunVar() = default;
  RunVar(RunVar const&) = delete;
  RunVar& operator=(RunVar const&) = delete;

  // The current run's value, or null if it has none.
  T* get() const { return static_cast<T*>(detail_run_var::get(this).get()); }

  // The same, kept alive.
  std::shared_ptr<T> share() const {
    return std::static_pointer_cast<T>(detail_run_var::get(this));
  }

  // Sets it for the current run, for all tasks; null: takes it away.
  Token set(std::shared_ptr<T> value) const {
    return Token(this, detail_run_var::set(this, std::move(value)));
  }

  // Makes it what it was before the set() that returned `token`. Throws MisuseError if the token is
  // another variable's or used up.
  void reset(Token& token) const {
    if (token.variable_ != this) detail_run_var::refuse_token();
    detail_run_var::set(this, std::move(token.previous_));
    token.variable_ = nullptr;
  }
};

}  // namespace trio::lowlevel
