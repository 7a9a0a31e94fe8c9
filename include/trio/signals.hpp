// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>

namespace trio {

class SignalReceiver;

// Receives these signals instead of whoever handled them before, until the receiver is destroyed.
// A thread of the process that blocks none of them must be there. Not a checkpoint. Throws
// std::invalid_argument if there is none in the list, std::system_error if one cannot be handled
// (SIGKILL) or the kernel gives no pipe, MisuseError outside a run. Mirrors
// trio.open_signal_receiver.
//
//   auto signals = trio::open_signal_receiver({SIGHUP, SIGTERM});
//   for (int signal : signals) {
//     if (signal == SIGTERM) break;
//     reload();
//   }
[[nodiscard]] SignalReceiver open_signal_receiver(std::initializer_list<int> signals);

// The signals that come to the process, one after the other, as something to wait for. A signal
// that comes again before it was received counts once; else they are received in the order in which
// they came. Of several receivers of one signal, in whichever run, the youngest gets it.
//
// When destroyed, it leaves each signal as it found it, and raises again what came and was not
// received: SIGTERM then does what it did before there was a receiver. For one run's thread, but it
// may go after the run.
class SignalReceiver {
 public:
  SignalReceiver(SignalReceiver&&) noexcept;
  SignalReceiver& operator=(SignalReceiver&&) noexcept;
  ~SignalReceiver();

  // Waits for the next signal; a checkpoint always. Cancelled: none was taken. Throws
  // BusyResourceError if another task waits here already, ClosedResourceError if the receiver goes
  // meanwhile, MisuseError outside a task, if someone reschedules the task by hand, or if the
  // receiver was moved from.
  int receive();

  // How many signals have come and were not received.
  std::size_t pending() const noexcept;

  struct Sentinel {};

  // Range-for never ends by itself.
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(SignalReceiver& receiver)
        : receiver_(&receiver), signal_(receiver.receive()) {}

    int operator*() const noexcept { return signal_; }

    Iterator& operator++() {
      signal_ = receiver_->receive();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return false; }

   private:
    SignalReceiver* receiver_;
    int signal_;
  };

  // Receives the first signal: a checkpoint, as is each step of the iterator.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  friend SignalReceiver open_signal_receiver(std::initializer_list<int> signals);
  class Inbox;

  explicit SignalReceiver(std::shared_ptr<Inbox> inbox);

  // Null when moved from. Held by a task that waits, too: the receiver may go meanwhile.
  std::shared_ptr<Inbox> inbox_;
};

}  // namespace trio
