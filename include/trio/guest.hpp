// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/task_job.hpp>
#include <trio/run.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace trio {

// What a guest run needs of the event loop that is its host: a way in. Each function has a closure
// called by the loop, on its thread, soon, once, and not from within itself.
struct GuestHost {
  // Called on any thread, until the run is done.
  std::function<void(std::function<void()>)> run_sync_soon_threadsafe;
  // Called on the loop's own thread; empty: the other one is. For hosts where that is cheaper.
  std::function<void(std::function<void()>)> run_sync_soon_not_threadsafe = {};
};

// How a guest run has ended.
template <class T> class [[nodiscard]] GuestOutcome {
 public:
  GuestOutcome(std::optional<T> value, std::exception_ptr error)
      : value_(std::move(value)), error_(std::move(error)) {}

  // What the main function has returned, once; or throws what run() would have thrown.
  T get() {
    if (error_) std::rethrow_exception(error_);
    return std::move(value_).value();
  }

  // Null if it has returned.
  std::exception_ptr const& error() const noexcept { return error_; }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

template <> class [[nodiscard]] GuestOutcome<void> {
 public:
  explicit GuestOutcome(std::exception_ptr error) : error_(std::move(error)) {}

  void get() {
    if (error_) std::rethrow_exception(error_);
  }

  std::exception_ptr const& error() const noexcept { return error_; }

 private:
  std::exception_ptr error_;
};

namespace detail {
void start_guest_run(GuestHost host, RunOptions const& options, std::unique_ptr<Job> main,
                     std::function<void(std::exception_ptr)> done);
}  // namespace detail

// Runs `fn()` as the main task of a run inside another event loop (of a GUI, of Boost.Asio): the
// loop goes on as ever, and whenever something is due in the run, it is asked to call a closure,
// which lets each ready task run once. While the run sleeps, a thread sleeps for it in the kernel.
//
//   boost::asio::io_context host;
//   trio::start_guest_run({.run_sync_soon_threadsafe = [&](auto call) { post(host, call); }}, {},
//                         amain, [](trio::GuestOutcome<int> outcome) { ... outcome.get() ... });
//   host.run();
//
// Returns before `fn` has run, but with the run in place: its token may be asked for. From then on
// the loop's other callbacks, on this thread, are inside the run as code between tasks is: they may
// set events, start tasks in nurseries, cancel scopes; they cannot wait. `done` is called by the
// loop, when everything of the run is gone, with its outcome; it may start another run. Until then
// the loop must go on: a host that ends sooner leaves tasks as they are, for ever.
//
// Call it, and have the loop run, on the thread itself, not in a fiber of Boost.Fiber. The rest is
// as in run(), also what it throws before `fn` runs: MisuseError if the thread is inside a run,
// std::system_error if there are no descriptors or no thread, TrioInternalError. Mirrors
// trio.lowlevel.start_guest_run.
template <class F, class Done>
void start_guest_run(GuestHost host, RunOptions const& options, F&& fn, Done&& done) {
  using Function = std::decay_t<F>;
  using Result = std::invoke_result_t<Function>;
  using Told = std::decay_t<Done>;
  constexpr bool has_value = !std::is_reference_v<Result>;
  static_assert(has_value,
                "trio: the main function of a guest run must return a value, not a reference");
  if constexpr (has_value) {
    constexpr bool fits =
        std::is_invocable_v<Told&, GuestOutcome<Result>> && std::is_copy_constructible_v<Told>;
    static_assert(fits,
                  "trio: start_guest_run(host, options, fn, done): done takes a "
                  "trio::GuestOutcome of what fn returns, and can be copied");
    if constexpr (fits && std::is_void_v<Result>) {
      detail::start_guest_run(
          std::move(host), options, detail::make_job(std::forward<F>(fn)),
          [told = Told(std::forward<Done>(done))](std::exception_ptr error) mutable {
            told(GuestOutcome<void>(std::move(error)));
          });
    } else if constexpr (fits) {
      auto result = std::make_shared<std::optional<Result>>();
      detail::start_guest_run(
          std::move(host), options,
          detail::make_job(detail::KeepingResult<Function, Result>(std::forward<F>(fn), *result)),
          [result, told = Told(std::forward<Done>(done))](std::exception_ptr error) mutable {
            told(GuestOutcome<Result>(std::move(*result), std::move(error)));
          });
    }
  }
}

}  // namespace trio
