// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/buffer.hpp>
#include <tractor/detail/kind.hpp>
#include <tractor/stream_options.hpp>
#include <trio/broadcast.hpp>
#include <trio/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace tractor {

namespace runtime {
class ContextCore;
}

namespace detail {

// What a stream does without knowing its types.
class StreamEnd {
 public:
  explicit StreamEnd(std::shared_ptr<runtime::ContextCore> core) noexcept;
  StreamEnd(StreamEnd&&) noexcept = default;
  StreamEnd& operator=(StreamEnd&& other) noexcept;

  ~StreamEnd() { close(); }

  void send(Buffer item);
  void end_sending();
  void close() noexcept;
  std::uint64_t dropped() const noexcept;
  // Throws ClosedResourceError if it was moved from.
  std::shared_ptr<runtime::ContextCore> core() const;

 private:
  // Null when moved from.
  std::shared_ptr<runtime::ContextCore> core_;
  // How many exceptions were flying when it was made.
  int exceptions_;
};

std::optional<Buffer> next_item(runtime::ContextCore& core);
std::optional<Buffer> next_item_nowait(runtime::ContextCore& core);

// Whether T is nothing but bytes, which then are the item, without their number and without a copy.
template <class T> inline constexpr bool is_plain_bytes = kind_of<T> == Kind::bytes;
template <class A> inline constexpr bool is_plain_bytes<std::vector<std::byte, A>> = true;

// `item` as a buffer that shares its bytes.
Buffer share(Bytes const& item);

template <class T> Buffer encode_item(T const& item) {
  if constexpr (std::is_same_v<T, Bytes>)
    return share(item);
  else if constexpr (is_plain_bytes<T>)
    return share(Bytes::copy_of(item));
  else
    return encode(item);
}

template <class T> T decode_item(Buffer item) {
  if constexpr (std::is_same_v<T, Bytes>)
    return Bytes(std::move(item));
  else if constexpr (is_plain_bytes<T>)
    return T(item.bytes().begin(), item.bytes().end());
  else
    return decode<T>(std::move(item));
}

// Where the receivers of a subscribed stream get their items from.
template <class T> class ItemSource {
 public:
  explicit ItemSource(std::shared_ptr<runtime::ContextCore> core) noexcept
      : core_(std::move(core)) {}

  std::optional<T> next() {
    auto item = next_item(*core_);
    if (!item) return std::nullopt;
    return decode_item<T>(std::move(*item));
  }

  T receive_nowait() {
    auto item = next_item_nowait(*core_);
    if (!item) throw trio::EndOfChannel();
    return decode_item<T>(std::move(*item));
  }

 private:
  std::shared_ptr<runtime::ContextCore> core_;
};

// Instantiated only to speak.

template <class Item, class Given> struct stream_item {
  static constexpr bool convertible = std::is_convertible_v<Given, Item>;
  static_assert(convertible,
                "tractor: this does not convert to what the protocol of this stream sends (see: "
                "stream_item<Item, Given>)");
};

template <class Given> struct stream_item<void, Given> {
  static constexpr bool has_direction = !std::is_same_v<Given, Given>;
  static_assert(has_direction,
                "tractor: the protocol of this stream sends nothing this way: it has no ToCaller, "
                "or no ToCallee");
};

template <class In, class Never> struct stream_receives {
  static constexpr bool has_direction = !std::is_void_v<In>;
  static_assert(has_direction,
                "tractor: the protocol of this stream brings nothing this way: it has no ToCallee, "
                "or no ToCaller");
};

}  // namespace detail

