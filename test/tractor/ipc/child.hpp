// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "support.hpp"

#include <functional>
#include <string>

#include <sys/types.h>

namespace ipc_test {

// A process that connects to us. Made before there is any thread that a fork would lose.
class Child {
 public:
  // Runs `act` in the child, once it is told the endpoint; then the child ends, cleaning up
  // nothing.
  explicit Child(std::function<void(std::string const& endpoint)> const& act);
  Child(Child const&) = delete;
  Child& operator=(Child const&) = delete;
  // Kills it, if it still lives.
  ~Child();

  pid_t pid() const noexcept { return pid_; }

  void tell(std::string const& endpoint);
  void signal(int number);
  // Waits until it has stopped.
  void await_stop();

 private:
  // It ends as it stands: what it has there is ours to remove.
  TemporaryDirectory room_;
  pid_t pid_ = -1;
  int told_ = -1;
};

// What a child does: dials `endpoint` as `identity`, and acts in a run.
void dial(TransportKind kind, std::string const& endpoint, std::string const& identity,
          std::function<void(Transport&, Link&)> const& act);

}  // namespace ipc_test
