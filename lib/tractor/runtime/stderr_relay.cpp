// SPDX-License-Identifier: BSL-1.0
#include "stderr_relay.hpp"

#include <trio/errors.hpp>
#include <trio/io.hpp>

#include <array>
#include <cerrno>

#include <poll.h>
#include <unistd.h>

namespace tractor::runtime {

namespace {

constexpr std::size_t longest_tail = 16 * 1024;
// What a pipe takes whole or not at all, without waiting once it has said it can be written to; a
// longer line is passed on in pieces.
constexpr std::size_t longest_write = 4096;

// Waits without blocking the loop. A regular file cannot be waited for and never blocks.
void wait_writable(int fd) {
  pollfd now = {fd, POLLOUT, 0};
  if (poll(&now, 1, 0) == 0) trio::lowlevel::wait_writable(fd);
}

}  // namespace

void StderrRelay::run() {
  while (!finished_) {
    switch (read_some()) {
      case Read::something:
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
  while (read_some() == Read::something) {}
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
  tail_ += text;
  if (tail_.size() > 2 * longest_tail) tail_.erase(0, tail_.size() - longest_tail);
  pending_ += text;
  std::size_t const end_of_lines = pending_.rfind('\n') + 1;
  if (end_of_lines > 0)
    pass_on(end_of_lines);
  else if (pending_.size() >= longest_write)
    pass_on(pending_.size());
  return Read::something;
}

void StderrRelay::pass_on(std::size_t count) {
  auto const turn = writing_.guard();
  std::string const text = pending_.substr(0, count);
  pending_.erase(0, count);
  for (std::size_t done = 0; done < text.size();) {
    wait_writable(to_);
    ssize_t const written =
        write(to_, text.data() + done, std::min(longest_write, text.size() - done));
    // Nobody is there to read it.
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

std::string StderrRelay::tail() const {
  if (tail_.size() <= longest_tail) return tail_;
  std::size_t const cut = tail_.size() - longest_tail;
  std::size_t const line = tail_.find('\n', cut);
  return tail_.substr(line == std::string::npos ? cut : line + 1);
}

}  // namespace tractor::runtime
