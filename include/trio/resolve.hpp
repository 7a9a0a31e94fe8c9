// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/socket_address.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace trio {

// A host's name could not be looked up. Mirrors Python's socket.gaierror.
class ResolveError : public std::runtime_error {
 public:
  ResolveError(std::string const& what, int code) : std::runtime_error(what), code_(code) {}

  // getaddrinfo's: EAI_NONAME, EAI_AGAIN, ...
  int code() const noexcept { return code_; }

 private:
  int code_;
};

enum class ResolveFor {
  // Addresses to connect to, the best first.
  connecting,
  // Addresses of this machine to listen at; an empty host means all that it has.
  listening,
};

// The addresses of a host, for TCP: `host` is numeric, or a name, which a thread looks up (see
// to_thread::run), or empty for this machine. "localhost" is 127.0.0.1 where the system does not
// know it. A checkpoint. Cancelled: what the thread finds is dropped. Throws ResolveError if there
// are none, MisuseError outside a task. Mirrors trio.socket.getaddrinfo.
std::vector<SocketAddress> resolve(std::string const& host, std::uint16_t port,
                                   ResolveFor purpose = ResolveFor::connecting);

}  // namespace trio
