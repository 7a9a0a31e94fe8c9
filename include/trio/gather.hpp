// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/lend.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace trio {

namespace detail {

// Blocks that are to lend together.
class Gathering {
 public:
  // `block` is called with the loan that it is to lend by.
  void add(std::function<void(Loan&)> block) { blocks_.emplace_back(std::move(block)); }

  // Runs the blocks, and `body` while all of them lend.
  void run(std::function<void()> const& body);

  template <class T> T& value(std::size_t i) { return blocks_[i].loan.value<T>(); }

 private:
  struct Block {
    explicit Block(std::function<void(Loan&)> what) : run(std::move(what)) {}

    std::function<void(Loan&)> run;
    Loan loan;
  };

  std::exception_ptr use_all_from(std::size_t i, std::function<void()> const& body);

  std::deque<Block> blocks_;
};

template <class Block> void add_to(Gathering& gathering, Block& block) {
  gathering.add(
      [&block](Loan& loan) { std::invoke(block, Lend<LentBy<std::remove_const_t<Block>>>(loan)); });
}

template <class... Block> constexpr bool check_blocks() {
  constexpr bool lend = (Lender<std::remove_cvref_t<Block>> && ...);
  static_assert(lend,
                "trio: gather(blocks..., body): the parameter of a block is a trio::Lend<T> of a "
                "definite type, not auto");
  return lend;
}

// What `body()` returns, called by gathering.run().
template <class Result, class Body> Result run_gathering(Gathering& gathering, Body const& body) {
  static_assert(!std::is_reference_v<Result>,
                "trio: the body of gather must return a value, not a reference");
  if constexpr (std::is_void_v<Result>) {
    gathering.run([&] { body(); });
  } else {
    std::optional<Result> result;
    gathering.run([&] { result.emplace(body()); });
    return std::move(result).value();
  }
}

template <std::size_t... i, class Arguments>
auto gather(std::index_sequence<i...>, Arguments const& arguments) {
  if constexpr (check_blocks<std::tuple_element_t<i, Arguments>...>()) {
    auto& body = std::get<sizeof...(i)>(arguments);
    Gathering gathering;
    (add_to(gathering, std::get<i>(arguments)), ...);
    auto const call = [&]() -> decltype(auto) {
      return std::invoke(
          body,
          gathering.value<LentBy<std::remove_cvref_t<std::tuple_element_t<i, Arguments>>>>(i)...);
    };
    return run_gathering<decltype(call())>(gathering, call);
  }
}

}  // namespace detail

// gather(blocks..., body): begins the blocks all at once, each in a task of its own; runs `body`
// with what they lend, in the order of the blocks, when all of them do; then has them clean up, all
// at once again; and returns what the body returned. As if the blocks were written around the body,
// one in the other, without waiting for one after the other.
//
//   trio::gather(open_connection, open_file, [](Connection& connection, File& file) { ... });
//
// If a block or the body fails, or the caller is cancelled, the body is cut short first; only when
// it is gone do the blocks get Cancelled in their lend(). While the body runs, no cancellation from
// outside reaches them. Throws the error of the body or of a block as it is, MultipleErrors if
// there are several; BrokenResourceError if a block ends while the body runs, and MisuseError if
// one lends nothing, or outside a task. A checkpoint. tractor's gather_contexts.
template <class... BlocksAndBody>
  requires(sizeof...(BlocksAndBody) > 1 &&
           !std::ranges::range<std::tuple_element_t<0, std::tuple<BlocksAndBody...>>>)
auto gather(BlocksAndBody&&... blocks_and_body) {
  return detail::gather(std::make_index_sequence<sizeof...(BlocksAndBody) - 1>(),
                        std::forward_as_tuple(blocks_and_body...));
}

// The same for a range of blocks of one type: `body` is given a std::vector of references
// (std::reference_wrapper<T>). Throws std::invalid_argument if the range is empty.
template <std::ranges::forward_range Blocks, class Body> auto gather(Blocks&& blocks, Body&& body) {
  using Block = std::ranges::range_value_t<Blocks>;
  if constexpr (detail::check_blocks<Block>()) {
    using T = detail::LentBy<Block>;
    if (std::ranges::empty(blocks)) throw std::invalid_argument("trio: gather needs a block");
    detail::Gathering gathering;
    for (auto& block : blocks) detail::add_to(gathering, block);
    auto const call = [&]() -> decltype(auto) {
      std::vector<std::reference_wrapper<T>> values;
      auto const count = static_cast<std::size_t>(std::ranges::distance(blocks));
      for (std::size_t i = 0; i < count; ++i) values.push_back(gathering.template value<T>(i));
      return std::invoke(body, values);
    };
    return detail::run_gathering<decltype(call())>(gathering, call);
  }
}

}  // namespace trio
