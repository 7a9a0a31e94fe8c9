// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Which processes belong to an actor, whoever they are the children of by now: every actor has its
// lineage, the ids of its ancestors and its own, in its environment, where all that it starts
// inherits it. (Who wants a helper to outlive the tree starts it without that variable.)
namespace tractor::spawn {

// The environment variable.
inline constexpr char const* lineage_variable = "TRACTOR_LINEAGE";

// What this process has inherited; empty for nothing.
std::string inherited_lineage();
// The same with `id` added.
std::string lineage_from_here(std::string_view id);

// Descriptors (pidfd) of the living processes, other than this one, in whose lineage one of `ids`
// is. Reads all of /proc: some 10 us a process.
std::vector<trio::Descriptor> find_descendants(std::span<std::string const> ids);

// Sends a signal to the process of a pidfd. Any thread.
void signal(trio::Descriptor const& process, int number) noexcept;

}  // namespace tractor::spawn
