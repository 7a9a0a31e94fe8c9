// SPDX-License-Identifier: BSL-1.0
#include <trio/detail/stream_descriptor.hpp>
#include <trio/errors.hpp>
#include <trio/io.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>

namespace trio::detail {

StreamDescriptor::StreamDescriptor(Descriptor given) : fd_(std::move(given)) {
  int const flags = fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) < 0)
    throw std::system_error(errno, std::generic_category(), "trio: a stream needs a descriptor");
  was_blocking_ = (flags & O_NONBLOCK) == 0;
}

StreamDescriptor& StreamDescriptor::operator=(StreamDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::move(other.fd_);
    was_blocking_ = other.was_blocking_;
  }
  return *this;
}

void StreamDescriptor::close() {
  if (fd_.get() < 0) return;
  lowlevel::notify_closing(fd_.get());
  if (was_blocking_) fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) & ~O_NONBLOCK);
  fd_ = Descriptor();
}

int StreamDescriptor::get_open() const {
  if (fd_.get() < 0) throw ClosedResourceError("trio: this end is closed");
  return fd_.get();
}

}  // namespace trio::detail
