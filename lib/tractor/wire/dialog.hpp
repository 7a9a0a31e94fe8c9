// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>
#include <optional>

namespace tractor::wire {

// How much of a stream may be sent and not yet read.
struct Window {
  std::uint32_t items = 64;
  std::uint64_t bytes = std::uint64_t(1) << 20;
};

// No window has more bytes, and no peer more credit: sums of it must not overflow.
inline constexpr std::uint64_t largest_window_bytes = std::uint64_t(1) << 60;

// What a reader lets its peer send.
struct Grant {
  std::uint32_t items = 0;
  std::uint64_t bytes = 0;
};

// The rules of a context, as one of its two sides sees them: what may be said when, and how much.
// It does no input or output: whoever sends and receives the messages asks it first. There is one
// at each end, and docs/contexts-and-streams.md has a picture of both.
//
// The messages Started, Yield(s), Stop, Abort and Return go by the data lane, in order; Credit,
// Deaf, Cancel and Error by the control lane, which may overtake it. The dialog is over, for a
// side, when the callee has ended it by a Return or an Error, said or received. What comes after
// that was sent before the peer knew, and is dropped unseen, by who knows that the dialog is over.
//
// A reader lets its peer send a Window, from the beginning, before either has opened its stream.
// An item needs credit for one item, and that credit for any byte is left: so the last one may be
// of any size. What was read is granted anew, in quarters of the window.
//
// What the peer says is never trusted: functions named on_ throw DecodeError for whatever a peer
// that keeps the rules cannot say, and then the link is to be ended. What we do ourselves is
// checked before, by the functions that ask.
class Dialog {
 public:
  enum class Side : std::uint8_t { caller, callee };
  // Of the stream one way: it may go on; it was ended, or left in its middle.
  enum class Flow : std::uint8_t { open, stopped, aborted };

  explicit Dialog(Side side) noexcept : side_(side) {}

  Side side() const noexcept { return side_; }

  bool is_started() const noexcept { return started_; }

  bool is_over() const noexcept { return over_; }

  // The stream to the peer, and the one from it.
  Flow outgoing() const noexcept { return outgoing_; }

  Flow incoming() const noexcept { return incoming_; }

  // Whether the peer reads what we send.
  bool is_heard() const noexcept { return !peer_is_deaf_ && !over_; }

  bool is_deaf() const noexcept { return deaf_; }

  Window window() const noexcept { return window_; }

  // How many items the peer may still send.
  std::uint64_t granted() const noexcept { return static_cast<std::uint64_t>(granted_items_); }

  // What we do.

  // The callee says Started.
  void start() noexcept { started_ = true; }

  // Whether an item may be sent now. If not, and is_heard(), the peer's credit is to be waited for.
  bool may_send() const noexcept {
    return started_ && is_heard() && outgoing_ == Flow::open && credit_items_ > 0 &&
           credit_bytes_ > 0;
  }

  // An item is sent.
  void send(std::uint64_t bytes) noexcept {
    --credit_items_;
    credit_bytes_ -= static_cast<std::int64_t>(bytes);
  }

  // Ends our stream; true if that is to be said.
  bool end_outgoing(Flow how) noexcept;
  // Reads no more; true if that is to be said.
  bool turn_deaf() noexcept;
  // Another window; what is to be granted at once, if anything.
  std::optional<Grant> set_window(Window window) noexcept;
  // An item was read; what is to be granted, if it is time.
  std::optional<Grant> read(std::uint64_t bytes) noexcept;

  // The callee ends the dialog, or the link is over.
  void end() noexcept { over_ = true; }

  // What the peer says.

  void on_started();
  // An item; false if it is not to be kept, as we are deaf.
  bool on_item(std::uint64_t bytes);
  // A Stop or an Abort.
  void on_end_of_stream(Flow how);
  void on_credit(Grant grant);
  void on_deaf();
  void on_return();
  // From the callee, the end; from the caller, a demand to end.
  void on_error();

 private:
  std::optional<Grant> grant() noexcept;
  // Throws DecodeError unless the peer has seen our Started, or has said its own.
  void check_started(char const* message) const;

  Side const side_;
  bool started_ = false;
  bool over_ = false;

  Flow outgoing_ = Flow::open;
  bool peer_is_deaf_ = false;
  std::int64_t credit_items_ = Window().items;
  std::int64_t credit_bytes_ = static_cast<std::int64_t>(Window().bytes);

  Flow incoming_ = Flow::open;
  bool deaf_ = false;
  Window window_;
  // What the peer may still send.
  std::int64_t granted_items_ = Window().items;
  std::int64_t granted_bytes_ = static_cast<std::int64_t>(Window().bytes);
  // What was read and not granted anew. Less than none while a window that was made smaller is not
  // down to its size.
  std::int64_t owed_items_ = 0;
  std::int64_t owed_bytes_ = 0;
};

}  // namespace tractor::wire
