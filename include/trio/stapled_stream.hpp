// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/detail/conflict_detector.hpp>
#include <trio/stream.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace trio {

// A sending and a receiving stream as one that does both: the two pipes of a child program, say.
//
//   trio::StapledStream stdio(std::move(process.input()), std::move(process.output()));
//
// Each function is that of the one stream or the other. Mirrors trio.StapledStream.
template <class Send, class Receive> class StapledStream final : public HalfCloseableStream {
  static_assert(std::derived_from<Send, SendStream> && std::derived_from<Receive, ReceiveStream>,
                "trio: a StapledStream is made of a SendStream and a ReceiveStream");

 public:
  StapledStream(Send send, Receive receive)
      : send_(std::move(send)), receive_(std::move(receive)) {}

  Send& send_stream() noexcept { return send_; }

  Receive& receive_stream() noexcept { return receive_; }

  void send_all(std::string_view data) override {
    auto const use = begin_sending();
    send_.send_all(data);
  }

  void wait_send_all_might_not_block() override {
    auto const use = begin_sending();
    send_.wait_send_all_might_not_block();
  }

  // Closes the sending stream, if that has no send_eof() of its own.
  void send_eof() override {
    auto const use = begin_sending();
    if constexpr (std::derived_from<Send, HalfCloseableStream>)
      send_.send_eof();
    else
      send_.aclose();
  }

  using ReceiveStream::receive_some;

  std::size_t receive_some(std::span<char> buffer) override {
    return receive_.receive_some(buffer);
  }

  void close() override {
    send_.close();
    receive_.close();
  }

  void aclose() override {
    // However the one farewell ends, the other stream is closed.
    struct Rest {
      Receive& receive;

      ~Rest() { receive.close(); }
    } const rest{receive_};

    send_.aclose();
    receive_.aclose();
  }

 private:
  // The sending stream cannot tell a send_eof() that closes it from any other close().
  detail::ConflictDetector::Use begin_sending() {
    return {sending_, "trio: another task is sending on this stream"};
  }

  Send send_;
  Receive receive_;
  detail::ConflictDetector sending_;
};

}  // namespace trio
