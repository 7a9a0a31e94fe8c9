// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/detail/list.hpp>
#include <trio/detail/task_job.hpp>
#include <trio/errors.hpp>
#include <trio/parking_lot.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace trio {

class Nursery;
class Task;

// How a task is to be started; first argument of start_soon and start, where given.
struct TaskOptions {
  // For people: reports, task trees, overflow messages. Empty: made from the function.
  std::string name = {};
};

namespace detail {
struct ChildTaskTag;
struct ChildNurseryTag;
struct NurseryBlock;
}  // namespace detail

// What of a TaskStatus needs no type.
class TaskStatusBase {
 public:
  TaskStatusBase(TaskStatusBase const&) = delete;
  TaskStatusBase& operator=(TaskStatusBase const&) = delete;

 protected:
  TaskStatusBase() = default;
  ~TaskStatusBase() = default;

  // False if nobody waits for the report. Throws MisuseError the second time.
  bool mark_started();
  // Moves the task from under start() to its nursery, unless start() was cancelled meanwhile.
  void hand_over() noexcept;

 private:
  friend class Nursery;

  bool ignored_ = true;
  bool called_ = false;
  Nursery* starting_ = nullptr;
  Nursery* target_ = nullptr;
};

// How a task started by Nursery::start reports that it is up: the last parameter of its function.
//
//   void serve(std::string host, trio::TaskStatus<int>& status) {
//     Listener listener(host);
//     status.started(listener.port());
//     ...
//
// Give it the default value task_status_ignored<int> to keep the function callable directly.
// Mirrors trio.TaskStatus.
template <class T> class TaskStatus : public TaskStatusBase {
 public:
  // start() returns `value` and the task goes on as the nursery's own. Once only: the second call
  // throws MisuseError. Not a checkpoint; not to be called by an abort function, as it moves tasks
  // to other scopes.
  void started(T value) {
    if (!mark_started()) return;
    value_.emplace(std::move(value));
    hand_over();
  }

 private:
  friend class Nursery;

  std::optional<T> value_;
};

template <> class TaskStatus<void> : public TaskStatusBase {
 public:
  // The same, of a start() that returns nothing.
  void started() {
    if (mark_started()) hand_over();
  }
};

namespace detail {
template <class T> struct IgnoredTaskStatus : TaskStatus<T> {};
template <class T> inline IgnoredTaskStatus<T> ignored_task_status{};

// The T of a callable's last parameter, if that is a TaskStatus<T>&.
template <class F> struct LastParameter {};

template <class R> struct LastParameter<R()> {};

template <class R, class... A> struct LastParameter<R(A...)> {
  using type = std::tuple_element_t<sizeof...(A) - 1, std::tuple<A...>>;
};

template <class R, class... A> struct LastParameter<R(A...) noexcept> : LastParameter<R(A...)> {};

template <class F> struct LastParameter<F*> : LastParameter<F> {};

template <class C, class F> struct LastParameter<F C::*> : LastParameter<F> {};

template <class R, class... A> struct LastParameter<R(A...) const> : LastParameter<R(A...)> {};

template <class R, class... A> struct LastParameter<R(A...) const noexcept>
    : LastParameter<R(A...)> {};

template <class F>
  requires requires { &F::operator(); }
struct LastParameter<F> : LastParameter<decltype(&F::operator())> {};

template <class T> struct StatusValue {};

template <class T> struct StatusValue<TaskStatus<T>&> {
  using type = T;
};

// Calls fn(args..., *status).
template <class F, class T> struct WithStatus : Wrapper {
  WithStatus(F function, std::shared_ptr<TaskStatus<T>> reported)
      : fn(std::move(function)), status(std::move(reported)) {}

  F fn;
  std::shared_ptr<TaskStatus<T>> status;

  template <class... A> void operator()(A&&... args) {
    std::invoke(std::move(fn), std::forward<A>(args)..., *status);
  }
};

template <class F> concept HasVisibleParameters = std::is_function_v<std::remove_pointer_t<F>> ||
                                                  std::is_member_function_pointer_v<F> ||
                                                  requires { &F::operator(); };
template <class F> concept ReportsStarted =
    requires { typename StatusValue<typename LastParameter<F>::type>::type; };
}  // namespace detail

// Pass where a TaskStatus is asked for and nobody waits for the report. Mirrors
// trio.TASK_STATUS_IGNORED.
template <class T> inline TaskStatus<T>& task_status_ignored = detail::ignored_task_status<T>;

