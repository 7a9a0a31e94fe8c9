// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport_options.hpp"

#include <trio/nursery.hpp>

#include <cstddef>

namespace tractor::ipc {

// What all links and listeners of a transport over Unix sockets share.
struct UnixShared {
  // Where their tasks live.
  trio::Nursery& service;
  TransportOptions options;
  bool process_ends = false;

  std::size_t largest_frame() const { return static_cast<std::size_t>(options.max_message_size); }
};

}  // namespace tractor::ipc
