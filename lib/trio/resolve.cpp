// SPDX-License-Identifier: BSL-1.0
#include "zero_byte.hpp"

#include <trio/lowlevel.hpp>
#include <trio/resolve.hpp>
#include <trio/to_thread.hpp>

#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

#include <netdb.h>

namespace trio {

namespace {

struct Answer {
  int error = 0;
  // Of the thread that asked, where `error` is EAI_SYSTEM.
  int system_error = 0;
  std::vector<SocketAddress> addresses = {};
};

Answer look_up(std::string const& host, std::uint16_t port, int flags) {
  addrinfo hints = {};
  hints.ai_flags = flags | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Answer answer;
  answer.error = getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(),
                             &hints, &found);
  if (answer.error != 0) {
    answer.system_error = errno;
    return answer;
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> const owned(found, freeaddrinfo);
  for (addrinfo const* one = found; one; one = one->ai_next)
    answer.addresses.emplace_back(one->ai_addr, one->ai_addrlen);
  return answer;
}

[[noreturn]] void fail(std::string const& host, Answer const& answer) {
  std::string const reason = answer.error == EAI_SYSTEM
                                 ? std::generic_category().message(answer.system_error)
                                 : gai_strerror(answer.error);
  throw ResolveError("trio: cannot look up the host '" + host + "': " + reason, answer.error);
}

}  // namespace

std::vector<SocketAddress> resolve(std::string const& host, std::uint16_t port,
                                   ResolveFor purpose) {
  lowlevel::checkpoint();
  int const flags = purpose == ResolveFor::listening ? AI_PASSIVE : 0;
  if (detail::has_zero_byte(host)) fail(host, {.error = EAI_NONAME});
  // Asks nobody, and so takes no time.
  Answer answer = look_up(host, port, flags | AI_NUMERICHOST);
  if (answer.error == EAI_NONAME) {
    answer = to_thread::run({.abandon_on_cancel = true}, look_up, host, port, flags);
  }
  // Everybody's name for this machine (RFC 6761), also where neither a file nor a server has it.
  if (answer.error != 0 && host == "localhost") answer = look_up("127.0.0.1", port, AI_NUMERICHOST);
  if (answer.error != 0) fail(host, answer);
  return std::move(answer.addresses);
}

}  // namespace trio
