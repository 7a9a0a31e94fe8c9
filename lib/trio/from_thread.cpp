// SPDX-License-Identifier: BSL-1.0
#include "if_never_run.hpp"
#include "runner.hpp"
#include "thread_call.hpp"

#include <trio/errors.hpp>
#include <trio/from_thread.hpp>

#include <utility>

namespace trio::from_thread {

namespace {

using detail::ThreadMessage;

void check_may_block() {
  if (detail::Runner::of_this_thread())
    throw MisuseError(
        "trio: from_thread blocks the thread that calls it, and this one is inside trio::run; "
        "call the function directly");
}

detail::ThreadCall& own_call() {
  check_may_block();
  if (auto* call = detail::ThreadCall::of_this_thread()) return *call;
  throw MisuseError(
      "trio: this thread was not started by to_thread::run; give from_thread a TrioToken of the "
      "run that is meant");
}

}  // namespace

void detail_thread::run(lowlevel::TrioToken const& token, std::function<void()> const& fn) {
  check_may_block();
  auto const message = std::make_shared<ThreadMessage>(fn);
  token.run_sync_soon([message] {
    detail::IfNeverRun no_task(
        [message] { message->fail(std::make_exception_ptr(RunFinishedError())); });
    try {
      lowlevel::spawn_system_task("<from_thread::run>",
                                  [message, no_task = std::move(no_task)]() mutable {
                                    no_task.call_off();
                                    message->answer();
                                  });
    } catch (MisuseError const&) {
      // The run is ending: the thread has been told.
    }
  });
  message->wait();
}

void detail_thread::run_sync(lowlevel::TrioToken const& token, std::function<void()> const& fn) {
  check_may_block();
  auto const message = std::make_shared<ThreadMessage>(fn);
  token.run_sync_soon([message] { message->answer(); });
  message->wait();
}

void detail_thread::run(std::function<void()> const& fn) {
  detail::ThreadCall& call = own_call();
  if (call.may_be_abandoned()) return run(call.token(), fn);
  auto const message = std::make_shared<ThreadMessage>(fn);
  call.send(message);
  message->wait();
}

void detail_thread::run_sync(std::function<void()> const& fn) {
  detail::ThreadCall& call = own_call();
  if (call.may_be_abandoned()) return run_sync(call.token(), fn);
  auto const message = std::make_shared<ThreadMessage>(fn);
  call.send(message);
  message->wait();
}

void check_cancelled() {
  auto const cancellation = own_call().cancellation();
  if (!cancellation) return;
  if (!cancellation->is_interrupt()) (*cancellation)();
  // It counts as delivered from here on, which the run must know.
  std::rethrow_exception(run_sync([&] { return cancellation->exception(); }));
}

}  // namespace trio::from_thread
