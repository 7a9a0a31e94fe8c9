// SPDX-License-Identifier: BSL-1.0
#include "stderr_relay.hpp"

#include <trio/detail/write_without_sigpipe.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tractor::runtime {

namespace {

constexpr std::size_t longest_queue = 1024 * 1024;
// What a pipe takes whole or not at all, without waiting once it has said it can be written to; a
// longer line is passed on in pieces.
constexpr std::size_t longest_write = 4096;

// Waits without blocking the loop. A regular file cannot be waited for and never blocks.
void wait_writable(int fd) {
  pollfd now = {fd, POLLOUT, 0};
  if (poll(&now, 1, 0) == 0) trio::lowlevel::wait_writable(fd);
}

}  // namespace

void StderrOutlet::add(std::string const& text) {
  queue_ += text;
  if (queue_.size() > longest_queue) {
    std::size_t const cut = queue_.size() - longest_queue / 2;
    queue_.erase(0, cut);
    dropped_ += cut;
  }
  filled_->set();
}

void StderrOutlet::run() {
  for (;;) {
    filled_->wait();
    filled_ = std::make_shared<trio::Event>();
    while (!queue_.empty()) write_some();
    std::exchange(emptied_, std::make_shared<trio::Event>())->set();
  }
}

void StderrOutlet::write_some() {
  wait_writable(to_);
  if (dropped_ > 0)
    queue_.insert(0, "tractor: " + std::to_string(std::exchange(dropped_, 0)) +
                         " bytes of standard error were dropped, as nobody reads it\n");
  // Nobody may read it any more: that is no reason to die.
  ssize_t const written = trio::detail::write_without_sigpipe(
      to_, queue_.data(), std::min(longest_write, queue_.size()));
  if (written > 0)
    queue_.erase(0, static_cast<std::size_t>(written));
  else if (errno != EINTR && errno != EAGAIN)
    queue_.clear();
}

void StderrOutlet::flush() {
  auto const emptied = emptied_;
  if (!queue_.empty()) emptied->wait();
}

void StderrRelay::run() {
  while (!finished_) {
    switch (read_some()) {
      case Read::something:
        trio::lowlevel::checkpoint();
        break;
      case Read::nothing_yet:
        trio::lowlevel::wait_readable(from_);
        break;
      case Read::the_end:
        return finish();
    }
  }
}

void StderrRelay::finish() {
  if (finished_) return;
  // What a dead process has left there, and no more: others may have the pipe still, and write.
  int left = 0;
  ioctl(from_, FIONREAD, &left);
  for (; left > 0 && read_some() == Read::something; left -= static_cast<int>(longest_write)) {}
  finished_ = true;
  // run() may be waiting for more.
  trio::lowlevel::notify_readable(from_);
  pass_on(pending_.size());
}

StderrRelay::Read StderrRelay::read_some() {
  std::array<char, longest_write> buffer;
  ssize_t const got = read(from_, buffer.data(), buffer.size());
  if (got < 0)
    return errno == EINTR ? Read::something : errno == EAGAIN ? Read::nothing_yet : Read::the_end;
  if (got == 0) return Read::the_end;
  std::string_view const text(buffer.data(), static_cast<std::size_t>(got));
  tail_.add(text);
  pending_ += text;
  std::size_t const end_of_lines = pending_.rfind('\n') + 1;
  if (end_of_lines > 0)
    pass_on(end_of_lines);
  else if (pending_.size() >= longest_write)
    pass_on(pending_.size());
  return Read::something;
}

void StderrRelay::pass_on(std::size_t count) {
  if (count == 0) return;
  outlet_.add(pending_.substr(0, count));
  pending_.erase(0, count);
}

}  // namespace tractor::runtime
