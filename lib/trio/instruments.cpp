// SPDX-License-Identifier: BSL-1.0
#include "instruments.hpp"

#include "runner.hpp"

#include <trio/detail/type_name.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>

#include <algorithm>
#include <cstdio>
#include <typeinfo>
#include <utility>

namespace trio {

namespace detail {

Instruments::Instruments(std::vector<Instrument*> const& instruments) {
  for (Instrument* instrument : instruments) add(*instrument);
}

void Instruments::tell_each(std::function<void(Instrument&)> const& call) noexcept {
  // A hook may add and remove, and what it does may be told in turn.
  auto const present = members_;
  bool const telling = std::exchange(telling_, true);
  for (Instrument* instrument : present) {
    if (!has(*instrument)) continue;
    try {
      call(*instrument);
    } catch (...) {
      drop(*instrument, std::current_exception());
    }
  }
  telling_ = telling;
}

void Instruments::refuse_to_wait() {
  throw MisuseError("trio: an instrument must not wait: it is called by the run loop itself");
}

bool Instruments::has(Instrument const& instrument) const noexcept {
  return std::ranges::find(members_, &instrument) != members_.end();
}

void Instruments::add(Instrument& instrument) {
  if (!has(instrument)) members_.push_back(&instrument);
  empty_ = false;
}

void Instruments::remove(Instrument& instrument) {
  if (std::erase(members_, &instrument) == 0)
    throw MisuseError(
        "trio: remove_instrument: this instrument is not in the run; it was never added, or was "
        "removed, perhaps because it has thrown");
  empty_ = members_.empty();
}

void Instruments::drop(Instrument& instrument, std::exception_ptr const& error) noexcept {
  std::erase(members_, &instrument);
  empty_ = members_.empty();
  std::fprintf(stderr, "trio: an instrument (%s) has thrown and was removed: %s\n",
               type_name(typeid(instrument)).c_str(), describe(error).c_str());
}

}  // namespace detail

void lowlevel::add_instrument(Instrument& instrument) {
  detail::Runner::current().instruments().add(instrument);
}

void lowlevel::remove_instrument(Instrument& instrument) {
  detail::Runner::current().instruments().remove(instrument);
}

}  // namespace trio
