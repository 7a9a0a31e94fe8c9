// SPDX-License-Identifier: BSL-1.0
#include "zmq_socket.hpp"

#include "zmq_error.hpp"

#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <utility>

namespace tractor::ipc {

ZmqSocket::ZmqSocket(ZmqContext& context, zmq::socket_type type)
    : context_(context), state_(std::make_shared<State>()) {
  state_->socket = zmq::socket_t(context.raw(), type);
  state_->fd = state_->socket.get(zmq::sockopt::fd);
}

void ZmqSocket::start(trio::Nursery& nursery, std::string name, ZmqReader& reader) {
  state_->reader = &reader;
  nursery.start_soon({.name = std::move(name)}, [state = state_] {
    struct End {
      State& state;

      ~End() {
        state.parked = false;
        if (state.reader) state.reader->on_cancelled();
      }
    } end{*state};
    run(*state);
  });
}

void ZmqSocket::run(State& state) {
  while (state.socket) {
    read_all(state);
    if (!state.socket) return;
    state.parked = true;
    trio::lowlevel::wait_readable(state.fd);
    state.parked = false;
  }
}

void ZmqSocket::read_all(State& state) {
  // Asking whether there is more is a system call; a burst that doubles makes it rare where much
  // has come.
  constexpr std::size_t max_burst = 64;
  std::size_t burst = 1;
  while (state.socket) {
    state.stale = false;
    state.will_ask = false;
    if (is_readable(state)) {
      for (std::size_t i = 0; i < burst && state.socket && read_one(state); ++i)
        state.reader->on_message(state.message.parts());
      burst = std::min(2 * burst, max_burst);
      // Those told may answer first: that saves them asking.
      state.will_ask = true;
      trio::lowlevel::checkpoint();
    } else {
      state.reader->on_idle();
      if (!state.stale) return;
      trio::lowlevel::checkpoint();
    }
  }
}

void ZmqSocket::read_now() {
  while (state_->socket && is_readable(*state_))
    if (read_one(*state_)) state_->reader->on_message(state_->message.parts());
}

bool ZmqSocket::read_one(State& state) {
  auto& [storage, count] = state.message;
  count = 0;
  bool more = true;
  while (more) {
    // What is beyond the last part overwrites it: such a message is none of ours anyway.
    zmq::message_t& part = storage[std::min(count, ZmqMessage::max_parts - 1)];
    if (!uninterrupted([&] { return state.socket.recv(part, zmq::recv_flags::dontwait); }))
      return false;
    more = part.more();
    count = std::min(count + 1, ZmqMessage::max_parts);
  }
  return true;
}

bool ZmqSocket::is_readable(State& state) {
  return uninterrupted([&] { return state.socket.get(zmq::sockopt::events); }) & ZMQ_POLLIN;
}

bool ZmqSocket::send(std::span<zmq::message_t> parts) {
  bool sent = true;
  for (std::size_t i = 0; sent && i < parts.size(); ++i) {
    auto const flags = i + 1 < parts.size() ? zmq::send_flags::sndmore | zmq::send_flags::dontwait
                                            : zmq::send_flags::dontwait;
    try {
      sent = uninterrupted([&] { return state_->socket.send(parts[i], flags); }).has_value();
    } catch (zmq::error_t const& error) {
      if (error.num() != EHOSTUNREACH) throw;
      sent = false;
    }
  }
  // A failure is news as well: that the peer is gone.
  if (!sent || is_news(*state_)) look_again();
  return sent;
}

bool ZmqSocket::is_news(State& state) {
  if (state.will_ask) return false;
  if (state.parked) {
    auto const looks = trio::lowlevel::looks_for_input();
    if (std::exchange(state.asked_at, looks) == looks) {
      trio::lowlevel::notify_readable_soon(state.fd);
      state.will_ask = true;
      return false;
    }
  }
  return is_readable(state);
}

void ZmqSocket::look_again() {
  state_->stale = true;
  if (state_->parked) trio::lowlevel::notify_readable(state_->fd);
}

void ZmqSocket::close(std::chrono::milliseconds linger) {
  if (!state_->socket) return;
  state_->reader = nullptr;
  look_again();
  context_.end(state_->socket, linger);
}

}  // namespace tractor::ipc
