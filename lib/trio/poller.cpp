// SPDX-License-Identifier: BSL-1.0
#include "poller.hpp"

#include "sanitizer.hpp"
#include "task_record.hpp"

#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

namespace trio::detail {

namespace {

[[noreturn]] void fail(char const* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::system_error cannot_wait(int error) {
  return std::system_error(error, std::generic_category(),
                           "trio: this descriptor cannot be waited for");
}

// epoll_pwait2, or on Linux before 5.11 its elder, which counts in milliseconds: rounded up, as to
// wake early would be to wake in vain.
int wait_for_events(int epoll, std::array<epoll_event, 64>& events,
                    std::chrono::nanoseconds limit) {
  int const most = static_cast<int>(events.size());
  if (sanitizer::knows_epoll_pwait2) {
    timespec const relative = {limit.count() / 1'000'000'000, limit.count() % 1'000'000'000};
    int const count = epoll_pwait2(epoll, events.data(), most, &relative, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
  }
  auto const rounded = std::chrono::ceil<std::chrono::milliseconds>(limit);
  return epoll_wait(epoll, events.data(), most, static_cast<int>(rounded.count()));
}

}  // namespace

Poller::Poller(int wake_descriptor)
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(wake_descriptor) {
  if (epoll_fd_ < 0) fail("trio: epoll_create1");
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = wake_fd_;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) < 0) {
    int const error = errno;
    close(epoll_fd_);
    throw std::system_error(error, std::generic_category(), "trio: epoll_ctl");
  }
}

Poller::~Poller() { close(epoll_fd_); }

std::size_t Poller::poll(Duration timeout) {
  std::array<epoll_event, 64> events;
  int const count = wait_for_events(epoll_fd_, events, timeout.nanoseconds());
  if (count < 0) {
    if (errno == EINTR) return 1;
    fail("trio: epoll_wait");
  }
  for (int i = 0; i < count; ++i) {
    epoll_event const& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_fd_) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] auto const drained = read(wake_fd_, &ignored, sizeof ignored);
      continue;
    }
    auto found = by_fd_.find(event.data.fd);
    if (found == by_fd_.end()) continue;
    bool const broken = event.events & (EPOLLERR | EPOLLHUP);
    if (broken || event.events & (EPOLLIN | EPOLLRDHUP)) wake_task(found->second.reader);
    if (broken || event.events & EPOLLOUT) wake_task(found->second.writer);
    // Silent until somebody asks again (EPOLLONESHOT), which then costs one call and not two.
    if (!found->second.reader && !found->second.writer) continue;
    // Fails if the descriptor was closed without notify_closing.
    if (int const error = update(event.data.fd, found->second))
      give_up(event.data.fd, found->second, error);
  }
  return static_cast<std::size_t>(count) + notify_all();
}

std::size_t Poller::notify_all() {
  for (int const fd : to_notify_) {
    auto const found = by_fd_.find(fd);
    // Not whoever has come to wait there since. epoll may stay armed: see poll().
    if (found != by_fd_.end() && std::exchange(found->second.reader_to_notify, false))
      wake_task(found->second.reader);
  }
  std::size_t const count = to_notify_.size();
  to_notify_.clear();
  return count;
}

void Poller::wake_task(Task*& waiter, std::exception_ptr error) {
  if (!waiter) return;
  Task* task = std::exchange(waiter, nullptr);
  --waiters_;
  // Not if it was rescheduled by hand just now.
  if (static_cast<TaskRecord*>(task)->parked) lowlevel::reschedule(*task, std::move(error));
}

void Poller::give_up(int fd, Waiters& waiters, int error) {
  auto const reason = std::make_exception_ptr(cannot_wait(error));
  wake_task(waiters.reader, reason);
  wake_task(waiters.writer, reason);
  by_fd_.erase(fd);
}

int Poller::update(int fd, Waiters& waiters) noexcept {
  if (!waiters.reader && !waiters.writer) {
    // Gone already if the descriptor was closed behind our back.
    if (waiters.registered) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
    by_fd_.erase(fd);
    return 0;
  }
  epoll_event event = {};
  event.events = (waiters.reader ? EPOLLIN | EPOLLRDHUP : 0u) | (waiters.writer ? EPOLLOUT : 0u) |
                 EPOLLONESHOT;
  event.data.fd = fd;
  int result = epoll_ctl(epoll_fd_, waiters.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  // The number may have been closed and reused since: by another file, or by one that epoll still
  // knows, because it is open elsewhere.
  if (result < 0 && errno == (waiters.registered ? ENOENT : EEXIST))
    result = epoll_ctl(epoll_fd_, waiters.registered ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  waiters.registered = true;
  return result < 0 ? errno : 0;
}

void Poller::wait(int fd, Direction direction) {
  Waiters& waiters = by_fd_[fd];
  if (waiters.in(direction))
    throw BusyResourceError(direction == Direction::read
                                ? "trio: another task is already waiting to read this descriptor"
                                : "trio: another task is already waiting to write this descriptor");
  Task* const task = &lowlevel::current_task();

  // Takes the task out if it wakes otherwise than through us: it will not stand here any more.
  struct Place {
    Poller& poller;
    int fd;
    Direction direction;
    Task* task;

    ~Place() { poller.leave(fd, direction, *task); }
  } const place{*this, fd, direction, task};

  waiters.in(direction) = task;
  if (direction == Direction::read) waiters.reader_to_notify = false;
  ++waiters_;
  if (int const error = update(fd, waiters)) {
    waiters.in(direction) = nullptr;
    --waiters_;
    give_up(fd, waiters, error);
    throw cannot_wait(error);
  }
  lowlevel::wait_task_rescheduled([&](lowlevel::RaiseCancel const&) {
    leave(fd, direction, *task);
    return lowlevel::Abort::succeeded;
  });
  if (leave(fd, direction, *task))
    throw MisuseError("trio: a task waiting for a descriptor was rescheduled by hand");
}

bool Poller::leave(int fd, Direction direction, Task const& task) noexcept {
  auto found = by_fd_.find(fd);
  if (found == by_fd_.end() || found->second.in(direction) != &task) return false;
  found->second.in(direction) = nullptr;
  --waiters_;
  if (!found->second.reader && !found->second.writer) update(fd, found->second);
  return true;
}

void Poller::notify_closing(int fd) {
  auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  std::exception_ptr closed;
  try {
    closed = std::make_exception_ptr(
        ClosedResourceError("trio: the descriptor was closed by another task"));
  } catch (std::bad_alloc const&) {
    // It is closed all the same.
    closed = std::current_exception();
  }
  wake_task(found->second.reader, closed);
  wake_task(found->second.writer, closed);
  update(fd, found->second);
}

void Poller::notify_readable(int fd) {
  auto found = by_fd_.find(fd);
  if (found == by_fd_.end() || !found->second.reader) return;
  wake_task(found->second.reader);
  if (!found->second.writer) update(fd, found->second);
}

void Poller::notify_readable_soon(int fd) {
  auto const found = by_fd_.find(fd);
  if (found == by_fd_.end() || !found->second.reader) return;
  if (found->second.reader_to_notify) return;
  to_notify_.push_back(fd);
  found->second.reader_to_notify = true;
}

}  // namespace trio::detail
