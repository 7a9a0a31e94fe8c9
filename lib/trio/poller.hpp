// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/time.hpp>

#include <cstddef>
#include <exception>
#include <unordered_map>
#include <vector>

namespace trio {

class Task;

namespace detail {

// The run's epoll: which task waits for which descriptor. At most one task a direction.
class Poller {
 public:
  // `wake_descriptor` is an eventfd: writing to it ends the present or next poll(). Throws
  // std::system_error if the kernel gives no epoll.
  explicit Poller(int wake_descriptor);
  Poller(Poller const&) = delete;
  Poller& operator=(Poller const&) = delete;
  ~Poller();

  // Sleeps until something happens, for `timeout` at the most (0 to 24 hours), and reschedules
  // the tasks concerned. Returns how many events there were; a wake() counts as one. Throws
  // std::system_error if the kernel refuses.
  std::size_t poll(Duration timeout);

  enum class Direction { read, write };
  // Parks the current task; see lowlevel::wait_readable.
  void wait(int fd, Direction direction);
  void notify_closing(int fd);
  void notify_readable(int fd);
  // The same by the next poll(), which must not sleep.
  void notify_readable_soon(int fd);

  bool has_to_notify() const noexcept { return !to_notify_.empty(); }

  // Readable when poll() has something to tell.
  int descriptor() const noexcept { return epoll_fd_; }

  // How many tasks wait.
  std::size_t waiters() const noexcept { return waiters_; }

 private:
  struct Waiters {
    Task* reader = nullptr;
    Task* writer = nullptr;
    bool registered = false;
    // The reader that waits now is in to_notify_.
    bool reader_to_notify = false;

    Task*& in(Direction direction) { return direction == Direction::read ? reader : writer; }
  };

  // Tells epoll what is waited for on `fd`; forgets a descriptor that nobody waits for. Returns 0,
  // or the errno if epoll refuses.
  int update(int fd, Waiters& waiters) noexcept;
  // The task does not wait there any more. False if it did not.
  bool leave(int fd, Direction direction, Task const& task) noexcept;
  // Wakes who waits there, if anybody does.
  void wake_task(Task*& waiter, std::exception_ptr error = nullptr);
  // As notify_readable_soon() has asked; returns how many.
  std::size_t notify_all();
  // epoll refused this descriptor: wakes who waits for it with the reason.
  void give_up(int fd, Waiters& waiters, int error);

  int epoll_fd_;
  int const wake_fd_;
  std::size_t waiters_ = 0;
  std::unordered_map<int, Waiters> by_fd_;
  std::vector<int> to_notify_;
};

}  // namespace detail
}  // namespace trio
