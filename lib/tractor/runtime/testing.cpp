// SPDX-License-Identifier: BSL-1.0
#include "context_core.hpp"
#include "peer.hpp"

#include <tractor/errors.hpp>
#include <tractor/testing.hpp>

#include <exception>

namespace tractor::testing {

namespace {

void cut(runtime::Peer& peer) {
  peer.fail(std::make_exception_ptr(
      TransportClosed("tractor: the link with " + describe(peer.id()) + " was broken by a test")));
}

}  // namespace

void break_link(Portal const& portal) { cut(portal.peer()); }

void break_link(ContextBase const& context) { cut(context.core()->peer()); }

}  // namespace tractor::testing
