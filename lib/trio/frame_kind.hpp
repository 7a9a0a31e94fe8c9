// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/stack_trace.hpp>

#include <string>
#include <string_view>

namespace trio::detail {

// Who is behind a function, by its name as the linker has it.
StackFrame::Kind kind_of_function(std::string_view linkage_name);

// "trio::MemorySendChannel::send" of
// "void trio::MemorySendChannel<int>::send<int const&>(int const&)".
std::string short_name(std::string_view readable);

}  // namespace trio::detail
