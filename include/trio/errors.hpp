// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>

namespace trio {

// The library was called in a way it cannot serve: outside a run, twice, on a closed nursery.
// Python's trio raises RuntimeError here.
struct MisuseError : std::logic_error {
  using std::logic_error::logic_error;
};

// trio::run met something that must not happen: a system task crashed, or a bug in trio. `cause()`
// is what was thrown. Mirrors trio.TrioInternalError.
class TrioInternalError : public std::runtime_error {
 public:
  explicit TrioInternalError(std::string const& what, std::exception_ptr cause = nullptr)
      : std::runtime_error(what), cause_(std::move(cause)) {}

  std::exception_ptr cause() const noexcept { return cause_; }

 private:
  std::exception_ptr cause_;
};

// SIGINT, or another signal that asks to end, arrived (Python's KeyboardInterrupt). Raised in the
// main task at its next checkpoint, shielded or not (but not while an exception unwinds the task or
// its arguments are destroyed), or out of run() if none came. So what waits in a destructor at the
// normal end of a block, if only behind a shield, belongs in another task. Not a std::exception: a
// handler for errors must not swallow it.
class Interrupted final {
 public:
  explicit Interrupted(int signal = SIGINT) noexcept : signal_(signal) {}

  // Its number.
  int signal() const noexcept { return signal_; }

 private:
  int signal_;
};

// Raised by fail_after and fail_at when their deadline passed. Mirrors trio.TooSlowError.
struct TooSlowError : std::runtime_error {
  TooSlowError() : std::runtime_error("trio: the deadline of fail_after/fail_at has passed") {}
};

// Raised by TrioToken::run_sync_soon after the run has ended. Mirrors trio.RunFinishedError.
struct RunFinishedError : std::runtime_error {
  RunFinishedError() : std::runtime_error("trio: the run this token belongs to has finished") {}
};

// Raised by *_nowait functions where their blocking twin would wait. Mirrors trio.WouldBlock.
struct WouldBlock : std::runtime_error {
  WouldBlock() : std::runtime_error("trio: the operation would block") {}
};

// Two tasks used what only one may use at a time. Mirrors trio.BusyResourceError.
struct BusyResourceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The resource was closed at this end. Mirrors trio.ClosedResourceError.
struct ClosedResourceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The resource was broken by someone else: the other end is gone. Mirrors trio.BrokenResourceError.
struct BrokenResourceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Everything was received, and nothing more will be sent. Mirrors trio.EndOfChannel.
struct EndOfChannel : std::runtime_error {
  EndOfChannel()
      : std::runtime_error(
            "trio: end of channel: all was received, and nothing more will be sent") {}
};

}  // namespace trio
