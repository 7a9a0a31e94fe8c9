// SPDX-License-Identifier: BSL-1.0
#include <trio/gather.hpp>
#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>
#include <trio/teardown.hpp>
#include <trio/time.hpp>

#include <algorithm>
#include <exception>

namespace trio::detail {

std::exception_ptr Gathering::use_all_from(std::size_t i, std::function<void()> const& body) {
  return blocks_[i].loan.use([&] {
    if (i + 1 == blocks_.size()) return body();
    if (auto error = use_all_from(i + 1, body)) std::rethrow_exception(std::move(error));
  });
}

void Gathering::run(std::function<void()> const& body) {
  open_own_nursery([&](Nursery& nursery) {
    for (Block& block : blocks_)
      nursery.start_soon([&block] {
        block.loan.run_block([&] { block.run(block.loan); });
        if (block.loan.error()) std::rethrow_exception(block.loan.error());
      });
    for (Block& block : blocks_) block.loan.wait_while_opening();
    // What has reached a block already must not leave the body without what it lent: its end
    // cancels us, if we are not yet.
    lowlevel::checkpoint();
    if (!std::ranges::all_of(blocks_, [](Block const& block) { return block.loan.is_lent(); }))
      sleep_forever();
    for (Block& block : blocks_) block.loan.scope().set_shield(true);
    auto const error = use_all_from(0, body);
    for (Block& block : blocks_) {
      if (error)
        block.loan.scope().cancel("the body of gather has failed");
      else
        block.loan.give_back();
      block.loan.scope().set_shield(false);
    }
    if (error) std::rethrow_exception(error);
  });
}

}  // namespace trio::detail