// One end of the stream of a context, in both directions: `In` comes in, `Out` goes out; void where
// nothing does. Both sides open theirs; what was sent before waits.
//
//   auto stream = ctx.open_stream();
//   stream.send("ping");
//   for (std::string pong : stream) ...
//
// The sender waits while the reader does not keep up, see StreamOptions, and nothing is lost. What
// ends it: the other side's close(), send_eof() or return, after all that was sent; an error or a
// cancellation of the context, at once. It closes when destroyed; while an exception unwinds, the
// other side gets StreamAborted instead of an end. Any number of tasks may send and receive, each
// item goes to one of them. For one run's thread only. Mirrors tractor.MsgStream.
template <class In, class Out> class Stream {
 public:
  // Made by the library.
  explicit Stream(std::shared_ptr<runtime::ContextCore> core) noexcept : end_(std::move(core)) {}

  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;

  // Sends, after waiting for room at the other end; a checkpoint always. Small items leave
  // together, at the latest when no task is ready to run any more: who computes for long after a
  // small one lets others run first. Tasks that wait send in the order in which they came.
  // Cancelled: nothing was sent. To a side that has closed its stream or has returned, sends
  // nothing, and says nothing. Throws the error or the ContextCancelled that the context has ended
  // with; TransportClosed or ActorDied if the link is over; ClosedResourceError if this end was
  // closed (also meanwhile) or is after send_eof(); EncodeError. Mirrors MsgStream.send.
  template <class T = Out> void send(T&& item) {
    if constexpr (!std::is_void_v<Out> && std::is_convertible_v<T&&, Out>) {
      if constexpr (std::is_same_v<std::remove_cvref_t<T>, Out>)
        end_.send(detail::encode_item<Out>(item));
      else
        end_.send(detail::encode_item<Out>(static_cast<Out>(std::forward<T>(item))));
    } else {
      (void)sizeof(detail::stream_item<Out, T&&>);
    }
  }

  // The next item, after waiting for one; a checkpoint always. Cancelled: none was taken. Throws
  // EndOfChannel at the end, again each time; StreamAborted if the other side left its stream by an
  // exception; the error or the ContextCancelled that the context has ended with, which drops what
  // was not read; TransportClosed or ActorDied if the link is over; ClosedResourceError if this end
  // was closed (also meanwhile); DecodeError for what is no item. Mirrors MsgStream.receive.
  template <class Never = void> In receive() {
    if constexpr (!std::is_void_v<In>) {
      if (auto item = next()) return std::move(*item);
      throw trio::EndOfChannel();
    } else {
      (void)sizeof(detail::stream_receives<In, Never>);
    }
  }

  // The same, with an empty answer at the end.
  template <class Never = void> auto next() {
    if constexpr (!std::is_void_v<In>) {
      if (broadcast_) return broadcast_->next();
      return detail::ItemSource<In>(end_.core()).next();
    } else {
      (void)sizeof(detail::stream_receives<In, Never>);
    }
  }

  // The next item if it is there, or throws WouldBlock; else as receive(). Not a checkpoint.
  template <class Never = void> In receive_nowait() {
    if constexpr (!std::is_void_v<In>) {
      if (broadcast_) return broadcast_->receive_nowait();
      return detail::ItemSource<In>(end_.core()).receive_nowait();
    } else {
      (void)sizeof(detail::stream_receives<In, Never>);
    }
  }

  // Another receiver of all that comes from now on: each receiver gets each item, this stream
  // among them, see trio::BroadcastReceiver. The fastest sets the pace; who falls more than
  // `capacity` items behind gets Lagged. Cannot be undone. The capacity is that of the first call.
  // Not a checkpoint. Mirrors MsgStream.subscribe.
  template <class Never = void>
  auto subscribe(std::size_t capacity = 64, trio::OnLag on_lag = trio::OnLag::raise) {
    if constexpr (!std::is_void_v<In>) {
      if (!broadcast_)
        broadcast_.emplace(trio::broadcast(detail::ItemSource<In>(end_.core()), capacity));
      return broadcast_->subscribe(on_lag);
    } else {
      (void)sizeof(detail::stream_receives<In, Never>);
    }
  }

  // How many items were dropped at this end, under Overrun::drop_oldest or drop_newest. Not a
  // checkpoint.
  std::uint64_t dropped() const noexcept { return end_.dropped(); }

  // Ends what is sent, and goes on receiving. The other side gets what is on its way, and then the
  // end. Idempotent; not a checkpoint. Throws ClosedResourceError if this end was closed, and the
  // error of the context as send() does.
  void send_eof() { end_.end_sending(); }

  // Ends both directions: the other side gets the end, what is unread here is dropped, and what the
  // other side still sends is not kept. Idempotent; never waits, not a checkpoint. Tasks that wait
  // here get ClosedResourceError. Mirrors MsgStream.aclose.
  void close() noexcept { end_.close(); }

  struct Sentinel {};

  template <class I> class Iterator {
   public:
    using value_type = I;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Stream& stream) : stream_(&stream), item_(stream.next()) {}

    I& operator*() const noexcept { return *item_; }

    // Destroys the present item before it waits for the next.
    Iterator& operator++() {
      item_.reset();
      item_ = stream_->next();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return !item_; }

   private:
    Stream* stream_;
    mutable std::optional<I> item_;
  };

  // Receives the first item: a checkpoint, as is each step of the iterator.
  template <class I = In> Iterator<I> begin() { return Iterator<I>(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  // Who shares what comes; its receivers may outlive this end.
  using Broadcast = std::conditional_t<std::is_void_v<In>, char, In>;
  std::optional<trio::BroadcastReceiver<detail::ItemSource<Broadcast>>> broadcast_ = {};
  detail::StreamEnd end_;
};

// A stream that only sends, or only receives. A function whose first parameter is a SendStream<T>&
// is a one-way stream: see Portal::open_stream_from.
template <class T> using SendStream = Stream<void, T>;
template <class T> using ReceiveStream = Stream<T, void>;

}  // namespace tractor
