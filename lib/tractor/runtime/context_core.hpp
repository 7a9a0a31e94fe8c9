// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../wire/dialog.hpp"
#include "../wire/message.hpp"

#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/context_state.hpp>
#include <tractor/expose.hpp>
#include <tractor/stream_options.hpp>
#include <trio/event.hpp>
#include <trio/lock.hpp>
#include <trio/parking_lot.hpp>
#include <trio/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace trio {
class CancelScope;
class Task;
}  // namespace trio

namespace tractor::runtime {

class Peer;

// One side of a context: the rules (wire::Dialog), what has come and was not read, who waits, and
// how it ended. The Peer owns it while the dialog goes on, the handles of its users after that,
// too.
class ContextCore : public std::enable_shared_from_this<ContextCore> {
 public:
  using Side = wire::Dialog::Side;
  using Flow = wire::Dialog::Flow;

  // `function`: the callee's.
  ContextCore(std::shared_ptr<Peer> peer, Side side, std::uint64_t dialog, FunctionId function);

  std::uint64_t dialog() const noexcept { return dialog_; }

  Peer& peer() const noexcept { return *peer_; }

  // For the handles; see context.hpp and stream.hpp for what users are told of these.

  ActorId const& other() const noexcept;
  ContextState state() const;
  std::optional<ActorId> canceller() const;

  std::exception_ptr error() const noexcept { return error_; }

  bool is_started() const noexcept { return rules_.is_started(); }

  bool is_over() const noexcept { return over_.is_set(); }

  bool cancel_called() const noexcept { return cancel_called_; }

  // The callee's.
  void start(Buffer value);
  void cancel_callee(std::string reason);

  // The caller's.
  void cancel_caller(std::string reason, trio::Duration timeout);
  std::span<std::byte const> wait_for_result(bool has_value);

  std::optional<std::span<std::byte const>> result() const noexcept;

  void open_stream(StreamOptions const& options);
  // Idempotent, and does nothing once the context is over.
  void close_stream(Flow how) noexcept;
  void end_sending();
  void send(Buffer item);
  // Empty at the end of the stream.
  std::optional<Buffer> next();
  // Throws WouldBlock where that would wait.
  std::optional<Buffer> next_nowait();

  std::uint64_t dropped() const noexcept { return dropped_; }

  // For the peer, whose messages it gets. These throw DecodeError.

  void on(wire::Started const&, Buffer value);
  void on(wire::Yield const&, Buffer item);
  void on(wire::Yields const&, Buffer items);
  void on(wire::Stop const&, Buffer);
  void on(wire::Abort const&, Buffer);
  void on(wire::Credit const& credit, Buffer);
  void on(wire::Deaf const&, Buffer);
  void on(wire::Return const&, Buffer result);
  void on(wire::Error error, Buffer);

  // An Error that has overtaken the Started before it; and that, once.
  void keep_until_started(wire::Error error) { early_error_ = std::move(error); }

  // The link is over, for this reason.
  void lose_link(std::exception_ptr reason);

  std::optional<wire::Error> take_early_error() {
    return std::exchange(early_error_, std::nullopt);
  }

  // The caller wants the callee's task cancelled.
  void cancelled_by_caller(trio::CancelReason reason);
  // The link is over, or the callee has ended.
  void end(std::exception_ptr error);

  // Sends what waits to be sent.
  void flush() noexcept;

  // What cancelling this context cancels: the callee's task, or the caller's body while it runs.
  void set_scope(trio::CancelScope* scope);

  // The caller's task runs the body from now on.
  void set_owner(trio::Task* owner) noexcept { owner_ = owner; }

  // Whether the task was to be cancelled by way of this context.
  bool cancel_requested() const noexcept { return cancel_called_ || cancelled_by_caller_; }

  // What the stream threw when the peer had aborted its own; null if nothing.
  std::exception_ptr const& aborted() const noexcept { return aborted_; }

  // Waits for Started, or the end. A checkpoint.
  void wait_started();

  // A checkpoint.
  void wait_over() { over_.wait(); }

  Buffer take_started_value() noexcept { return std::move(started_value_); }

  // Has the callee's task cancelled, if it has not ended; not a checkpoint.
  void request_cancel(std::string source_task, std::string reason) noexcept;
  // Whether it ended as we cancelled it, which is no error then.
  bool ended_as_we_wanted() const;

  // The function's name for people. Made anew each time.
  std::string endpoint() const { return function_.readable_name(); }

 private:
  // Counts the owner while it waits in one of our functions.
  class Waiting;

  enum class Stream : unsigned char { unopened, open, closed };

  void accept(Buffer item);
  // No room for an item; true if it is to be kept all the same.
  bool make_room(std::size_t size);
  void overrun();
  void say_credit(std::optional<wire::Grant> grant);
  void wake_all();
  void interrupt(std::string const& why);
  // Throws unless the stream is open and may be used.
  void check_stream() const;
  // The next item, if there is one now.
  std::optional<Buffer> take();
  bool at_end() const;
  void wait_for_credit();
  void send_now_or_with_more(Buffer item);
  void flush_items() noexcept;

  std::shared_ptr<Peer> const peer_;
  std::uint64_t const dialog_;
  FunctionId const function_;
  wire::Dialog rules_;

  trio::CancelScope* scope_ = nullptr;
  trio::Task* owner_ = nullptr;
  int owner_waits_ = 0;

  // Started, or over.
  trio::Event begun_;
  trio::Event over_;
  Buffer started_value_;
  Buffer result_;
  std::exception_ptr error_;
  std::optional<wire::Error> early_error_;
  // What a reader of the caller's lost, if the callee goes on as if nothing had happened.
  std::exception_ptr overrun_;
  std::exception_ptr aborted_;

  bool cancel_called_ = false;
  // By the task that runs the body.
  bool cancel_called_by_owner_ = false;
  bool cancelled_by_caller_ = false;

  Stream stream_ = Stream::unopened;
  bool abort_unsaid_ = false;
  StreamOptions options_;
  std::deque<Buffer> items_;
  std::size_t buffered_bytes_ = 0;
  std::uint64_t dropped_ = 0;
  trio::lowlevel::ParkingLot readers_;
  // Items that belong to readers which were woken for them.
  std::size_t promised_ = 0;
  // What was sent and waits to travel with more.
  std::vector<Buffer> unsent_;
  std::size_t unsent_bytes_ = 0;
  // Whoever waits for credit has it: who comes later does not overtake.
  trio::Lock sending_;
  trio::lowlevel::ParkingLot credit_;
};

}  // namespace tractor::runtime
