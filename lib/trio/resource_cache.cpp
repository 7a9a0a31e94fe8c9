// SPDX-License-Identifier: BSL-1.0
#include "if_never_run.hpp"

#include <trio/errors.hpp>
#include <trio/resource_cache.hpp>
#include <trio/teardown.hpp>

#include <exception>
#include <utility>

namespace trio::detail {

void CachedResource::open(std::function<void(Loan&)> block, std::function<void()> forget) {
  auto const self = shared_from_this();
  IfNeverRun no_task([self, forget] {
    self->loan_.fail();
    forget();
  });
  lowlevel::spawn_system_task("trio::ResourceCache", [self, block = std::move(block), forget,
                                                      no_task = std::move(no_task)]() mutable {
    no_task.call_off();
    self->loan_.run_block([&] { block(self->loan_); });
    forget();
  });
  users_ = 1;
  std::exception_ptr cut_short;
  try {
    loan_.wait_while_opening();
  } catch (...) {
    cut_short = std::current_exception();
  }
  if (!cut_short && loan_.is_lent()) return;
  if (cut_short && !loan_.is_lent()) loan_.scope().cancel("whoever opened it was cancelled");
  rethrow_either(std::move(cut_short), leave());
  throw BrokenResourceError("trio: the resource was gone before it could be used");
}

bool CachedResource::join() {
  loan_.wait_while_opening();
  if (!loan_.is_lent()) return false;
  ++users_;
  return true;
}

void CachedResource::use(std::function<void()> const& body) {
  auto error = loan_.use(body);
  rethrow_either(std::move(error), leave());
}

std::exception_ptr CachedResource::leave() {
  if (--users_ == 0)
    loan_.give_back();
  else if (!loan_.is_revoked())
    return nullptr;
  loan_.wait_for_end_uncancellably();
  return loan_.error();
}

}  // namespace trio::detail
