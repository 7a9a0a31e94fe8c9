// SPDX-License-Identifier: BSL-1.0
#include "context_core.hpp"

#include <tractor/stream.hpp>

#include <exception>
#include <utility>

namespace tractor::detail {

StreamEnd::StreamEnd(std::shared_ptr<runtime::ContextCore> core) noexcept
    : core_(std::move(core)), exceptions_(std::uncaught_exceptions()) {}

StreamEnd& StreamEnd::operator=(StreamEnd&& other) noexcept {
  if (this != &other) {
    close();
    core_ = std::move(other.core_);
    exceptions_ = other.exceptions_;
  }
  return *this;
}

std::shared_ptr<runtime::ContextCore> StreamEnd::core() const {
  if (!core_) throw trio::ClosedResourceError("tractor: this stream was moved elsewhere");
  return core_;
}

// Its user may go while it waits.
void StreamEnd::send(Buffer item) {
  auto const kept = core();
  kept->send(std::move(item));
}

void StreamEnd::end_sending() { core()->end_sending(); }

void StreamEnd::close() noexcept {
  using Flow = runtime::ContextCore::Flow;
  if (core_)
    core_->close_stream(std::uncaught_exceptions() > exceptions_ ? Flow::aborted : Flow::stopped);
}

std::uint64_t StreamEnd::dropped() const noexcept { return core_ ? core_->dropped() : 0; }

std::optional<Buffer> next_item(runtime::ContextCore& core) {
  auto const kept = core.shared_from_this();
  return core.next();
}

std::optional<Buffer> next_item_nowait(runtime::ContextCore& core) { return core.next_nowait(); }

Buffer share(Bytes const& item) {
  auto owner = std::make_unique<Bytes>(item);
  // Nobody writes into a buffer that was sent.
  auto* const data = const_cast<std::byte*>(owner->data());
  std::size_t const size = owner->size();
  return Buffer(
      data, size, [](void*, void* hint) { delete static_cast<Bytes*>(hint); }, owner.release());
}

}  // namespace tractor::detail
