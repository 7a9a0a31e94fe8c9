// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/nursery.hpp>
#include <trio/parking_lot.hpp>

#include <exception>
#include <functional>
#include <type_traits>
#include <vector>

namespace trio {

template <class T> class Lend;

namespace detail {

// One value on loan from the block that has made it, in that block's task, to users in theirs.
class Loan {
 public:
  Loan() = default;
  Loan(Loan const&) = delete;
  Loan& operator=(Loan const&) = delete;

  // The whole life of the block, in its task. Throws nothing: see error(). Once only.
  void run_block(std::function<void()> const& block);
  // Instead: its task could not be started.
  void fail();
  // In the block: lends `value`; returns when it is given back. Throws MisuseError the second time.
  void lend(void const* value);

  // Waits until the value can be used, or never will be: the block has failed. A checkpoint if it
  // waits, as in the next.
  void wait_while_opening();
  // Waits until the block has ended.
  void wait_for_end();
  // The same whatever is cancelled meanwhile.
  void wait_for_end_uncancellably();

  // Whether somebody may begin to use the value now.
  bool is_lent() const noexcept { return state_ == State::lent && !revoked_; }

  // Whether users are cut short because the block is cancelled.
  bool is_revoked() const noexcept { return revoked_; }

  // What is lent; T is the type that it was lent as.
  template <class T> T& value() const noexcept {
    return *static_cast<T*>(const_cast<void*>(value_));
  }

  // Calls `use`, cut short if the block is cancelled; the block goes on only afterwards. Returns
  // what it throws. Only while is_lent().
  std::exception_ptr use(std::function<void()> const& use);
  // All uses are over: the block shall clean up.
  void give_back();

  // Of the block, which has ended: what it threw, or that it ended though nobody had asked for it.
  std::exception_ptr const& error() const noexcept { return error_; }

  // Around the block.
  CancelScope& scope() noexcept { return scope_; }

 private:
  enum class State { opening, lent, closing, ended };

  void end();

  State state_ = State::opening;
  bool revoked_ = false;
  bool given_back_ = false;
  void const* value_ = nullptr;
  std::exception_ptr error_;
  // Around each use.
  std::vector<CancelScope*> users_;
  CancelScope scope_;
  // The block, in lend().
  lowlevel::ParkingLot lender_;
  // Whoever waits for another state.
  lowlevel::ParkingLot watchers_;
};

template <class> struct LentValue {};

template <class T> struct LentValue<Lend<T>> {
  using type = T;
};

// What a block lends: the T of its last parameter, which is a Lend<T>.
template <class Block> using LentBy =
    typename LentValue<std::remove_cvref_t<typename LastParameter<Block>::type>>::type;

template <class Block> concept Lender = requires { typename LentBy<Block>; };

}  // namespace detail

// How a block lends what it has made to whoever uses it: its last parameter, to be called once.
// What Python writes as an asynchronous context manager, with the lending for its `yield`.
//
//   void open_connection(trio::Lend<Connection> lend) {
//     Connection connection(host);
//     lend(connection);           // returns when nobody uses it any more
//     connection.say_goodbye();
//   }
//
// gather() and ResourceCache run such blocks, each in a task of its own. Everything a block opens
// around the lending (nurseries, scopes) is around the use as well: if the block is cancelled
// there, whoever uses the value is cancelled and gone before lend() throws.
template <class T> class Lend {
  static_assert(std::is_object_v<T>, "trio::Lend<T>: T is the type of the object, not a reference");

 public:
  explicit Lend(detail::Loan& loan) noexcept : loan_(&loan) {}

  // Lends `value` until it is used no more. A checkpoint. Throws MisuseError if called twice.
  void operator()(T& value) const { loan_->lend(&value); }

  void operator()(T&& value) const { loan_->lend(&value); }

 private:
  detail::Loan* loan_;
};

}  // namespace trio
