// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "deadline_heap.hpp"
#include "entry_queue.hpp"
#include "fiber.hpp"
#include "instruments.hpp"
#include "no_waiting.hpp"
#include "poller.hpp"
#include "task_queue.hpp"
#include "task_record.hpp"
#include "thread_cache.hpp"

#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>
#include <trio/run.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trio::detail {

// The kernel's coarse clock in nanoseconds: it moves every 1 to 4 ms. Safe in signal handlers.
std::int64_t coarse_tick() noexcept;

// One run: its tasks, its loop, and everything the loop waits for. Lives on the stack of run(). All
// of it belongs to one thread, but wake().
class Runner {
 public:
  explicit Runner(RunOptions const& options);
  Runner(Runner const&) = delete;
  Runner& operator=(Runner const&) = delete;
  ~Runner();

  // The run of the calling thread, or null.
  static Runner* of_this_thread() noexcept { return of_this_thread_; }

  // The same; throws MisuseError where there is none.
  static Runner& current() {
    if (!of_this_thread_) [[unlikely]]
      refuse_outside_run();
    return *of_this_thread_;
  }

  // The run of the task that calls; throws MisuseError outside of tasks.
  static Runner& of_current_task() {
    Runner* const runner = of_this_thread_;
    if (!runner || !runner->running_) [[unlikely]]
      refuse_outside_task();
    return *runner;
  }

  // The same, for what waits: throws MisuseError where a task must not.
  static Runner& of_waiting_task() {
    Runner& runner = of_current_task();
    runner.no_waiting_.check();
    runner.instruments_.check_not_telling();
    return runner;
  }

  // The task that calls; throws MisuseError outside of tasks.
  static TaskRecord& current_task() { return *of_current_task().running_; }

  static TaskRecord& waiting_task() { return *of_waiting_task().running_; }

  // The whole life of the run.
  void run(std::unique_ptr<Job> main);

  enum class Primed { no, idle, autojump };

  // The same in steps, as a guest of another loop: begin(), then pass_as_guest() until is_over(),
  // then end(). Between passes the thread's other code may do what it likes with the run.
  void begin(std::unique_ptr<Job> main);
  // A pass that does not sleep. `primed`: what is to happen if nothing has happened since the pass
  // before; then, what if nothing happens until the next. Returns how long the host may sleep until
  // then, unless the poller's descriptor becomes readable.
  Duration pass_as_guest(Primed& primed) noexcept;

  bool is_over() const noexcept { return living_ == 0; }

  // Throws what run() throws.
  void end();

  // Something has become due: a guest's host must not sleep on.
  void nudge_host() noexcept {
    if (host_has_thread_ && !entry_queue_->was_woken()) entry_queue_->wake();
  }

  // Adds a task, to run at the next pass. `nursery` is null for the first task only.
  TaskRecord& spawn(std::unique_ptr<Job> job, std::string name, Nursery* nursery,
                    Nursery* eventual_nursery);
  // Throws MisuseError when the run is ending and has no system task left.
  TaskRecord& spawn_system_task(std::unique_ptr<Job> job, std::string name);

  // The one function that parks: see lowlevel::wait_task_rescheduled.
  void wait_task_rescheduled(lowlevel::detail_abort::AbortRef abort);

  // Ends a task's park; it wakes to what its record says.
  void make_ready(TaskRecord& task) noexcept {
    task.parked = false;
    task.abort.call = nullptr;
    ready_.push_back(task);
    nudge_host();
    instruments_.tell(&Instrument::task_scheduled, task);
  }

  // Throws MisuseError if the task is of another run, or not parked.
  void reschedule(TaskRecord& task, std::exception_ptr error) {
    check_wakeable(task);
    task.wake_error = std::move(error);
    make_ready(task);
  }

  // Throws what reschedule() would.
  void check_wakeable(TaskRecord const& task) const {
    if (!task.scope->belongs_to(*this) || !task.parked) [[unlikely]]
      refuse_to_wake(task);
  }

  void checkpoint();

