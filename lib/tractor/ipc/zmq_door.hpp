// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <sys/types.h>
#include <zmq.hpp>

namespace tractor::ipc {

// Decides who may connect: ZeroMQ asks it about every peer before it lets that one in. On a thread
// of its own, so that no peer waits while the scheduler is busy.
class ZmqDoor {
 public:
  // Throws zmq::error_t, std::system_error. Shut the context down before destroying the door.
  explicit ZmqDoor(zmq::context_t& context);
  ZmqDoor(ZmqDoor const&) = delete;
  ZmqDoor& operator=(ZmqDoor const&) = delete;

  ~ZmqDoor() { thread_.join(); }

  // Lets in, once, whoever gives `user` as its name at the listener with this ZAP domain.
  void expect(std::string const& domain, std::string const& user);
  // No longer.
  void forget(std::string const& domain, std::string const& user);

  // Lets in everybody who gives `user` as its name there, until close().
  void open(std::string const& domain, std::string const& user);
  void close(std::string const& domain, std::string const& user);

 private:
  void answer_all();
  bool admits(std::span<zmq::message_t const> request);

  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> expected_;
  std::set<std::pair<std::string, std::string>> open_;
  zmq::socket_t requests_;
  std::thread thread_;
};

}  // namespace tractor::ipc
