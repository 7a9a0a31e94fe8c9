// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/instrument.hpp>

#include <exception>
#include <functional>
#include <vector>

namespace trio::detail {

// Those that a run tells of what it does.
class Instruments {
 public:
  explicit Instruments(std::vector<Instrument*> const& instruments);

  bool empty() const noexcept { return members_.empty(); }

  void add(Instrument& instrument);
  void remove(Instrument& instrument);

  // Calls `(instrument.*hook)(arguments...)` of each that is there now.
  template <class... P, class... A>
  void tell(void (Instrument::*hook)(P...), A&&... arguments) noexcept {
    if (!empty()) [[unlikely]]
      tell_each([&](Instrument& instrument) { (instrument.*hook)(arguments...); });
  }

 private:
  void tell_each(std::function<void(Instrument&)> const& call) noexcept;
  bool has(Instrument const& instrument) const noexcept;
  void drop(Instrument& instrument, std::exception_ptr const& error) noexcept;

  std::vector<Instrument*> members_;
};

}  // namespace trio::detail