// The place where tasks live: started inside a block, and gone when the block ends.
//
//   trio::open_nursery([&](trio::Nursery& nursery) {
//     nursery.start_soon(worker, 1);
//     int port = nursery.start(serve);
//   });  // waits here for both
//
// If the body or a task fails, all others are cancelled and the block throws every error, as one
// exception group. Functions and arguments are copied into the task; references travel as std::ref.
// What tasks use by reference must be declared *outside* the body: locals of the body are gone when
// it returns, and the tasks are not; or end the body with join(). A nursery may be handed to other
// tasks of the run, which may start tasks in it while it is open. All of it is for the run's thread
// only. Mirrors trio.Nursery.
class Nursery : detail::Hook<detail::ChildNurseryTag> {
 public:
  Nursery(Nursery const&) = delete;
  Nursery& operator=(Nursery const&) = delete;
  ~Nursery();

  // Starts `fn(args...)` as a task; it runs at the next pass of the run loop, not now. Not a
  // checkpoint. Throws MisuseError if the nursery has closed, or on another thread. Mirrors trio's
  // Nursery.start_soon.
  template <class F, class... A>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskOptions>)
  void start_soon(F&& fn, A&&... args) {
    start_soon(TaskOptions{}, std::forward<F>(fn), std::forward<A>(args)...);
  }

  template <class F, class... A> void start_soon(TaskOptions options, F&& fn, A&&... args) {
    constexpr bool callable = std::is_invocable_v<std::decay_t<F>, std::decay_t<A>...>;
    constexpr bool reports = !callable && detail::ReportsStarted<std::decay_t<F>>;
    static_assert(!reports,
                  "trio: this function reports with a trio::TaskStatus: start it with "
                  "nursery.start(), which waits for the report");
    static_assert(callable || reports,
                  "trio: nursery.start_soon(fn, args...): fn cannot be called with copies of these "
                  "arguments (references travel as std::ref)");
    if constexpr (callable)
      spawn(detail::make_job(std::forward<F>(fn), std::forward<A>(args)...), std::move(options),
            nullptr);
  }

  // Starts `fn(args..., status)` and waits until it calls status.started(value); returns the value.
  // Until then the task belongs to the caller: cancelling the caller cancels it, and what it throws
  // comes out of start() as it is. A checkpoint. Throws MisuseError if the task ends without
  // calling started(), the nursery has closed, or the caller is no task of the run. Mirrors trio's
  // Nursery.start.
  template <class F, class... A>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskOptions>)
  auto start(F&& fn, A&&... args) {
    return start(TaskOptions{}, std::forward<F>(fn), std::forward<A>(args)...);
  }

  template <class F, class... A> auto start(TaskOptions options, F&& fn, A&&... args) {
    using Function = std::decay_t<F>;
    static_assert(detail::HasVisibleParameters<Function>,
                  "trio: nursery.start(fn): cannot see fn's parameters (a generic lambda or "
                  "overload set); write nursery.start<T>(fn)");
    if constexpr (detail::HasVisibleParameters<Function>) {
      static_assert(detail::ReportsStarted<Function>,
                    "trio: nursery.start(fn): fn's last parameter must be a trio::TaskStatus<T>&");
      if constexpr (detail::ReportsStarted<Function>) {
        using T =
            typename detail::StatusValue<typename detail::LastParameter<Function>::type>::type;
        return start<T>(std::move(options), std::forward<F>(fn), std::forward<A>(args)...);
      }
    }
  }

  // The same with the type of the report said, for callables whose parameters cannot be seen.
  template <class T, class F, class... A>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskOptions> &&
             !std::is_same_v<std::decay_t<T>, std::decay_t<F>> &&
             !std::is_same_v<std::remove_cvref_t<T>, TaskOptions>)
  T start(F&& fn, A&&... args) {
    return start<T>(TaskOptions{}, std::forward<F>(fn), std::forward<A>(args)...);
  }

  template <class T, class F, class... A>
    requires(!std::is_same_v<std::remove_cvref_t<T>, TaskOptions>)
  T start(TaskOptions options, F&& fn, A&&... args) {
    using Status = TaskStatus<T>;
    constexpr bool callable = std::is_invocable_v<std::decay_t<F>, std::decay_t<A>..., Status&>;
    static_assert(callable,
                  "trio: nursery.start(fn, args...): fn cannot be called with copies of these "
                  "arguments and a TaskStatus");
    // Shared, as the task may call started() again long after start() returned.
    auto status = std::make_shared<Status>();
    if constexpr (callable)
      start_and_wait(
          *status,
          detail::make_job(detail::WithStatus<std::decay_t<F>, T>(std::forward<F>(fn), status),
                           std::forward<A>(args)...),
          std::move(options));
    if constexpr (!std::is_void_v<T>) return std::move(status->value_).value();
  }

  // Waits, inside the body, until every task of the nursery has ended, so that locals of the body
  // outlive them. Always a checkpoint; cancellable. More tasks may be started afterwards. Throws
  // MisuseError in any other task than the one that opened the nursery.
  void join();

  // The scope around the body and all tasks: cancel_scope().cancel() stops everything, quietly.
  CancelScope& cancel_scope() noexcept { return scope_; }

  // The task that opened the nursery.
  Task& parent_task() const noexcept;

  // How many tasks live in the nursery now, the body not counted.
  std::size_t child_task_count() const noexcept { return child_count_; }

  // The tasks that live here now, in order of arrival.
  std::vector<Task*> child_tasks() const;

 private:
  friend struct detail::NurseryBlock;
  friend class TaskStatusBase;
  friend class detail::Runner;
  friend struct detail::TaskRecord;
  friend class detail::List<Nursery, detail::ChildNurseryTag>;
  friend class Task;

  Nursery();

  // Throws MisuseError if no task can be started here, or not by the caller.
  void check_open() const;
  void spawn(std::unique_ptr<detail::Job> job, TaskOptions options, Nursery* eventual_parent);
  void start_and_wait(TaskStatusBase& status, std::unique_ptr<detail::Job> job,
                      TaskOptions options);
  // The body has ended, with `error` or well: waits for all tasks; throws what is to be thrown.
  void finish(std::exception_ptr error);
  void child_finished(detail::TaskRecord& child, std::exception_ptr error);
  void add_error(std::exception_ptr error, std::string source_task);
  void wake_if_done();

  bool has_tasks() const noexcept { return child_count_ > 0 || pending_starts_ > 0; }

  CancelScope scope_;
  detail::TaskRecord& parent_task_;
  detail::List<detail::TaskRecord, detail::ChildTaskTag> children_;
  std::size_t child_count_ = 0;
  std::size_t pending_starts_ = 0;
  std::vector<std::exception_ptr> errors_;
  bool body_running_ = true;
  bool closed_ = false;
  // The parent is parked in finish() until has_tasks() is false.
  bool parent_waits_ = false;
  lowlevel::ParkingLot joiners_;
};

