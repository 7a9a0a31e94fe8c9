// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>
#include <tractor/dialog_protocol.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tractor::runtime {
class ContextCore;
}

// What a typed dialog does at run time.
namespace tractor::detail {

// How the messages of a dialog travel: a stream to the other side and one from it, in order.
class DialogChannel {
 public:
  virtual ~DialogChannel() = default;

  // Sends one message. A checkpoint.
  virtual void send(Buffer message) = 0;
  // The next message; nothing if the other side has ended its stream. A checkpoint.
  virtual std::optional<Buffer> receive() = 0;
  // This side has said all. Not a checkpoint.
  virtual void close() noexcept = 0;
  // This side breaks the dialog off: the other side is to see an error, never a clean end. Not a
  // checkpoint.
  virtual void abort() noexcept = 0;
  // Cancels the callee's task, which goes on without its dialog.
  virtual void cancel_callee(std::string reason) = 0;
  // Who is at the other end, for errors.
  virtual std::string peer() const = 0;
};

// One side of a dialog: moves along the automaton with each message, and refuses those that are not
// in it. Knows no types of messages.
class DialogCore {
 public:
  DialogCore(Automaton const& automaton, Role role, std::unique_ptr<DialogChannel> channel)
      : automaton_(automaton), role_(role), channel_(std::move(channel)) {}

  // `message` begins with its number.
  void send(Buffer message);

  // The next message, which begins with its number: one of those that the automaton has here.
  // Throws MsgTypeError, and breaks the dialog off, if the other side sends anything else or ends.
  Buffer receive();

  // What came was no message after all: it could not be decoded, as `why` says. Breaks the dialog
  // off.
  [[noreturn]] void fail_to_decode(std::uint8_t number, std::string const& why);

  // The protocol has come to its end, on this side.
  void finish() noexcept;

  // This side does not go on. Does nothing once the dialog has been finished. Where no exception is
  // the reason, the callee's task is cancelled: its caller would wait for it in vain.
  void abandon() noexcept;

  bool is_finished() const noexcept { return finished_; }

 private:
  // Moves on along the message; false if the automaton has none of this number here.
  bool advance(std::uint8_t number) noexcept;
  // `what` the other side did, and what it sent by that.
  [[noreturn]] void fail(std::string const& what, std::string received);

  Automaton const& automaton_;
  Role const role_;
  std::unique_ptr<DialogChannel> const channel_;
  std::size_t state_ = 0;
  // Messages sent and received so far.
  std::size_t count_ = 0;
  bool finished_ = false;
};

// The number that a message which the core let through begins with.
inline std::uint8_t number_of(Buffer const& message) noexcept {
  return static_cast<std::uint8_t>(message.data()[0]);
}

// The right to take the next step of a dialog: moved along from step to step, never copied. Whoever
// lets it go before the end abandons the dialog.
class DialogHold {
 public:
  DialogHold() noexcept = default;

  explicit DialogHold(std::shared_ptr<DialogCore> core) noexcept : core_(std::move(core)) {}

  DialogHold(DialogHold&&) noexcept = default;

  DialogHold& operator=(DialogHold&& other) noexcept {
    std::swap(core_, other.core_);
    other.let_go();
    return *this;
  }

  ~DialogHold() { let_go(); }

  // Gives the right away, to take a step at `state`. Throws DialogMisuse if that was done before.
  DialogHold take(Automaton const& automaton, std::size_t state);

  DialogCore& operator*() const noexcept { return *core_; }

  DialogCore* operator->() const noexcept { return core_.get(); }

  // The end: finishes the dialog.
  std::shared_ptr<DialogCore const> finish() noexcept;

 private:
  void let_go() noexcept {
    if (auto const core = std::exchange(core_, nullptr)) core->abandon();
  }

  std::shared_ptr<DialogCore> core_;
};

// Throws DialogMisuse if what a function or body returned as the proof of its end is of another
// dialog than `core`.
void check_finished(DialogCore const& core, DialogCore const* finished, Automaton const& automaton);

// The dialog that a context is opened for: takes its stream, and for the callee, starts it. Throws
// what open_stream() throws.
std::shared_ptr<DialogCore> begin_dialog(std::shared_ptr<runtime::ContextCore> context, Role role,
                                         Automaton const& automaton);

}  // namespace tractor::detail