  void checkpoint_if_cancelled() {
    TaskRecord& task = *running_;
    if (cancel_would_reach(task)) [[unlikely]] {
      checkpoint();
    } else {
      ++task.counts.cancel_points;
      count_cancel_point();
    }
  }

  void cancel_shielded_checkpoint() noexcept;

  // Whether the running task, at a cancel point now, would throw.
  bool cancel_would_reach(TaskRecord const& task) const noexcept {
    int const uncaught = switcher_.uncaught_exceptions();
    return (task.scope_is_cancelled() && uncaught <= task.scope_uncaught) ||
           (interrupt_pending_for(task) && uncaught <= task.outermost_uncaught);
  }

  void wait_all_tasks_blocked(Duration cushion);
  // Parks the running task until `deadline`.
  void sleep_until(Time deadline);

  // Every task that lives, in order of birth: a task comes after the one whose nursery it is in.
  // A signal handler on the run's thread may walk it.
  List<TaskRecord, AnyTaskTag> const& tasks() const noexcept { return tasks_; }

  // Null while the loop itself runs.
  TaskRecord const* running() const noexcept { return running_; }

  bool in_task() const noexcept { return running_ != nullptr; }

  // A SIGINT is waiting for the main task.
  bool interrupt_pending_for(TaskRecord const& task) const noexcept {
    return &task == main_task_ && interrupt_.load(std::memory_order_relaxed);
  }

  void interrupt_was_raised() noexcept { interrupt_.store(false); }

  // As SIGINT does. Any thread, or a signal handler.
  void interrupt() noexcept {
    interrupt_.store(true);
    entry_queue_->wake();
  }

  // Calls `disturb` at the `ordinal`-th cancel point from now, whichever task comes to it.
  void disturb_at(std::uint64_t ordinal, std::function<void()> disturb) {
    disturb_countdown_ = ordinal;
    disturb_ = std::move(disturb);
  }

  Time now() { return clock_->current_time(); }

  DeadlineHeap& deadlines() noexcept { return deadlines_; }

  Poller& poller() noexcept { return poller_; }

  std::uint64_t polls() const noexcept { return polls_; }

  Switcher& switcher() noexcept { return switcher_; }

  ThreadCache& threads() noexcept { return threads_; }

  Instruments& instruments() noexcept { return instruments_; }

  // Odd while a task runs; grows with each step and each checkpoint. For other threads to look at.
  std::uint64_t pulse() const noexcept { return pulse_.load(std::memory_order_relaxed); }

  // Of the task that runs now; empty outside of tasks.
  std::string running_name() const { return running_ ? running_->name() : std::string(); }

  TaskRecord& init_task() noexcept { return *init_task_; }

  std::shared_ptr<lowlevel::detail_token::EntryQueue> const& entry_queue() const noexcept {
    return entry_queue_;
  }

  // The run's RunVars, by their addresses.
  std::unordered_map<void const*, std::shared_ptr<void>>& variables() noexcept {
    return variables_;
  }

  lowlevel::RunStatistics statistics() const;

 private:
  // A task in sleep_until, on its own stack.
  struct Sleeper : DeadlineEntry {
    Sleeper(TaskRecord& sleeping, DeadlineHeap& heap)
        : DeadlineEntry(Kind::sleeper), task(sleeping), deadlines(heap) {}

    Sleeper(Sleeper const&) = delete;
    Sleeper& operator=(Sleeper const&) = delete;

    ~Sleeper() { deadlines.remove(*this); }

    TaskRecord& task;
    DeadlineHeap& deadlines;
  };

  [[noreturn]] static void refuse_outside_run();
  [[noreturn]] static void refuse_outside_task();
  [[noreturn]] void refuse_to_wake(TaskRecord const& task) const;

  // What fibers do: runs the task of `fiber` to its end and says who is next: see Switcher.
  static Fiber* run_task(Fiber& fiber) noexcept;

  // Runs every task to its end. What stops it ends the process.
  void loop() noexcept;
  // The first task: the nest of nurseries that every other task lives in.
  void init(std::unique_ptr<Job> main);
  void serve_entry_queue();
  // Where system tasks live; null when it takes no more.
  Nursery* open_system_nursery() const noexcept;
  void wait_for_entries();

