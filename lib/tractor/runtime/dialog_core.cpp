// SPDX-License-Identifier: BSL-1.0
#include <tractor/detail/dialog_core.hpp>
#include <tractor/errors.hpp>

#include <exception>
#include <string>
#include <utility>

namespace tractor::detail {

bool DialogCore::advance(std::uint8_t number) noexcept {
  for (Automaton::Edge const& edge : automaton_.states[state_].edges) {
    if (edge.message == number) {
      state_ = edge.next;
      ++count_;
      return true;
    }
  }
  return false;
}

void DialogCore::fail(std::string const& what, std::string received) {
  std::string const sentence =
      "tractor: " + channel_->peer() + ", the " + (role_ == Role::caller ? "callee" : "caller") +
      " of dialog " + automaton_.name() + ", " + what + ", where " + automaton_.describe(state_) +
      " (after " + std::to_string(count_) + " messages): build both sides from the same protocol";
  channel_->abort();
  finished_ = true;
  throw MsgTypeError(sentence, automaton_.describe(state_), std::move(received));
}

void DialogCore::send(Buffer message) {
  advance(number_of(message));
  channel_->send(std::move(message));
}

Buffer DialogCore::receive() {
  std::optional<Buffer> message = channel_->receive();
  if (!message) fail("ended it", "the end");
  if (message->empty()) fail("sent what is no message", "no message");
  std::uint8_t const number = number_of(*message);
  if (!advance(number)) {
    bool const known = number < automaton_.messages.size();
    std::string const sent =
        known ? automaton_.messages[number].name() : "message number " + std::to_string(number);
    fail("sent " + sent + (known ? "" : ", which the protocol has not"), sent);
  }
  return std::move(*message);
}

void DialogCore::fail_to_decode(std::uint8_t number, std::string const& why) {
  std::string const expected = automaton_.messages[number].name();
  std::string const sentence = "tractor: " + channel_->peer() + " sent a " + expected +
                               " in dialog " + automaton_.name() + " that cannot be read: " + why;
  channel_->abort();
  finished_ = true;
  throw MsgTypeError(sentence, expected, "what is no " + expected);
}

void DialogCore::finish() noexcept {
  finished_ = true;
  channel_->close();
}

void DialogCore::abandon() noexcept {
  if (std::exchange(finished_, true)) return;
  channel_->abort();
  if (role_ == Role::callee && std::uncaught_exceptions() == 0)
    channel_->cancel_callee("it let dialog " + automaton_.name() + " go where " +
                            automaton_.describe(state_));
}

DialogHold DialogHold::take(Automaton const& automaton, std::size_t state) {
  if (!core_)
    throw DialogMisuse("tractor: this step of dialog " + automaton.name() + " was already taken (" +
                       automaton.describe(state) +
                       "): go on with what the step returned, not with the object it was moved "
                       "from");
  return std::move(*this);
}

std::shared_ptr<DialogCore const> DialogHold::finish() noexcept {
  core_->finish();
  return std::exchange(core_, nullptr);
}

void check_finished(DialogCore const& core, DialogCore const* finished,
                    Automaton const& automaton) {
  if (finished == &core) return;
  throw DialogMisuse("tractor: dialog " + automaton.name() +
                     " was not finished: what was returned " +
                     (finished ? "is of another dialog" : "was moved from") +
                     "; return what finish() gives at the end of this one");
}

}  // namespace tractor::detail
