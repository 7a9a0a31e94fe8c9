// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Messages for people, in the notation of JSON: what a log, a debugger or a bug report shows of
// bytes that went over the wire. It needs no type, only the text of its schema, which is what every
// signature consists of: so it reads what another build has sent, too.
namespace tractor {

// What is kept of a dump, unless said otherwise.
inline constexpr std::size_t longest_dump = 64 * 1024;

// `bytes` as a value of `schema`, which is what schema_of() gives; or, for a whole signature, as
// signature_text() gives it, as the list of its arguments. No more than `longest` bytes of it.
// Whatever the two say, this throws nothing but std::bad_alloc, and takes no more memory and time
// than their sizes and `longest` ask for: where it cannot go on, the text ends in a remark in angle
// brackets that says at which byte and why, and what is before that stands. Not a checkpoint.
//
// A class is an object, or an array if none of its members has a name (see cereal's NVP); members
// without one beside those with are called by their places. Bytes are hexadecimal, and so is what
// a Codec has made; a variant is an object of its alternative, number and type; durations are
// texts, as are times, since their clock's epoch. What is not UTF-8 in a string is shown as if it
// was Latin-1.
std::string dump(std::string_view schema, std::span<std::byte const> bytes,
                 std::size_t longest = longest_dump);

// `value` as it would be sent. Throws EncodeError, and what its own serialize() throws.
template <serialisable T> std::string dump(T const& value) {
  return dump(schema_of<T>(), encode(value).bytes());
}

}  // namespace tractor
