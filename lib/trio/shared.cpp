// SPDX-License-Identifier: BSL-1.0
#include "if_never_run.hpp"

#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/shared.hpp>
#include <trio/teardown.hpp>

#include <utility>

namespace trio::detail {

// One go at the computation. Those who wait for it keep it.
struct SharedComputation::Attempt {
  CancelScope scope = CancelScope();
  std::size_t waiting = 0;
  // Nobody waited any more: it is on its way out.
  bool given_up = false;
  bool ended = false;
  // With this error, if any.
  std::exception_ptr error = {};
  lowlevel::ParkingLot lot = {};
};

void SharedComputation::start() {
  auto const attempt = std::make_shared<Attempt>();
  auto const self = shared_from_this();
  IfNeverRun no_task([self, attempt] {
    attempt->error = std::make_exception_ptr(
        BrokenResourceError("trio: the task of a shared computation could not be started"));
    attempt->ended = true;
    self->attempt_ = nullptr;
    attempt->lot.unpark_all();
  });
  lowlevel::spawn_system_task("trio::Shared",
                              [self, attempt, no_task = std::move(no_task)]() mutable {
                                no_task.call_off();
                                self->run(*attempt);
                              });
  attempt_ = attempt;
}

void SharedComputation::run(Attempt& attempt) {
  bool computed = false;
  attempt.error =
      caught_from([&] { computed = !attempt.scope.enter([&] { compute(); }).cut_short; });
  attempt.ended = true;
  attempt_ = nullptr;
  // What was to throw in the middle is no result: neither Cancelled, when the run ends, nor what
  // became of being given up.
  bool const failed =
      attempt.error && !attempt.given_up && !exception_cast<Cancelled>(attempt.error);
  done_ = failed || (computed && !attempt.error);
  if (failed) error_ = attempt.error;
  attempt.lot.unpark_all();
}

void SharedComputation::throw_error() const {
  if (error_) std::rethrow_exception(error_);
}

void SharedComputation::wait() {
  lowlevel::checkpoint_if_cancelled();
  if (done_) {
    lowlevel::cancel_shielded_checkpoint();
    return throw_error();
  }
  auto const self = shared_from_this();
  // One that was given up must be gone before the next begins.
  while (attempt_ && attempt_->given_up) {
    auto const gone = attempt_;
    gone->lot.park();
  }
  if (done_) return throw_error();
  if (!attempt_) start();
  auto const attempt = attempt_;
  ++attempt->waiting;
  std::exception_ptr cut_short;
  try {
    attempt->lot.park();
  } catch (...) {
    cut_short = std::current_exception();
  }
  --attempt->waiting;
  if (cut_short && attempt->waiting == 0 && !attempt->ended) {
    attempt->given_up = true;
    attempt->scope.cancel("nobody waits for it any more");
    while (!attempt->ended) attempt->lot.park_uncancellable();
  } else if (cut_short) {
    std::rethrow_exception(cut_short);
  }
  // A Cancelled comes again at the next checkpoint; an Interrupted would not.
  if (attempt->error && exception_cast<Cancelled>(cut_short)) cut_short = nullptr;
  rethrow_either(std::move(cut_short), attempt->error);
}

SharedStatistics SharedComputation::statistics() const noexcept {
  return {attempt_ != nullptr, done_, attempt_ ? attempt_->waiting : 0};
}

}  // namespace trio::detail
