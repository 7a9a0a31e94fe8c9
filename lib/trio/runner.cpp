// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include "sigint.hpp"
#include "switching.hpp"
#include "terminate.hpp"

#include <trio/detail/guarded.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <stdexcept>

#include <time.h>

namespace trio {
std::unique_ptr<Clock> make_system_clock();
}  // namespace trio

namespace trio::detail {

namespace {

constexpr std::chrono::nanoseconds longest_sleep = std::chrono::hours(24);
// While tasks are ready, epoll is asked after this many steps or when the kernel's coarse clock has
// moved on (1 to 4 ms), whichever comes first: asking costs as much as several switches.
constexpr std::uint64_t steps_between_polls = 256;
// While it does not poll, the clock by which tasks are stamped when they park is looked at this
// seldom: that costs as much as two steps.
constexpr std::uint64_t passes_between_looks = 64;

}  // namespace

std::int64_t coarse_tick() noexcept {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

constinit thread_local Runner* Runner::of_this_thread_ = nullptr;

void Runner::refuse_outside_run() {
  throw MisuseError("trio: this must be called inside trio::run");
}

void Runner::refuse_outside_task() {
  throw MisuseError("trio: this must be called from a task, inside trio::run");
}

Runner::Runner(RunOptions const& options)
    : options_(options),
      clock_(options.clock),
      own_clock_(clock_ ? nullptr : make_system_clock()),
      switcher_(options.stack_size, options.max_guarded_stacks, run_task),
      entry_queue_(std::make_shared<lowlevel::detail_token::EntryQueue>()),
      poller_(entry_queue_->wake_descriptor()),
      threads_(options.idle_threads_end_after),
      random_(options.shuffle_seed.value_or(0)),
      instruments_(options.instruments) {
  if (!clock_) clock_ = own_clock_.get();
  report_terminations();
  if (options_.report_stack_overflows) {
    report_stack_overflows();
    prepare_thread_for_overflow_reports();
  }
  root_scope_.open_as_root(*this);
  look_at_clock();
  // Last: if anything throws before, no destructor takes it back.
  of_this_thread_ = this;
}

Runner::~Runner() {
  entry_queue_->close();
  of_this_thread_ = nullptr;
}

void Runner::run(std::unique_ptr<Job> main) {
  {
    SigintHandler const sigint(*this, options_.sigint);
    begin(std::move(main));
    loop();
  }
  end();
}

void Runner::begin(std::unique_ptr<Job> main) {
  instruments_.tell(&Instrument::before_run);
  auto first = [this, main = std::move(main)]() mutable { init(std::move(main)); };
  init_task_ = &spawn(make_job(std::move(first)), "<init>", nullptr, nullptr);
}

void Runner::end() {
  instruments_.tell(&Instrument::after_run);
  if (init_error_)
    throw TrioInternalError("trio: a system task of the run failed: " + describe(init_error_),
                            init_error_);
  if (interrupt_.exchange(false)) throw Interrupted();
  if (main_error_) std::rethrow_exception(main_error_);
}

namespace {

// Of what the run loop throws. The tasks' stacks cannot be unwound from here, and hold references
// into each other.
[[noreturn]] void end_process() noexcept {
  std::fprintf(stderr, "trio: the run loop failed; no task can go on: %s\n",
               describe(std::current_exception()).c_str());
  std::abort();
}

}  // namespace

void Runner::loop() noexcept {
  try {
    while (!is_over()) pass();
  } catch (...) {
    end_process();
  }
}

Duration Runner::pass_as_guest(Primed& primed) noexcept {
  try {
    is_guest_ = true;
    host_has_thread_ = false;
    finish_pass(primed, poll(std::chrono::nanoseconds(0)));
    host_has_thread_ = true;
    return may_sleep(primed);
  } catch (...) {
    end_process();
  }
}

void Runner::init(std::unique_ptr<Job> main) {
  open_nursery([&](Nursery& entry) {
    entry_nursery_ = &entry;
    open_nursery([&](Nursery& system) {
      system_nursery_ = &system;
      open_nursery([&](Nursery& nursery) {
        main_task_ = &spawn(std::move(main), {}, &nursery, nullptr);
        spawn(make_job([this] { serve_entry_queue(); }), "<TrioToken::run_sync_soon>", &entry,
              nullptr);
      });
      system.cancel_scope().cancel(CancelReason{CancelSource::shutdown, {}, "the main task ended"});
    });
    system_nursery_ = nullptr;
    entry.cancel_scope().cancel(CancelReason{CancelSource::shutdown, {}, "the run is ending"});
  });
}

void Runner::serve_entry_queue() {
  auto const failed = [this](std::exception_ptr error) {
    Nursery* nursery = open_system_nursery() ? system_nursery_ : entry_nursery_;
    spawn(make_job([error] { std::rethrow_exception(error); }), "<failed run_sync_soon>", nursery,
          nullptr);
  };
  try {
    for (;;) {
      entry_queue_->run_queued(failed);
      if (entry_queue_->size() > 0)
        checkpoint();
      else
        wait_for_entries();
    }
  } catch (Cancelled const&) {
    entry_queue_->close();
    while (entry_queue_->size() > 0) entry_queue_->run_queued(failed);
    throw;
  }
}

void Runner::wait_for_entries() {
  entry_waiter_ = running_;
  lowlevel::wait_task_rescheduled([this](lowlevel::RaiseCancel const&) {
    entry_waiter_ = nullptr;
    return lowlevel::Abort::succeeded;
  });
}

TaskRecord& Runner::spawn(std::unique_ptr<Job> job, std::string name, Nursery* nursery,
                          Nursery* eventual_nursery) {
  auto task = std::make_unique<TaskRecord>(std::move(job), std::move(name));
  if (running_) task->locals = running_->locals;
  TaskRecord& record = *task.release();
  ready_.push_back(record);
  record.eventual_nursery = eventual_nursery;
  ++living_;
  if (nursery) {
    record.nursery = nursery;
    nursery->children_.push_back(record);
    ++nursery->child_count_;
  }
  record.enter_scope(nursery ? nursery->scope_ : root_scope_);
  tasks_.push_back(record);
  nudge_host();
  instruments_.tell(&Instrument::task_spawned, record);
  instruments_.tell(&Instrument::task_scheduled, record);
  return record;
}

TaskRecord& Runner::spawn_system_task(std::unique_ptr<Job> job, std::string name) {
  Nursery* nursery = open_system_nursery();
  if (!nursery) throw MisuseError("trio: the run is ending; no system task can be started");
  return spawn(std::move(job), std::move(name), nursery, nullptr);
}

Nursery* Runner::open_system_nursery() const noexcept {
  return system_nursery_ && !system_nursery_->closed_ ? system_nursery_ : nullptr;
}

// As pass() does where there is nothing to be done between two batches.
bool Runner::begin_batch() noexcept {
  if (ready_.empty() || is_guest_ || options_.shuffle_seed) return false;
  if (entry_queue_->was_woken() || interrupt_.load(std::memory_order_relaxed)) return false;
  if (!deadlines_.empty() && deadlines_.next() <= now()) return false;
  if (poll_is_due()) return false;
  if (++passes_since_tick_ >= passes_between_looks) look_at_clock();
  batch_ = ready_.take();
  return true;
}

Fiber* Runner::next_fiber() noexcept {
  if (!instruments_.empty()) return nullptr;
  if (batch_.empty() && !begin_batch()) return nullptr;
  TaskRecord& next = batch_.front();
  // A new one is made by the loop.
  if (!next.fiber && !(next.fiber = switcher_.acquire_from_pool(next))) return nullptr;
  batch_.pop_front();
  ++steps_;
  ++steps_since_poll_;
  beat(2);
  running_ = &next;
  return next.fiber;
}

void Runner::leave(TaskRecord& task) noexcept {
  Fiber* const next = next_fiber();
  // It may be its own turn again: if all others wait, or if it was woken before it parked.
  if (next != task.fiber) switcher_.park(*task.fiber, next);
}

Fiber* Runner::run_task(Fiber& fiber) noexcept {
  TaskRecord& task = *fiber.task;
  task.error = caught_from<trio_guarded_task>([&] { task.job->run(); });
  // On the task's own stack, and shielded as in unwinding: destructors of its arguments and locals
  // may park, and must not throw.
  task.scope_uncaught = task.outermost_uncaught = -1;
  task.job.reset();
  task.locals.reset();
  task.finished = true;
  Runner& runner = *of_this_thread_;
  if (!runner.may_exit_on_own_stack(task)) return nullptr;
  runner.running_ = nullptr;
  try {
    runner.task_exited(task);
  } catch (...) {
    end_process();
  }
  return runner.next_fiber();
}

bool Runner::may_exit_on_own_stack(TaskRecord const& task) const noexcept {
  return !task.error && task.breakers.empty() && &task != main_task_ && task.nursery &&
         instruments_.empty() && !task.fiber->stack.canary;
}

void Runner::task_exited(TaskRecord& task) {
  std::unique_ptr<TaskRecord> const owner(&task);
  instruments_.tell(&Instrument::task_exited, task);
  // Before anything of it goes.
  task.Hook<AnyTaskTag>::unlink();
  if (task.fiber) switcher_.release(*task.fiber);
  while (!task.breakers.empty()) {
    lowlevel::ParkingLot& lot = *task.breakers.back();
    lowlevel::remove_parking_lot_breaker(task, lot);
    lot.break_lot();
  }
  --living_;
  std::exception_ptr error = std::move(task.error);
  if (&task == main_task_) {
    main_error_ = std::move(error);
    error = nullptr;
    main_task_ = nullptr;
  }
  if (task.nursery)
    task.nursery->child_finished(task, std::move(error));
  else
    init_error_ = std::move(error);
}

void Runner::pass() {
  Primed primed = Primed::no;
  std::size_t events = 0;
  if (ready_.empty() || entry_queue_->was_woken() || poll_is_due())
    events = poll(may_sleep(primed));
  else if (++passes_since_tick_ >= passes_between_looks)
    look_at_clock();
  finish_pass(primed, events);
}

void Runner::finish_pass(Primed primed, std::size_t events) {
  // Only now: poll() has swallowed what would have ended the next one.
  bool const woken = entry_queue_->take_wake();
  if (woken && entry_waiter_) reschedule(*std::exchange(entry_waiter_, nullptr), nullptr);
  if (expire_deadlines()) primed = Primed::no;
  if (interrupt_.load(std::memory_order_relaxed)) deliver_interrupt();
  if (primed != Primed::no && ready_.empty() && events == 0 && !woken) {
    if (primed == Primed::idle) {
      wake_idle_waiters();
    } else {
      Duration const ahead = between(now(), deadlines_.next());
      if (ahead > std::chrono::nanoseconds(0)) clock_->autojump(ahead);
    }
  }
  run_batch();
}

bool Runner::poll_is_due() {
  if (options_.poll_every_pass) return true;
  if (poller_.waiters() == 0) return false;
  return steps_since_poll_ >= steps_between_polls || look_at_clock() != last_poll_tick_;
}

std::int64_t Runner::look_at_clock() noexcept {
  passes_since_tick_ = 0;
  tick_ = coarse_tick();
  return tick_;
}

Duration Runner::may_sleep(Primed& primed) {
  primed = Primed::no;
  if (!ready_.empty() || poller_.has_to_notify()) return std::chrono::nanoseconds(0);
  Duration timeout = longest_sleep;
  if (!deadlines_.empty()) timeout = std::min(clock_->real_time_until(deadlines_.next()), timeout);
  if (!idle_waiters_.empty()) {
    if (Duration const cushion = idle_waiters_.begin()->first; cushion < timeout) {
      timeout = cushion;
      primed = Primed::idle;
    }
  } else if (!deadlines_.empty() && clock_->autojump_threshold() < timeout) {
    timeout = clock_->autojump_threshold();
    primed = Primed::autojump;
  }
  // A user's clock may say anything.
  return std::max(timeout, Duration(std::chrono::nanoseconds(0)));
}

std::size_t Runner::poll(Duration timeout) {
  ++polls_;
  instruments_.tell(&Instrument::before_io_wait, timeout);
  std::size_t const events = poller_.poll(timeout);
  instruments_.tell(&Instrument::after_io_wait, timeout);
  steps_since_poll_ = 0;
  last_poll_tick_ = look_at_clock();
  return events;
}

bool Runner::expire_deadlines() {
  if (deadlines_.empty()) return false;
  Time const present = now();
  bool expired_any = false;
  // A scope whose deadline has passed wins over a sleep inside it that is due as well, whichever
  // was due first: so sleepers wake only when all scopes have been cancelled.
  std::vector<Sleeper*> awake;
  while (!deadlines_.empty() && deadlines_.next() <= present) {
    expired_any = true;
    DeadlineEntry& due = deadlines_.front();
    if (due.kind == DeadlineEntry::Kind::scope) {
      static_cast<CancelScope&>(due).cancel(CancelReason{CancelSource::deadline, {}, {}});
    } else {
      deadlines_.remove(due);
      awake.push_back(&static_cast<Sleeper&>(due));
    }
  }
  for (Sleeper* sleeper : awake)
    if (sleeper->task.parked) reschedule(sleeper->task, nullptr);
  return expired_any;
}

void Runner::sleep_until(Time deadline) {
  Sleeper sleeper(*running_, deadlines_);
  deadlines_.insert(sleeper, deadline);
  lowlevel::wait_task_rescheduled([&](lowlevel::RaiseCancel const&) {
    deadlines_.remove(sleeper);
    return lowlevel::Abort::succeeded;
  });
  if (sleeper.heap_position != DeadlineEntry::not_in_heap)
    throw MisuseError("trio: a sleeping task was rescheduled by hand");
}

void Runner::wake_idle_waiters() {
  auto const [first, last] = idle_waiters_.equal_range(idle_waiters_.begin()->first);
  for (auto waiter = first; waiter != last; ++waiter) reschedule(*waiter->second, nullptr);
}

void Runner::run_batch() {
  batch_ = ready_.take();
  if (options_.shuffle_seed) shuffle_batch();
  while (!batch_.empty()) step(batch_.pop_front());
}

void Runner::shuffle_batch() {
  std::vector<TaskRecord*> tasks;
  while (!batch_.empty()) tasks.push_back(&batch_.pop_front());
  std::ranges::shuffle(tasks, random_);
  TaskQueue shuffled;
  for (TaskRecord* task : tasks) shuffled.push_back(*task);
  batch_ = shuffled.take();
}

void Runner::step(TaskRecord& task) {
  ++steps_;
  ++steps_since_poll_;
  if (!task.fiber) {
    try {
      task.fiber = &switcher_.acquire(task);
    } catch (...) {
      task.error = std::current_exception();
      task.job.reset();
      task_exited(task);
      return;
    }
  }
  running_ = &task;
  beat(1);
  instruments_.tell(&Instrument::before_task_step, task);
  switcher_.step(*task.fiber);
  // Another, if they have switched among themselves; null, if the last of them has ended.
  TaskRecord* const last = running_;
  if (last) instruments_.tell(&Instrument::after_task_step, *last);
  beat(1);
  running_ = nullptr;
  if (last && last->finished) task_exited(*last);
}

void Runner::refuse_to_wake(TaskRecord const& task) const {
  if (!task.scope->belongs_to(*this))
    throw MisuseError(
        "trio: the task to be woken belongs to a run of another thread; ask that run with "
        "TrioToken::run_sync_soon");
  throw MisuseError(
      "trio: reschedule: the task is not parked in wait_task_rescheduled, or was "
      "rescheduled already");
}

void Runner::wait_task_rescheduled(lowlevel::detail_abort::AbortRef abort) {
  TaskRecord& task = *running_;
  ++task.counts.schedule_points;
  ++task.counts.cancel_points;
  task.parked = true;
  task.parked_since = tick_;
  task.abort = abort;
  task.parked_uncaught = switcher_.uncaught_exceptions();
  // Whatever cancels from here on finds the task parked: abort functions of others may wake it.
  count_cancel_point();
  if (interrupt_pending_for(task)) deliver_interrupt();
  task.deliver_pending_cancel();
  leave(task);
  if (task.wake_cancel) {
    lowlevel::RaiseCancel const raise = std::move(*task.wake_cancel);
    task.wake_cancel.reset();
    raise();
  }
  if (task.wake_error) std::rethrow_exception(std::exchange(task.wake_error, nullptr));
}

bool Runner::may_skip_switch() {
  if (!ready_.empty() || !batch_.empty() || is_guest_ || !instruments_.empty()) return false;
  if (!idle_waiters_.empty() || entry_queue_->was_woken() ||
      interrupt_.load(std::memory_order_relaxed))
    return false;
  if (!deadlines_.empty() && deadlines_.next() <= now()) return false;
  ++steps_since_poll_;
  if (poll_is_due()) return false;
  beat(2);
  return true;
}

void Runner::let_others_run(TaskRecord& task) noexcept {
  ++task.counts.schedule_points;
  if (may_skip_switch()) return;
  ready_.push_back(task);
  instruments_.tell(&Instrument::task_scheduled, task);
  leave(task);
}

void Runner::cancel_shielded_checkpoint() noexcept { let_others_run(*running_); }

void Runner::checkpoint() {
  TaskRecord& task = *running_;
  let_others_run(task);
  count_cancel_point();
  ++task.counts.cancel_points;
  if (!cancel_would_reach(task)) return;
  lowlevel::wait_task_rescheduled(
      [](lowlevel::RaiseCancel const&) { return lowlevel::Abort::succeeded; });
}

void Runner::deliver_interrupt() {
  if (main_task_ && main_task_->parked_uncaught <= main_task_->outermost_uncaught)
    main_task_->try_abort(lowlevel::RaiseCancel(nullptr));
}

void Runner::wait_all_tasks_blocked(Duration cushion) {
  struct Waiter {
    Runner& runner;
    std::multimap<Duration, TaskRecord*>::iterator self;

    ~Waiter() { runner.idle_waiters_.erase(self); }
  };

  if (cushion < std::chrono::nanoseconds(0))
    throw std::invalid_argument("trio: wait_all_tasks_blocked: the cushion must not be negative");
  Waiter const waiter{*this, idle_waiters_.emplace(cushion, running_)};

  lowlevel::wait_task_rescheduled(
      [](lowlevel::RaiseCancel const&) { return lowlevel::Abort::succeeded; });
}

lowlevel::RunStatistics Runner::statistics() const {
  lowlevel::RunStatistics statistics;
  statistics.tasks_living = living_;
  statistics.tasks_runnable = ready_.size() + batch_.size();
  statistics.deadlines = deadlines_.size();
  if (!deadlines_.empty())
    statistics.until_next_deadline = between(clock_->current_time(), deadlines_.next());
  statistics.run_sync_soon_queue = entry_queue_->size();
  statistics.steps = steps_;
  statistics.polls = polls_;
  statistics.stacks = switcher_.fibers_made();
  statistics.threads = threads_.size();
  statistics.tasks_waiting_for_descriptors = poller_.waiters();
  return statistics;
}

void run(RunOptions const& options, std::unique_ptr<Job> main) {
  if (Runner::of_this_thread())
    throw MisuseError(
        "trio::run: this thread is already inside trio::run; call your function "
        "directly, or start it in a nursery");
  Runner runner(options);
  runner.run(std::move(main));
}

}  // namespace trio::detail
