// SPDX-License-Identifier: BSL-1.0
#include "zmq_context.hpp"

#include "quiet_thread.hpp"

#include <trio/descriptor.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <semaphore>
#include <system_error>
#include <thread>

#include <sys/eventfd.h>

namespace tractor::ipc {

namespace {

void throw_without_descriptors() {
  constexpr std::size_t enough = 8;
  std::array<trio::Descriptor, enough> spare;
  for (trio::Descriptor& each : spare) {
    each = trio::Descriptor(eventfd(0, EFD_CLOEXEC));
    if (each.get() < 0)
      throw std::system_error(errno, std::generic_category(),
                              "tractor: no descriptors left for links with other actors");
  }
}

class SpareThread {
 public:
  SpareThread() = default;
  SpareThread(SpareThread const&) = delete;
  SpareThread& operator=(SpareThread const&) = delete;

  ~SpareThread() {
    end_.release();
    thread_.join();
  }

 private:
  std::binary_semaphore end_{0};
  std::thread thread_ = quiet_thread([this] { end_.acquire(); });
};

}  // namespace

ZmqContext::ZmqContext() : context_(1) {
  throw_without_descriptors();
  // As many as ZeroMQ's own.
  { SpareThread const threads[2]; }
  zmq::socket_t(context_, zmq::socket_type::pair).close();
}

}  // namespace tractor::ipc
