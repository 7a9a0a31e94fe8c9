// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"
#include "thread_call.hpp"

#include <trio/capacity_limiter.hpp>
#include <trio/detail/keep_frame.hpp>
#include <trio/run_var.hpp>
#include <trio/to_thread.hpp>

namespace trio::to_thread {

namespace {

constexpr std::size_t default_threads = 40;

lowlevel::RunVar<CapacityLimiter> const default_limiter;

}  // namespace

CapacityLimiter& current_default_thread_limiter() {
  if (!default_limiter.get())
    default_limiter.set(std::make_shared<CapacityLimiter>(default_threads));
  return *default_limiter.get();
}

void detail_thread::run(Options const& options, std::unique_ptr<detail::Job> job) {
  detail::Runner& runner = detail::Runner::of_current_task();
  CapacityLimiter& limiter = options.limiter ? *options.limiter : current_default_thread_limiter();
  auto const call =
      std::make_shared<detail::ThreadCall>(std::move(job), limiter, options.abandon_on_cancel);
  limiter.acquire_on_behalf_of(call.get());
  try {
    runner.threads().start(call);
  } catch (...) {
    limiter.release_on_behalf_of(call.get());
    throw;
  }
  call->wait();
  detail::keep_frame();
}

}  // namespace trio::to_thread
