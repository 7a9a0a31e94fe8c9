// SPDX-License-Identifier: BSL-1.0
#include "fiber.hpp"

#include "make_room.hpp"
#include "runner.hpp"
#include "switching.hpp"
#include "task_record.hpp"

#include <trio/errors.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string_view>
#include <utility>

#include <boost/fiber/algo/round_robin.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/scheduler.hpp>
#include <boost/version.hpp>
#include <cxxabi.h>
#include <signal.h>
#include <unistd.h>

static_assert(BOOST_VERSION >= 108100, "trio needs Boost 1.81 or newer");
#if !defined(__GLIBCXX__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "trio knows the layout of the exception state only for libstdc++ on x86-64 and aarch64"
#endif

namespace trio::detail {

namespace {

ExceptionState* exception_state() noexcept {
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

void write_all(std::initializer_list<std::string_view> parts) noexcept {
  for (std::string_view part : parts) {
    if (write(STDERR_FILENO, part.data(), part.size()) < 0) return;
  }
}

}  // namespace

// Stands in for Boost.Fiber's scheduling while a run owns the thread.
class NoScheduling final : public boost::fibers::algo::algorithm {
 public:
  void awakened(boost::fibers::context* context) noexcept override { context->ready_link(ready_); }

  // From here on, gives what is ready to the algorithm that takes over.
  void retire() noexcept { retired_ = true; }

  boost::fibers::context* pick_next() noexcept override {
    if (retired_) {
      boost::fibers::context* next = &ready_.front();
      ready_.pop_front();
      return next;
    }
    write_all(
        {"trio: a Boost.Fiber primitive (mutex, condition variable, channel, future, sleep or "
         "yield) was used in a task; nothing could cancel it. Use trio's own instead.\n"});
    std::abort();
  }

  bool has_ready_fibers() const noexcept override { return !ready_.empty(); }

  void suspend_until(std::chrono::steady_clock::time_point const&) noexcept override {}

  void notify() noexcept override {}

 private:
  // Fibers of Boost's that were ready before the run or became so during it, and Boost's own
  // housekeeping context: they run when we are gone.
  boost::fibers::scheduler::ready_queue_type ready_;
  bool retired_ = false;
};

namespace {

// Boost keeps to itself where it saves a fiber's state. An explicit instantiation may name
// private members, and so hand out the way to them.
template <auto Member, class Key> struct Reach {
  friend constexpr auto reach(Key) { return Member; }
};

struct ContextKey {
  friend constexpr auto reach(ContextKey);
};

struct RegistersKey {
  friend constexpr auto reach(RegistersKey);
};

template struct Reach<&boost::fibers::context::c_, ContextKey>;
template struct Reach<&boost::context::fiber::fctx_, RegistersKey>;

void* const* saved_context_of(boost::fibers::context& context) noexcept {
  return &((context.*reach(ContextKey())).*reach(RegistersKey()));
}

// Hands Boost the stack that we made.
struct GivenStack {
  Stack stack;

  boost::context::stack_context allocate() const noexcept {
    boost::context::stack_context context;
    context.sp = stack.top();
    context.size = stack.size;
    return context;
  }

  void deallocate(boost::context::stack_context&) const noexcept {}
};

}  // namespace

// std::exit in a task destroys Boost.Fiber's thread-local state, which would wait for the parked
// fibers for ever, and takes the fiber that runs for the thread's main context. Made later than
// that state, this goes first.
struct ExitGuard {
  Switcher* switcher = nullptr;

