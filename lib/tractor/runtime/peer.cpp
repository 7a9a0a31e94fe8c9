// SPDX-License-Identifier: BSL-1.0
#include "peer.hpp"

#include "boxing.hpp"
#include "local_actor.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>
#include <trio/nursery.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

namespace tractor::runtime {

using ipc::Lane;

namespace {

// A Cancel may overtake its Start, but not many of them by much.
constexpr std::size_t most_cancelled_before_start = 100'000;

// How long what was sent last may take to leave.
constexpr std::chrono::seconds linger(1);

// What came over the wire, fit to be read.
std::string printable(std::string_view text) {
  constexpr std::size_t longest = 1000;
  std::string shown(text.substr(0, longest));
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return text.size() > longest ? shown + "..." : shown;
}

// Throws EncodeError for what a link would not carry; the rest of the message is small.
void check_size(Buffer const& payload, char const* what) {
  constexpr std::size_t rest = 1 << 20;
  if (payload.size() > ipc::max_message_size - rest)
    throw EncodeError(std::string("tractor: ") + what + " of " + std::to_string(payload.size()) +
                      " bytes is too large for one message, which may have " +
                      std::to_string(ipc::max_message_size) + "; send it in parts");
}

std::int64_t remaining_time() {
  trio::Time const deadline = trio::current_effective_deadline();
  if (deadline == trio::never) return -1;
  return std::max<std::int64_t>(
      0, trio::between(trio::current_time(), deadline).nanoseconds().count());
}

}  // namespace

bool Call::was_cancelled() const noexcept {
  return trio::exception_cast<ContextCancelled>(error) != nullptr;
}

bool Call::was_thrown() const noexcept {
  return trio::exception_cast<RemoteOrigin>(error) && !was_cancelled();
}

Peer::Peer(LocalActor& actor, std::unique_ptr<ipc::Link> link, Side side)
    : actor_(actor),
      self_(actor.id()),
      side_(side),
      link_(std::move(link)),
      next_dialog_(side == Side::connected ? 1 : 2) {}

void Peer::send(Lane lane, wire::Message const& message, Buffer payload) {
  if (failure_) std::rethrow_exception(failure_);
  link_->send(lane, {wire::encode_header(message), std::move(payload)});
}

void Peer::try_send(Lane lane, wire::Message const& message, Buffer payload) noexcept {
  if (failure_) return;
  try {
    link_->send(lane, {wire::encode_header(message), std::move(payload)});
  } catch (TransportClosed const&) {
    // serve() finds out by itself.
  }
}

wire::Message Peer::receive_message(Buffer& payload) {
  ipc::Frame frame = link_->receive();
  payload = std::move(frame.payload);
  return wire::decode_header(frame.header.bytes());
}

void Peer::introduce_ourselves() {
  link_->wait_connected();
  wire::Hello hello;
  hello.sender = self_;
  hello.build_id = build_id();
  send(Lane::control, hello);
  Buffer payload;
  wire::Message answer = receive_message(payload);
  // The lanes do not wait for each other: a first call may come before we know that we are in.
  while (std::holds_alternative<wire::Start>(answer)) {
    early_.emplace_back(std::move(answer), std::move(payload));
    answer = receive_message(payload);
  }
  if (auto const* refusal = std::get_if<wire::Refusal>(&answer))
    throw TransportClosed("tractor: the parent refused this actor: " + refusal->reason);
  auto const* welcome = std::get_if<wire::Welcome>(&answer);
  if (!welcome)
    throw DecodeError(std::string("tractor: expected a Welcome, got a ") + wire::kind_name(answer));
  id_ = welcome->sender;
  build_id_ = welcome->build_id;
  ready_.set();
}

void Peer::await_introduction(ActorId const& expected) {
  link_->wait_connected();
  Buffer none;
  try {
    wire::Message const greeting = receive_message(none);
    auto const* hello = std::get_if<wire::Hello>(&greeting);
    if (!hello)
      throw DecodeError(std::string("tractor: expected a Hello, got a ") +
                        wire::kind_name(greeting));
    auto const credentials = link_->credentials();
    if (hello->sender.uuid != expected.uuid || hello->sender.pid != expected.pid ||
        (credentials && credentials->pid != 0 && credentials->pid != expected.pid))
      throw DecodeError("tractor: somebody else than " + describe(expected) +
                        " answered in its place");
    build_id_ = hello->build_id;
  } catch (DecodeError const& error) {
    try_send(Lane::control, wire::Refusal{error.what()});
    throw;
  }
  id_ = expected;
  send(Lane::control, wire::Welcome{self_, build_id()});
  ready_.set();
  if (cancel_asked_) request_cancel(*cancel_asked_);
}

void Peer::serve(Explain const& explain) {
  std::exception_ptr cancelled;
  std::exception_ptr reason;
  try {
    reason = run_messages();
    if (reason && explain) reason = explain(reason);
  } catch (trio::Cancelled const&) {
    cancelled = std::current_exception();
  }
  if (!reason)
    reason = std::make_exception_ptr(TransportClosed("tractor: actor " + describe(id_) +
                                                     " has ended, the link with it is over"));
  be_over(reason);
  if (cancelled) std::rethrow_exception(cancelled);
}

std::exception_ptr Peer::run_messages() {
  try {
    for (auto& [message, payload] : std::exchange(early_, {}))
      dispatch(std::move(message), std::move(payload));
    while (goodbyes_ < 2 && !farewell_.is_set()) {
      Buffer payload;
      wire::Message message = receive_message(payload);
      dispatch(std::move(message), std::move(payload));
    }
  } catch (TransportClosed const&) {
    return std::current_exception();
  } catch (DecodeError const& error) {
    log(LogLevel::error, "ending the link with " + describe(id_) + ": " + error.what());
    return std::make_exception_ptr(
        TransportClosed("tractor: " + describe(id_) + " sent what is no message: " + error.what()));
  }
  return nullptr;
}

void Peer::dispatch(wire::Message message, Buffer payload) {
  std::visit([&](auto& what) { on(std::move(what), std::move(payload)); }, message);
}

void Peer::be_over(std::exception_ptr reason) {
  fail(std::move(reason));
  for (auto& [dialog, served] : tasks_)
    served->scope.cancel({trio::CancelSource::remote, {}, "the caller's actor is gone"});
  over_.set();
  ending_.set();
  if (pong_) pong_->set();
}

void Peer::fail(std::exception_ptr reason) {
  if (!failure_) failure_ = std::move(reason);
  link_->close(linger);
  for (auto& [dialog, call] : std::exchange(calls_, {})) {
    call->error = failure_;
    call->done.set();
  }
  ready_.set();
}

void Peer::wait_ready() {
  ready_.wait();
  if (failure_) std::rethrow_exception(failure_);
}

std::shared_ptr<Call> Peer::begin_call(FunctionId const& function, Buffer arguments) {
  check_size(arguments, "an argument list");
  wire::Start start;
  start.dialog = std::exchange(next_dialog_, next_dialog_ + 2);
  start.function.name = function.name();
  // A function in a shared library has no place in the program.
  if (build_id_ == build_id()) start.function.record = function.offset();
  if (start.function.record == 0) {
    start.function.signature = function.signature();
    start.function.signature_hash = signature_hash(start.function.signature);
  }
  start.remaining = remaining_time();
  start.caller = trio::lowlevel::current_task().name();
  send(Lane::data, start, std::move(arguments));
  auto call = std::make_shared<Call>();
  call->dialog = start.dialog;
  calls_.emplace(start.dialog, call);
  return call;
}

Buffer Peer::call(FunctionId const& function, Buffer arguments, trio::Duration patience) {
  trio::lowlevel::checkpoint_if_cancelled();
  wait_ready();
  trio::Time const deadline = trio::current_effective_deadline();
  auto const call = begin_call(function, std::move(arguments));
  std::exception_ptr leaving;
  try {
    call->done.wait();
  } catch (...) {
    // Cancelled or Interrupted.
    leaving = std::current_exception();
  }
  if (leaving) abandon(*call, leaving, patience);
  if (call->was_cancelled()) {
    auto const& reason = trio::exception_cast<ContextCancelled>(call->error)->reason();
    // Our own deadline reached the callee a moment before us: it is ours to raise.
    if (reason.source == trio::CancelSource::deadline && deadline != trio::never &&
        deadline != trio::expired) {
      trio::sleep_until(deadline);
      trio::lowlevel::checkpoint();
    }
  }
  if (call->error) std::rethrow_exception(call->error);
  return std::move(call->result);
}

void Peer::abandon(Call& call, std::exception_ptr const& leaving, trio::Duration patience) {
  struct Forget {
    Peer& peer;
    std::uint64_t dialog;

    ~Forget() { peer.calls_.erase(dialog); }
  } const forget{*this, call.dialog};

  wire::Cancel request{call.dialog, trio::lowlevel::current_task().name(), "interrupted"};
  if (auto const* cancelled = trio::exception_cast<trio::Cancelled>(leaving)) {
    request.source_task = cancelled->reason().source_task;
    request.reason = trio::describe(cancelled->reason());
  }
  try_send(Lane::control, request);
  trio::shielded(
      [&] { static_cast<void>(trio::move_on_after(patience, [&] { call.done.wait(); })); });
  // The task there ended by itself, badly: that must not be lost behind the cancellation.
  std::rethrow_exception(call.was_thrown() ? call.error : leaving);
}

bool Peer::answers_within(trio::Duration patience) {
  if (is_over()) return true;
  auto const pong = std::make_shared<trio::Event>();
  pong_ = pong;
  try_send(Lane::control, wire::Ping{++pings_});
  static_cast<void>(trio::move_on_after(patience, [&] { pong->wait(); }));
  return pong->is_set();
}

void Peer::request_cancel(std::string reason) {
  if (is_ready())
    try_send(Lane::control, wire::CancelActor{self_, std::move(reason)});
  else
    cancel_asked_ = std::move(reason);
  ending_.set();
}

void Peer::say_goodbye(trio::Duration patience) {
  try_send(Lane::data, wire::Goodbye{});
  try_send(Lane::control, wire::Goodbye{});
  trio::shielded([&] { static_cast<void>(trio::move_on_after(patience, [&] { over_.wait(); })); });
}

std::shared_ptr<Call> Peer::take_call(std::uint64_t dialog) {
  auto const found = calls_.find(dialog);
  // The answer to a call that nobody waits for any more.
  if (found == calls_.end()) return nullptr;
  auto call = std::move(found->second);
  calls_.erase(found);
  return call;
}

void Peer::on(wire::Return answer, Buffer result) {
  if (auto const call = take_call(answer.dialog)) {
    call->result = std::move(result);
    call->done.set();
  }
}

void Peer::on(wire::Error answer, Buffer) {
  if (auto const call = take_call(answer.dialog)) {
    call->error = unbox(std::move(answer));
    call->done.set();
  }
}

void Peer::on(wire::Cancel request, Buffer) {
  check_is_theirs(request.dialog);
  if (auto const found = tasks_.find(request.dialog); found != tasks_.end())
    found->second->scope.cancel(
        {trio::CancelSource::remote, std::move(request.source_task), std::move(request.reason)});
  else if (request.dialog > newest_start_)
    cancelled_before_start_.insert(request.dialog);
  if (cancelled_before_start_.size() > most_cancelled_before_start)
    throw DecodeError("tractor: it cancels calls that it never makes");
}

void Peer::on(wire::CancelActor request, Buffer) {
  actor_.cancel_requested_by(*this, request.canceller, std::move(request.reason));
}

void Peer::on(wire::Goodbye, Buffer) {
  if (++goodbyes_ == 2) try_send(Lane::control, wire::Farewell{});
}

void Peer::on(wire::Farewell, Buffer) { farewell_.set(); }

void Peer::on(wire::Hello, Buffer) { throw DecodeError("tractor: a second Hello on one link"); }

void Peer::on(wire::Welcome, Buffer) { throw DecodeError("tractor: a second Welcome on one link"); }

void Peer::on(wire::Refusal, Buffer) {
  throw DecodeError("tractor: a Refusal after the handshake");
}

void Peer::on(wire::Ping ping, Buffer) { try_send(Lane::control, wire::Pong{ping.number}); }

void Peer::on(wire::Pong pong, Buffer) {
  // A late answer to an earlier one is a sign of life as well.
  if (pong_ && pong.number <= pings_) pong_->set();
}

void Peer::check_is_theirs(std::uint64_t dialog) const {
  bool const odd = dialog % 2 == 1;
  if (odd != (side_ == Side::listened))
    throw DecodeError("tractor: dialog " + std::to_string(dialog) + " is not theirs to begin");
}

std::string const& Peer::name_of(Entry const& entry) {
  std::string& name = names_[&entry];
  if (name.empty()) name = entry.id().readable_name();
  return name;
}

void Peer::refuse(std::uint64_t dialog, wire::RefusedBecause because, std::string sentence) {
  wire::Error error;
  error.dialog = dialog;
  error.kind = wire::Error::Kind::refused;
  error.because = because;
  error.error.source = self_;
  error.error.message =
      "tractor: actor " + describe(self_) + " refuses a call: " + std::move(sentence);
  try_send(Lane::control, error);
}

void Peer::on(wire::Start start, Buffer arguments) {
  check_is_theirs(start.dialog);
  if (start.dialog <= newest_start_)
    throw DecodeError("tractor: dialog " + std::to_string(start.dialog) + " begun a second time");
  newest_start_ = start.dialog;
  if (cancelled_before_start_.erase(start.dialog) > 0) {
    try_send(Lane::control,
             box_cancelled({trio::CancelSource::remote, start.caller, "cancelled before it began"},
                           start.dialog, self_));
    return;
  }
  if (actor_.is_cancelled()) {
    refuse(start.dialog, wire::RefusedBecause::cancelled, "it is being cancelled");
    return;
  }
  bool const same_build = build_id_ == build_id();
  Resolution const resolution = resolve(
      actor_.exposed(),
      {start.function.name, same_build ? start.function.record : 0, start.function.signature_hash});
  if (!resolution.entry) {
    bool const mismatch = resolution.refusal == Refusal::signature_mismatch;
    refuse(
        start.dialog,
        mismatch                                     ? wire::RefusedBecause::signature
        : resolution.refusal == Refusal::not_exposed ? wire::RefusedBecause::not_exposed
                                                     : wire::RefusedBecause::unknown,
        resolution.sentence +
            (mismatch ? "; the caller's signature: " + printable(start.function.signature) : ""));
    return;
  }
  auto const served = std::make_shared<Served>(
      start.remaining < 0
          ? trio::never
          : trio::after(trio::current_time(), std::chrono::nanoseconds(start.remaining)));
  tasks_.emplace(start.dialog, served);
  actor_.task_nursery().start_soon(
      {.name = name_of(*resolution.entry)},
      [self = shared_from_this(), dialog = start.dialog, entry = resolution.entry, served,
       given = std::move(arguments)]() mutable { self->run_task(dialog, *entry, served, given); });
}

void Peer::run_task(std::uint64_t dialog, Entry const& entry, std::shared_ptr<Served> served,
                    Buffer& arguments) {
  std::optional<wire::Error> error;
  Buffer result;
  auto const thrown = trio::detail::caught_from([&] {
    auto outcome = served->scope.enter([&] { return entry.invoke(std::move(arguments)); });
    if (!outcome.value) {
      error = box_cancelled(served->scope.cause(), dialog, self_);
      return;
    }
    check_size(*outcome.value, "a result");
    result = std::move(*outcome.value);
  });
  if (thrown)
    error = box_outcome(thrown, entry.id().readable_name(), dialog, self_, build_id_ == build_id());
  tasks_.erase(dialog);
  if (error)
    try_send(Lane::control, *error);
  else
    try_send(Lane::data, wire::Return{dialog}, std::move(result));
}

}  // namespace tractor::runtime
