// SPDX-License-Identifier: BSL-1.0
// Whatever a peer says in a context, and whatever we do meanwhile: it is taken, or a DecodeError,
// and no more is kept than was granted.
#include "../../lib/tractor/wire/dialog.hpp"

#include "input.hpp"

#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace {

using fuzz::Input;
using tractor::wire::Dialog;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  Input input(data, size);
  Dialog rules(input.take<std::uint8_t>() % 2 ? Dialog::Side::caller : Dialog::Side::callee);
  std::uint64_t kept = 0;
  std::uint64_t granted = tractor::wire::Window().items;
  auto const add = [&](std::optional<tractor::wire::Grant> grant) {
    if (grant) granted += grant->items;
  };
  try {
    while (!input.is_empty()) {
      switch (input.take<std::uint8_t>() % 14) {
        case 0:
          rules.on_started();
          break;
        case 1:
          if (rules.on_item(input.take<std::uint64_t>())) ++kept;
          break;
        case 2:
          rules.on_end_of_stream(Dialog::Flow::stopped);
          break;
        case 3:
          rules.on_end_of_stream(Dialog::Flow::aborted);
          break;
        case 4: {
          auto const items = input.take<std::uint32_t>();
          rules.on_credit({items, input.take<std::uint64_t>()});
          break;
        }
        case 5:
          rules.on_deaf();
          break;
        case 6:
          rules.on_return();
          break;
        case 7:
          rules.on_error();
          break;
        case 8:
          if (rules.side() == Dialog::Side::callee) rules.start();
          break;
        case 9:
          if (rules.may_send()) rules.send(input.take<std::uint16_t>());
          break;
        case 10:
          rules.end_outgoing(Dialog::Flow::stopped);
          break;
        case 11:
          rules.turn_deaf();
          break;
        case 12:
          add(rules.set_window(
              {1u + input.take<std::uint16_t>(), 1u + input.take<std::uint32_t>()}));
          break;
        default:
          if (kept > 0) {
            --kept;
            add(rules.read(input.take<std::uint16_t>()));
          }
      }
      if (kept > granted) __builtin_trap();
    }
  } catch (tractor::DecodeError const&) {}
  return 0;
}
