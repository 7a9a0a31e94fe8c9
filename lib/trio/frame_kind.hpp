// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/stack_trace.hpp>

#include <string>
#include <string_view>

namespace trio::detail {

// Who is behind a function, by its name as the linker has it; or by the file it is written in, if
// all that is known is the bare name in the source: compilers give no other to inlined functions
// that the linker never sees.
StackFrame::Kind kind_of_function(std::string_view name, std::string_view file = {});

// "trio::MemorySendChannel::send" of
// "void trio::MemorySendChannel<int>::send<int const&>(int const&)".
std::string short_name(std::string_view readable);

}  // namespace trio::detail