  ~ExitGuard() {
    if (switcher) switcher->leave_thread();
  }
};

namespace {

thread_local ExitGuard exit_guard;

}  // namespace

Switcher::Switcher(std::size_t stack_size, std::size_t max_guarded_stacks, RunTask run_task)
    : arena_(stack_size, max_guarded_stacks),
      run_task_(run_task),
      exceptions_(exception_state()),
      errno_(&errno),
      loop_(boost::fibers::context::active()) {
  if (!loop_->is_context(boost::fibers::type::main_context))
    throw MisuseError("trio::run: called inside a Boost.Fiber fiber; call it on the thread itself");
  loop_side_.tsan_fiber = sanitizer::current_thread_side();
  no_scheduling_ = new NoScheduling;
  loop_->get_scheduler()->set_algo(no_scheduling_);
  exit_guard.switcher = this;
}

Switcher::~Switcher() {
  exit_guard.switcher = nullptr;
  give_thread_back();
  for (auto& fiber : fibers_) sanitizer::destroy_side(fiber->side);
}

void Switcher::leave_thread() noexcept {
  if (running_) {
    exiting_ = running_;
    park(*running_, nullptr);
  }
  give_thread_back();
}

void Switcher::give_thread_back() noexcept {
  // A pool fiber is parked for good: nothing of it needs destroying, so it is never run again;
  // its memory goes with the arena.
  for (auto& fiber : fibers_) fiber->context->detach();
  no_scheduling_->retire();
  loop_->get_scheduler()->set_algo(new boost::fibers::algo::round_robin);
}

Fiber& Switcher::acquire(TaskRecord& task) {
  if (pool_.empty()) {
    // Boost keeps the context from when it is attached: nothing may fail after that.
    make_room(fibers_);
    pool_.reserve(fibers_.capacity());
    auto fiber = std::make_unique<Fiber>();
    fiber->stack = arena_.make();
    fiber->side = sanitizer::make_side(fiber->stack.bottom, fiber->stack.size);
    Fiber* raw = fiber.get();
    auto context = boost::fibers::make_worker_context(
        boost::fibers::launch::post, GivenStack{fiber->stack}, [this, raw] { work(*raw); });
    loop_->attach(context.get());
    raw->context = context.detach();
    raw->saved_context = saved_context_of(*raw->context);
    fibers_.push_back(std::move(fiber));
    raw->task = &task;
    return *raw;
  }
  return *acquire_from_pool(task);
}

Fiber* Switcher::acquire_from_pool(TaskRecord& task) noexcept {
  if (pool_.empty()) return nullptr;
  Fiber* const fiber = pool_.back();
  pool_.pop_back();
  fiber->task = &task;
  return fiber;
}

void Switcher::release(Fiber& fiber) noexcept {
  fiber.task = nullptr;
  pool_.push_back(&fiber);
}

void Switcher::end_by_overflow(Fiber const& fiber) noexcept {
  write_all({"trio: stack overflow in task '", fiber.task->raw_name(),
             "'; raise RunOptions::stack_size\n"});
  std::abort();
}

// Boost.Fiber takes the main context to be running from here on; that it does so on the stack of
// `fiber`, where the process is being ended, it need not know.
void Switcher::continue_as_main(Fiber& fiber) noexcept {
  // The run, which is never left, is still there.
  sanitizer::stack_mapped(loop_side_.bottom, loop_side_.size);
  sanitizer::leave(loop_side_, fiber.side);
  static_cast<void>(
      std::move((*fiber.context).*reach(ContextKey()))
          .resume_with([](boost::context::fiber&& main_stack) {
            // Nobody comes back to it: it must not be unwound either.
            alignas(
                boost::context::fiber) static std::array<std::byte, sizeof(boost::context::fiber)>
                for_ever;
            new (for_ever.data()) boost::context::fiber(std::move(main_stack));
            return boost::context::fiber();
          }));
  std::abort();
}

void Switcher::work(Fiber& fiber) noexcept {
  sanitizer::arrive_first(loop_side_);
  for (;;) {
    Fiber* const next = run_task_(fiber);
    if (next != &fiber) park(fiber, next);
  }
}

namespace {

struct sigaction previous_segv_action;

void on_segv(int signal, siginfo_t* info, void* context) {
  Runner* runner = Runner::of_this_thread();
  Fiber* fiber = runner ? runner->switcher().running() : nullptr;
  // With a canary, the crash may come anywhere, from what the overflow has overwritten.
  if (fiber && fiber->task &&
      (fiber->stack.is_guard(info->si_addr) || canary_is_broken(fiber->stack))) {
    std::array<char, 32> size{};
    std::snprintf(size.data(), size.size(), "%zu KiB", fiber->stack.size / 1024);
    write_all({"trio: stack overflow in task '", fiber->task->raw_name(), "' (stack of ",
               size.data(), "; raise RunOptions::stack_size)\n"});
  }
  // Somebody sent it: there is no instruction that would fail again.
  bool const sent = info->si_code <= 0;
  if (previous_segv_action.sa_flags & SA_SIGINFO) {
    previous_segv_action.sa_sigaction(signal, info, context);
  } else if (previous_segv_action.sa_handler == SIG_IGN && sent) {
    return;
  } else if (previous_segv_action.sa_handler == SIG_DFL ||
             previous_segv_action.sa_handler == SIG_IGN) {
    // Returning runs the instruction again, which then ends the process.
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    sigaction(SIGSEGV, &fatal, nullptr);
    if (sent) raise(SIGSEGV);
  } else {
    previous_segv_action.sa_handler(signal);
  }
}

// The stack on which a handler runs when the thread's current one has overflowed.
class AlternateStack {
 public:
  AlternateStack() {
    stack_t present = {};
    sigaltstack(nullptr, &present);
    if (!(present.ss_flags & SS_DISABLE)) return;
    memory_ = std::make_unique<std::byte[]>(size);
    stack_t ours = {};
    ours.ss_sp = memory_.get();
    ours.ss_size = size;
    sigaltstack(&ours, nullptr);
  }

  ~AlternateStack() {
    if (!memory_) return;
    stack_t off = {};
    off.ss_flags = SS_DISABLE;
    sigaltstack(&off, nullptr);
  }

 private:
  static constexpr std::size_t size = 64 * 1024;
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace

void report_stack_overflows() {
  static bool const installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = on_segv;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &previous_segv_action);
    return true;
  }();
  static_cast<void>(installed);
}

void prepare_thread_for_overflow_reports() {
  thread_local AlternateStack const alternate_stack;
  static_cast<void>(alternate_stack);
}

}  // namespace trio::detail