  // What the loop calls on its way to a switch, and a checkpoint on its: see switching.hpp.
  [[gnu::always_inline]] inline void pass();
  [[gnu::always_inline]] inline void finish_pass(Primed primed, std::size_t events);
  [[gnu::always_inline]] inline void run_batch();
  void shuffle_batch();
  [[gnu::always_inline]] inline void step(TaskRecord& task);
  [[gnu::always_inline]] inline void let_others_run(TaskRecord& task) noexcept;
  // The one way out of a running task: to the next that is ready, or to the loop.
  [[gnu::always_inline]] inline void leave(TaskRecord& task) noexcept;
  // Whose turn it is; null if the loop must look after other things first.
  [[gnu::always_inline]] inline Fiber* next_fiber() noexcept;
  [[gnu::always_inline]] inline bool begin_batch() noexcept;
  // How long the next pass may sleep, and what is to happen if nothing wakes it.
  Duration may_sleep(Primed& primed);
  std::size_t poll(Duration timeout);

  void beat(std::uint64_t by) noexcept {
    pulse_.store(pulse_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  bool poll_is_due();
  std::int64_t look_at_clock() noexcept;
  bool expire_deadlines();
  void wake_idle_waiters();
  void task_exited(TaskRecord& task);
  // Whether that may be called on the stack of the task: it then runs none of its user's code.
  bool may_exit_on_own_stack(TaskRecord const& task) const noexcept;
  void deliver_interrupt();

  void count_cancel_point() {
    if (disturb_countdown_ != 0 && --disturb_countdown_ == 0) [[unlikely]]
      std::exchange(disturb_, nullptr)();
  }

  // Nothing else wants to run and nothing can have become due.
  bool may_skip_switch();

  // The constinit spares those who look a call that would initialise it.
  static constinit thread_local Runner* of_this_thread_;

  RunOptions const options_;
  std::unordered_map<void const*, std::shared_ptr<void>> variables_;
  Clock* clock_;
  std::unique_ptr<Clock> own_clock_;
  Switcher switcher_;
  std::shared_ptr<lowlevel::detail_token::EntryQueue> entry_queue_;
  Poller poller_;
  ThreadCache threads_;
  DeadlineHeap deadlines_;
  CancelScope root_scope_;
  std::mt19937_64 random_;

  NoWaiting const no_waiting_;
  Instruments instruments_;

  // Ready for the next pass; and the tasks of this one that are still to run.
  TaskQueue ready_;
  TaskChain batch_;
  TaskRecord* running_ = nullptr;
  List<TaskRecord, AnyTaskTag> tasks_;
  std::size_t living_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t polls_ = 0;
  std::atomic<std::uint64_t> pulse_ = 0;
  std::uint64_t steps_since_poll_ = 0;
  std::int64_t last_poll_tick_ = 0;
  // What the kernel's coarse clock said when it was last looked at, and how many passes ago.
  std::int64_t tick_ = 0;
  std::uint64_t passes_since_tick_ = 0;

  // A guest, whose host wants a turn at every checkpoint; and it has one now, between two passes.
  bool is_guest_ = false;
  bool host_has_thread_ = false;

  // By cushion, then by arrival; each takes itself out.
  std::multimap<Duration, TaskRecord*> idle_waiters_;

  TaskRecord* init_task_ = nullptr;
  TaskRecord* main_task_ = nullptr;
  Nursery* system_nursery_ = nullptr;
  // The nursery that outlives the system nursery.
  Nursery* entry_nursery_ = nullptr;
  // The system task that serves entry_queue_, while it waits for work.
  TaskRecord* entry_waiter_ = nullptr;
  std::exception_ptr init_error_;
  std::exception_ptr main_error_;

  std::atomic<bool> interrupt_ = false;
  std::uint64_t disturb_countdown_ = 0;
  std::function<void()> disturb_;
};

}  // namespace trio::detail
