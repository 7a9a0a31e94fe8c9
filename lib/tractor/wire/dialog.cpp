// SPDX-License-Identifier: BSL-1.0
#include "dialog.hpp"

#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <string>

namespace tractor::wire {

namespace {

constexpr auto most_credit = static_cast<std::int64_t>(largest_window_bytes);

[[noreturn]] void refuse(char const* message, char const* why) {
  throw DecodeError(std::string("tractor: a ") + message + " " + why);
}

}  // namespace

bool Dialog::end_outgoing(Flow how) noexcept {
  if (outgoing_ != Flow::open || over_) return false;
  outgoing_ = how;
  // A caller that leaves before has only to cancel: anything else might overtake its Start.
  return started_;
}

bool Dialog::turn_deaf() noexcept {
  if (deaf_ || over_) return false;
  deaf_ = true;
  // Of a stream that has ended, nothing more can come.
  return started_ && incoming_ == Flow::open;
}

std::optional<Grant> Dialog::set_window(Window window) noexcept {
  owed_items_ += std::int64_t{window.items} - std::int64_t{window_.items};
  owed_bytes_ += static_cast<std::int64_t>(window.bytes) - static_cast<std::int64_t>(window_.bytes);
  window_ = window;
  return grant();
}

std::optional<Grant> Dialog::read(std::uint64_t bytes) noexcept {
  ++owed_items_;
  owed_bytes_ += static_cast<std::int64_t>(bytes);
  return grant();
}

std::optional<Grant> Dialog::grant() noexcept {
  if (over_ || deaf_ || incoming_ != Flow::open) return std::nullopt;
  auto const worth = [](std::int64_t owed, std::uint64_t whole) {
    return owed >= std::max<std::int64_t>(1, static_cast<std::int64_t>(whole / 4));
  };
  if (!worth(owed_items_, window_.items) && !worth(owed_bytes_, window_.bytes)) return std::nullopt;
  std::int64_t const items = std::max<std::int64_t>(owed_items_, 0);
  std::int64_t const bytes = std::max<std::int64_t>(owed_bytes_, 0);
  owed_items_ -= items;
  owed_bytes_ -= bytes;
  granted_items_ += items;
  granted_bytes_ += bytes;
  return Grant{static_cast<std::uint32_t>(items), static_cast<std::uint64_t>(bytes)};
}

void Dialog::check_started(char const* message) const {
  if (!started_) refuse(message, "before the Started of its context");
}

void Dialog::on_started() {
  if (side_ == Side::callee) refuse("Started", "from the caller of a context");
  if (started_) refuse("Started", "a second time in one context");
  started_ = true;
}

bool Dialog::on_item(std::uint64_t bytes) {
  check_started("Yield");
  if (incoming_ != Flow::open) refuse("Yield", "after the end of its stream");
  if (granted_items_ <= 0 || granted_bytes_ <= 0) refuse("Yield", "beyond what was granted");
  --granted_items_;
  granted_bytes_ -= static_cast<std::int64_t>(bytes);
  return !deaf_;
}

void Dialog::on_end_of_stream(Flow how) {
  char const* const message = how == Flow::stopped ? "Stop" : "Abort";
  check_started(message);
  if (incoming_ != Flow::open) refuse(message, "after the end of its stream");
  incoming_ = how;
}

void Dialog::on_credit(Grant grant) {
  // It may overtake the callee's Started, but nobody answers what he has not read.
  if (side_ == Side::callee) check_started("Credit");
  if (peer_is_deaf_) refuse("Credit", "from one who reads no more");
  if (grant.bytes > largest_window_bytes || credit_items_ + grant.items > most_credit ||
      credit_bytes_ + static_cast<std::int64_t>(grant.bytes) > most_credit)
    refuse("Credit", "that is beyond all measure");
  credit_items_ += grant.items;
  credit_bytes_ += static_cast<std::int64_t>(grant.bytes);
}

void Dialog::on_deaf() {
  if (side_ == Side::callee) check_started("Deaf");
  if (peer_is_deaf_) refuse("Deaf", "a second time in one context");
  peer_is_deaf_ = true;
}

void Dialog::on_return() {
  if (side_ == Side::callee) refuse("Return", "from the caller of a context");
  check_started("Return");
  if (incoming_ == Flow::open) incoming_ = Flow::stopped;
  over_ = true;
}

void Dialog::on_error() {
  if (side_ == Side::callee)
    check_started("caller's Error");
  else
    over_ = true;
}

}  // namespace tractor::wire
