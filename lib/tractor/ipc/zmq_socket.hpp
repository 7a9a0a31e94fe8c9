// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "zmq_context.hpp"

#include <trio/nursery.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <zmq.hpp>

namespace tractor::ipc {

// One message: its parts. Reused for message after message.
struct ZmqMessage {
  // More than any of ours has.
  static constexpr std::size_t max_parts = 4;

  std::array<zmq::message_t, max_parts> storage;
  std::size_t count = 0;

  std::span<zmq::message_t> parts() noexcept { return std::span(storage).first(count); }
};

// Who is told of what arrives at a socket. Called by the socket's own task; must not wait. May send
// on, or close, any socket.
class ZmqReader {
 public:
  // The parts may be moved away.
  virtual void on_message(std::span<zmq::message_t> parts) = 0;

  // All that had arrived has been told.
  virtual void on_idle() {}

  // The task was cancelled: nothing will be told any more.
  virtual void on_cancelled() = 0;

 protected:
  ~ZmqReader() = default;
};

// A ZeroMQ socket that is read by a task, woken by the run loop's epoll. For the run's thread only.
//
// ZeroMQ's descriptor tells of news once, whoever consumes them, and sending consumes them too.
// Therefore something must look, after every send and before the run loop sleeps, whether something
// is to be read now. That is a system call: so the first send since the run loop has looked for
// input does it at once, which suits those who wait for answers; after all others the task does it
// once, when the run loop looks again.
class ZmqSocket {
 public:
  // `context` must outlive it. Throws zmq::error_t.
  ZmqSocket(ZmqContext& context, zmq::socket_type type);

  ZmqSocket(ZmqSocket const&) = delete;
  ZmqSocket& operator=(ZmqSocket const&) = delete;

  ~ZmqSocket() { close(); }

  // For options, bind and connect.
  zmq::socket_t& raw() noexcept { return state_->socket; }

  // Starts the task named `name`, which tells `reader`; once.
  void start(trio::Nursery& nursery, std::string name, ZmqReader& reader);

  // Hands the parts over as one message; false if there is nobody to send to. Never waits.
  bool send(std::span<zmq::message_t> parts);

  // Tells the reader, here and now, of all that is there.
  void read_now();

  // Has the task tell the reader of all that is there, and then on_idle, once more.
  void look_again();

  bool is_open() const noexcept { return static_cast<bool>(state_->socket); }

  // What was sent leaves in the background, for `linger` at the most. Idempotent. The reader is
  // told nothing any more.
  void close(std::chrono::milliseconds linger = std::chrono::milliseconds(0));

 private:
  // Shared with the task, which may come to its end after the socket is closed.
  struct State {
    zmq::socket_t socket = {};
    int fd = -1;
    ZmqReader* reader = nullptr;
    // The task waits for the descriptor.
    bool parked = false;
    // The task is going to ask whether there is something to read.
    bool will_ask = false;
    // How often the run loop had looked for input when a send has asked that.
    std::uint64_t asked_at = 0;
    // Look again before waiting: something has come, or was asked for, while the task was at work.
    bool stale = false;
    ZmqMessage message = {};
  };

  static void run(State& state);
  static void read_all(State& state);
  static bool read_one(State& state);
  static bool is_readable(State& state);
  // After a send: whether something is to be read now, or whether the task will ask.
  static bool is_news(State& state);

  ZmqContext& context_;
  std::shared_ptr<State> const state_;
};

}  // namespace tractor::ipc
