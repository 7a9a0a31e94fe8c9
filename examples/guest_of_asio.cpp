// SPDX-License-Identifier: BSL-1.0
// trio as a guest: Boost.Asio's loop has the thread, and trio's tasks live in it. A callback of
// Asio's hands what it gets to a task; the task talks to Asio's side by posting.
#include <trio/trio.hpp>

#include <cstdio>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// A timer of Asio's that ticks `left` times more, into a channel of trio's.
void tick(asio::steady_timer& timer, trio::MemorySendChannel<int>& ticks, int left) {
  if (left == 0) return ticks.close();
  timer.expires_after(1ms);
  timer.async_wait([&, left](boost::system::error_code const&) {
    ticks.send_nowait(left);
    tick(timer, ticks, left - 1);
  });
}

int count_ticks(asio::io_context& host) {
  asio::steady_timer timer(host);
  auto [sender, receiver] = trio::open_memory_channel<int>(trio::unbounded);
  int count = 0;
  trio::open_nursery([&, &to = sender, &from = receiver](trio::Nursery& nursery) {
    nursery.start_soon([&] {
      for (int left : from) {
        std::printf("trio: a tick of Asio's, %d more\n", left - 1);
        ++count;
      }
    });
    asio::post(host, [] { std::printf("asio: asked by a task\n"); });
    tick(timer, to, 3);
  });
  auto const outcome = trio::move_on_after(1ms, trio::sleep_forever);
  std::printf("trio: timeouts work%s\n", outcome.cut_short ? "" : " not");
  return count;
}

}  // namespace

int main() {
  asio::io_context host;
  // While the guest lives, the loop must not end for want of other work.
  auto work = asio::make_work_guard(host);
  auto const call_soon = [&](auto call) { asio::post(host, std::move(call)); };

  trio::start_guest_run(
      {.run_sync_soon_threadsafe = call_soon}, {}, [&] { return count_ticks(host); },
      [&](trio::GuestOutcome<int> outcome) {
        std::printf("asio: the guest has left; it counted %d\n", outcome.get());
        work.reset();
      });
  std::printf("asio: the guest is here and has not run\n");
  host.run();
}
