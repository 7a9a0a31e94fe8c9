// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "bare_process.hpp"

#include <cstddef>
#include <span>

namespace bench {

// A bare pair of Unix sockets between two processes: the least a round trip can cost with blocking
// calls.

// What the child is told to do, with its end's number.
inline constexpr char const* socket_echo = "socket-echo";

// Sends back what it reads, until the other end is closed.
void echo_by_socket(int fd);

class BareSocketPeer {
 public:
  BareSocketPeer();
  BareSocketPeer(BareSocketPeer const&) = delete;
  BareSocketPeer& operator=(BareSocketPeer const&) = delete;
  ~BareSocketPeer();

  // Of what the kernel takes at once: 100 kB.
  void round_trip(std::span<char const> text);

 private:
  struct Ends {
    int ours;
    int theirs;
  };

  static Ends make_ends();

  Ends ends_;
  BareProcess process_;
};

}  // namespace bench
