// SPDX-License-Identifier: BSL-1.0
#include "terminate.hpp"

#include "runner.hpp"

#include <trio/cancelled.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace trio::detail {

namespace {

std::terminate_handler previous = nullptr;

template <class T> bool holds(std::exception_ptr const& error) {
  auto const* group = exception_cast<BaseExceptionGroup>(error);
  return group ? group->find<T>() != nullptr : exception_cast<T>(error) != nullptr;
}

void on_terminate() {
  auto const error = std::current_exception();
  bool const cancelled = error && holds<Cancelled>(error);
  if (cancelled || (error && holds<Interrupted>(error))) {
    Runner const* runner = Runner::of_this_thread();
    std::fprintf(stderr,
                 "trio: %s could not leave a function that is noexcept, or a destructor, in task "
                 "'%s': what waits there must be in trio::shielded, and bounded by "
                 "trio::move_on_after\n",
                 cancelled ? "a cancellation" : "an interrupt",
                 runner ? runner->running_name().c_str() : "");
  }
  if (previous) previous();
  std::abort();
}

}  // namespace

void report_terminations() {
  static bool const installed = [] {
    previous = std::set_terminate(on_terminate);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace trio::detail
