// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/detail/keep_frame.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

namespace trio::lowlevel {

using detail::Poller;
using detail::Runner;

namespace detail_abort {
void wait(AbortRef abort) { Runner::of_waiting_task().wait_task_rescheduled(abort); }
}  // namespace detail_abort

void detail_wake::check(Task& task) {
  Runner::current().check_wakeable(static_cast<detail::TaskRecord&>(task));
}

void detail_wake::wake(Task& task) noexcept {
  Runner::of_this_thread()->make_ready(static_cast<detail::TaskRecord&>(task));
}

void reschedule(Task& task, std::exception_ptr error) {
  Runner::current().reschedule(static_cast<detail::TaskRecord&>(task), std::move(error));
}

Task& current_task() { return Runner::current_task(); }

Task& current_root_task() { return Runner::current().init_task(); }

bool in_task() noexcept {
  Runner* runner = Runner::of_this_thread();
  return runner && runner->in_task();
}

void checkpoint() { Runner::of_waiting_task().checkpoint(); }

void checkpoint_if_cancelled() { Runner::of_waiting_task().checkpoint_if_cancelled(); }

void cancel_shielded_checkpoint() { Runner::of_waiting_task().cancel_shielded_checkpoint(); }

Task& detail_system::spawn(std::unique_ptr<detail::Job> job, std::string name) {
  return Runner::current().spawn_system_task(std::move(job), std::move(name));
}

RunStatistics current_statistics() { return Runner::current().statistics(); }

CheckpointCounts current_checkpoint_counts() { return Runner::current_task().counts; }

void TrioToken::run_sync_soon(std::function<void()> fn, void const* idempotent) const {
  queue_->push(std::move(fn), idempotent);
}

void TrioToken::wake() const noexcept { queue_->wake(); }

TrioToken current_trio_token() { return TrioToken(Runner::current().entry_queue()); }

void wait_readable(int fd) {
  checkpoint_if_cancelled();
  Runner::current().poller().wait(fd, Poller::Direction::read);
  detail::keep_frame();
}

void wait_writable(int fd) {
  checkpoint_if_cancelled();
  Runner::current().poller().wait(fd, Poller::Direction::write);
  detail::keep_frame();
}

void notify_closing(int fd) {
  if (Runner* runner = Runner::of_this_thread()) runner->poller().notify_closing(fd);
}

void notify_readable(int fd) { Runner::current().poller().notify_readable(fd); }

void notify_readable_soon(int fd) { Runner::current().poller().notify_readable_soon(fd); }

std::uint64_t looks_for_input() { return Runner::current().polls(); }

}  // namespace trio::lowlevel
