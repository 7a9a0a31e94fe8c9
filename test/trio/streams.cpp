// SPDX-License-Identifier: BSL-1.0
#include "stream_kinds.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using trio::testing::assert_checkpoints;
using trio::testing::wait_all_tasks_blocked;

namespace {

// A hang of the real world, not of the run's clock, would hang the test: give up instead.
template <class F> void run(F&& fn) {
  trio::run([&] { trio::fail_after(60s, fn); });
}

bool is_blocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

}  // namespace

TEST_CASE_TEMPLATE("every stream both ways keeps the promises of a stream", Kind,
                   support::SocketPairKind, support::UnixKind, support::TcpKind,
                   support::MemoryKind, support::NarrowMemoryKind, support::TwoPipesKind) {
  run([] { trio::testing::check_half_closeable_stream(Kind::make, Kind::make_clogged); });
}

TEST_CASE_TEMPLATE("every stream one way keeps the promises of a stream", Kind, support::PipeKind) {
  run([] { trio::testing::check_one_way_stream(Kind::make, Kind::make_clogged); });
}
