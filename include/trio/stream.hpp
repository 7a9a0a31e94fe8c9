// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace trio {

// Something that is closed when it is no longer used: the base of every stream. Its destructor
// closes it. Mirrors trio.abc.AsyncResource.
class Closeable {
 public:
  virtual ~Closeable() = default;

  // Closes it at once, with no farewell to whoever is at the other end. Idempotent; not a
  // checkpoint. Tasks that wait in it get ClosedResourceError, and so does each later call. Mirrors
  // trio.aclose_forcefully.
  virtual void close() = 0;

  // Closes it in good order, which may take time where a protocol has last words. A checkpoint
  // always, also the second time. Cancelled: it is closed all the same. Mirrors
  // trio.abc.AsyncResource.aclose.
  virtual void aclose();

 protected:
  Closeable() = default;
  Closeable(Closeable const&) = default;
  Closeable& operator=(Closeable const&) = default;
};

// Where bytes go out, in order, to be received at another end: a byte stream, which knows no
// messages. One task sends at a time; another may receive meanwhile, if the stream does both. For
// one run's thread only. It must not be moved or destroyed while a task is in one of its functions;
// close() is what ends those. Mirrors trio.abc.SendStream.
class SendStream : public virtual Closeable {
 public:
  // Sends all of `data`, waiting while the other end does not keep up. A checkpoint always, even if
  // there is nothing to send. Throws BusyResourceError if another task is sending,
  // ClosedResourceError if this end is closed (also meanwhile), BrokenResourceError if nobody will
  // ever receive it, MisuseError outside a task. Cancelled before anything was sent, or in the
  // midst: nobody knows how much the other end will get, so that there is little to do but to close
  // the stream.
  virtual void send_all(std::string_view data) = 0;

  // Waits until send_all() might not wait: for making up data as late as possible. A checkpoint.
  // Throws as send_all() does, but may return where that would throw BrokenResourceError.
  virtual void wait_send_all_might_not_block() = 0;
};

// Where bytes come in. What SendStream says of tasks holds here as well. Range-for receives
// pieces until the end:
//
//   for (std::string const& piece : stream) ...
//
// A piece is what happened to arrive together, no message; BufferedReader makes lines of it. That
// the end has come says only that the other end was closed, if by a crash: where that matters, a
// protocol says itself when it is done. Mirrors trio.abc.ReceiveStream.
class ReceiveStream : public virtual Closeable {
 public:
  // Receives into `buffer` what has arrived, waiting until there is something; returns how many
  // bytes, or 0 at the end of the stream (and from then on). A checkpoint always. Cancelled:
  // nothing was received. Throws std::invalid_argument if the buffer is empty, BusyResourceError if
  // another task is receiving, ClosedResourceError if this end is closed (also meanwhile),
  // BrokenResourceError if the other end was cut off, MisuseError outside a task.
  virtual std::size_t receive_some(std::span<char> buffer) = 0;

  // The same into a string of its own, of at most `max_bytes` bytes; empty at the end.
  std::string receive_some(std::size_t max_bytes = 65536);

  struct Sentinel {};

  class Iterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(ReceiveStream& stream) : stream_(&stream), piece_(stream.receive_some()) {}

    std::string const& operator*() const noexcept { return piece_; }

    Iterator& operator++() {
      piece_ = stream_->receive_some();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return piece_.empty(); }

   private:
    ReceiveStream* stream_;
    std::string piece_;
  };

  // Receives the first piece: a checkpoint, as is each step of the iterator.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }
};

// Bytes both ways. close() closes both. Mirrors trio.abc.Stream.
class Stream : public SendStream, public ReceiveStream {};

// A stream that can end what it sends and go on receiving. Mirrors trio.abc.HalfCloseableStream.
class HalfCloseableStream : public Stream {
 public:
  // Lets the other end see the end of the stream after what was sent. A checkpoint. Idempotent;
  // afterwards send_all() throws ClosedResourceError. Throws as send_all() does.
  virtual void send_eof() = 0;
};

}  // namespace trio
