// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/lend.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <utility>

namespace trio::detail {

void Loan::run_block(std::function<void()> const& block) {
  error_ = caught_from([&] { static_cast<void>(scope_.enter(block)); });
  if (!error_ && !given_back_ && !scope_.cancel_called())
    error_ = value_ ? std::make_exception_ptr(BrokenResourceError(
                          "trio: what a block had lent is gone: the block has ended by itself"))
                    : std::make_exception_ptr(
                          MisuseError("trio: a block ended without having lent anything"));
  end();
}

void Loan::fail() {
  error_ = std::make_exception_ptr(
      BrokenResourceError("trio: the task of a block that was to lend could not be started"));
  end();
}

void Loan::end() {
  state_ = State::ended;
  watchers_.unpark_all();
}

void Loan::lend(void const* value) {
  if (state_ != State::opening)
    throw MisuseError("trio: a block lends once; its trio::Lend was called a second time");
  if (scope_.cancel_called()) {
    // Whoever wanted it has given up: nobody else may begin to use what is about to go.
    state_ = State::closing;
    return lowlevel::checkpoint();
  }
  value_ = value;
  state_ = State::lent;
  watchers_.unpark_all();
  std::exception_ptr error;
  try {
    lender_.park();
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    revoked_ = !users_.empty();
    for (CancelScope* scope : users_) scope->cancel("what it uses is going away");
    while (!users_.empty()) lender_.park_uncancellable();
  }
  state_ = State::closing;
  if (error) std::rethrow_exception(std::move(error));
}

void Loan::wait_while_opening() {
  while (state_ == State::opening) watchers_.park();
}

void Loan::wait_for_end() {
  while (state_ != State::ended) watchers_.park();
}

void Loan::wait_for_end_uncancellably() {
  while (state_ != State::ended) watchers_.park_uncancellable();
}

std::exception_ptr Loan::use(std::function<void()> const& use) {
  CancelScope scope;
  users_.push_back(&scope);
  auto error = caught_from([&] { static_cast<void>(scope.enter(use)); });
  users_.erase(std::find(users_.begin(), users_.end(), &scope));
  if (revoked_ && users_.empty()) lender_.unpark_one();
  return error;
}

void Loan::give_back() {
  if (!is_lent()) return;
  given_back_ = true;
  state_ = State::closing;
  lender_.unpark_one();
}

}  // namespace trio::detail
