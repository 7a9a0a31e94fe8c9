// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace trio {

// What set off a cancellation.
enum class CancelSource {
  call,       // CancelScope::cancel()
  deadline,   // a scope's deadline passed
  nursery,    // a child or the body of the nursery failed
  shutdown,   // the run is ending
  interrupt,  // SIGINT
  remote,     // another actor asked for it
};

// Why a task is being cancelled: the first cause, as it travels down the tree of scopes.
struct CancelReason {
  CancelSource source = CancelSource::call;
  // The name of the task that cancelled or whose failure did; empty if none did.
  std::string source_task = {};
  // What the canceller said, for people.
  std::string reason = {};
};

// "cancel() was called (task 'main'): shutting down", for logs and reports.
std::string describe(CancelReason const& reason);

namespace detail {
struct CancelledMaker;
}

// Thrown at a checkpoint of a task whose scope is cancelled; caught by that scope. Only the library
// makes one, and it is no std::exception, so that handlers for errors let it pass. A `catch (...)`
// that keeps it is a bug, but a survivable one: cancellation is level-triggered, and the next
// checkpoint throws again. It may be rethrown later; whichever cancelled scope it reaches catches
// it. Mirrors trio.Cancelled.
class Cancelled final {
 public:
  CancelReason const& reason() const noexcept { return *reason_; }

 private:
  friend struct detail::CancelledMaker;

  explicit Cancelled(std::shared_ptr<CancelReason const> reason) : reason_(std::move(reason)) {}

  std::shared_ptr<CancelReason const> reason_;
};

}  // namespace trio
