// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "transport.hpp"

#include <string>
#include <type_traits>

#include <zmq.hpp>

namespace tractor::ipc {

// Runs `body` with ZeroMQ's own errors told as ours: "cannot listen at ipc:///x: No such file ...".
template <class Body> auto telling(std::string const& what, Body&& body)
    -> std::invoke_result_t<Body> {
  try {
    return body();
  } catch (zmq::error_t const& error) {
    throw TransportClosed("tractor: cannot " + what + ": " + error.what());
  }
}

// Calls `body` again while a signal interrupts it.
template <class Body> auto uninterrupted(Body&& body) -> std::invoke_result_t<Body> {
  for (;;) {
    try {
      return body();
    } catch (zmq::error_t const& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

}  // namespace tractor::ipc
