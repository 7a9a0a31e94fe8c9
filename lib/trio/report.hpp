// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/exception_group.hpp>

#include <exception>
#include <string>

namespace trio::detail {

// What stands under an error in a report: whole lines, each after `indent`; or nothing.
using Footnote = std::string (*)(std::exception_ptr const& error, std::string const& indent);

// The group as an indented tree, a line and its footnote a member.
std::string report(BaseExceptionGroup const& group, std::string const& indent, Footnote footnote);

}  // namespace trio::detail