namespace detail {
[[noreturn]] void throw_body_was_cut_short();

template <class> struct IsOptional : std::false_type {};

template <class T> struct IsOptional<std::optional<T>> : std::true_type {};

// The block itself: see open_nursery.
struct NurseryBlock {
  template <class Result, class Body> static Result run(Body&& body) {
    static_assert(!std::is_reference_v<Result>,
                  "trio: the body of open_nursery must return a value, not a reference");
    Nursery nursery;
    if constexpr (std::is_void_v<Result>) {
      nursery.finish(caught_from([&] { std::invoke(std::forward<Body>(body), nursery); }));
    } else {
      std::optional<Result> result;
      nursery.finish(
          caught_from([&] { result.emplace(std::invoke(std::forward<Body>(body), nursery)); }));
      if constexpr (detail::IsOptional<Result>::value) {
        return result ? std::move(*result) : Result();
      } else {
        if (!result) detail::throw_body_was_cut_short();
        return std::move(*result);
      }
    }
  }
};
}  // namespace detail

// Opens a nursery, runs `body(nursery)`, waits for all its tasks, and returns what the body
// returned. The end is a checkpoint, but never itself a source of Cancelled.
//
// Throws an exception group with every error of the body and the tasks, in the order in which they
// happened, even if it is only one; trio::catching handles members. If the nursery's own scope cut
// the body short before it returned its value, a body returning std::optional yields an empty one,
// another MisuseError. Throws MisuseError outside a task. Mirrors trio.open_nursery (strict
// exception groups).
template <class Body> auto open_nursery(Body&& body) {
  constexpr bool takes_nursery = std::is_invocable_v<Body, Nursery&>;
  static_assert(takes_nursery, "trio: the body of open_nursery takes a trio::Nursery&");
  if constexpr (takes_nursery)
    return detail::NurseryBlock::run<std::invoke_result_t<Body, Nursery&>>(
        std::forward<Body>(body));
}

// Runs `body(nursery)` with the nursery `given`, and waits for none of its tasks; or if that is
// null, with one of its own, as open_nursery() does. For functions that leave tasks behind only
// where they are given a place for them. Not a checkpoint with a nursery that is given. Throws what
// the body throws, as it is, or what open_nursery() throws. tractor's maybe_open_nursery.
template <class Body> auto maybe_open_nursery(Nursery* given, Body&& body) {
  if (given) return std::invoke(body, *given);
  return open_nursery(std::forward<Body>(body));
}

}  // namespace trio
