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

  bool empty() const noexcept { return empty_; }

  // Throws MisuseError while one is being told: it may be on the loop's stack.
  void check_not_telling() const {
    if (telling_) [[unlikely]]
      refuse_to_wait();
  }

  void add(Instrument& instrument);
  void remove(Instrument& instrument);

  // Calls `(instrument.*hook)(arguments...)` of each that is there now. Costs a look at a flag
  // where there is none.
  template <class... P, class... A>
  void tell(void (Instrument::*hook)(P...), A&&... arguments) noexcept {
    if (!empty()) [[unlikely]]
      tell_all(hook, arguments...);
  }

 private:
  template <class Hook, class... A>
  [[gnu::noinline, gnu::cold]] void tell_all(Hook hook, A&... arguments) noexcept {
    tell_each([&](Instrument& instrument) { (instrument.*hook)(arguments...); });
  }

  void tell_each(std::function<void(Instrument&)> const& call) noexcept;
  bool has(Instrument const& instrument) const noexcept;
  void drop(Instrument& instrument, std::exception_ptr const& error) noexcept;

  [[noreturn]] static void refuse_to_wait();

  bool empty_ = true;
  bool telling_ = false;
  std::vector<Instrument*> members_;
};

}  // namespace trio::detail
