// SPDX-License-Identifier: BSL-1.0
#include "peer.hpp"

#include "boxing.hpp"
#include "local_actor.hpp"
#include "payload.hpp"

#include <tractor/errors.hpp>
#include <tractor/log.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/exception_group.hpp>
#include <trio/io.hpp>
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

// Of an error that is told as the reason of a cancellation.
constexpr std::size_t longest_reason = 500;

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

std::int64_t remaining_time() {
  trio::Time const deadline = trio::current_effective_deadline();
  if (deadline == trio::never) return -1;
  return std::max<std::int64_t>(
      0, trio::between(trio::current_time(), deadline).nanoseconds().count());
}

}  // namespace

bool Call::was_thrown() const noexcept {
  return trio::exception_cast<RemoteOrigin>(error) && !was_cancelled;
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

bool Peer::take_first_turn() {
  auto const looks = trio::lowlevel::looks_for_input();
  return std::exchange(first_turn_at_, looks) != looks;
}

void Peer::flush_later(std::shared_ptr<ContextCore> context) noexcept {
  unflushed_.push_back(std::move(context));
  if (unflushed_.size() > 1) return;
  try {
    if (!flusher_.is_started())
      flusher_.start(actor_.service_nursery(), "sending to " + id_.name, [this] { flush_all(); });
    flusher_.wake();
  } catch (std::exception const&) {
    // The service is ending, or has no descriptor to spare.
    flush_all();
  }
}

void Peer::flush_all() noexcept {
  for (auto const& context : std::exchange(unflushed_, {})) context->flush();
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
  same_build_ = welcome->build_id == build_id();
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
    same_build_ = hello->build_id == build_id();
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
  } catch (std::exception const& error) {
    // No memory, or no stack for another task: nobody else reads this link, so it is over.
    log(LogLevel::error, "giving up the link with " + describe(id_) + ": " + error.what());
    return std::make_exception_ptr(TransportClosed("tractor: the link with " + describe(id_) +
                                                   " was given up: " + error.what()));
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
  flusher_.stop();
  flush_all();
  link_->close(linger);
  for (auto& [dialog, call] : std::exchange(calls_, {})) {
    call->error = failure_;
    call->done.set();
  }
  opened_contexts_ = 0;
  for (auto& [dialog, context] : std::exchange(contexts_, {})) context->lose_link(failure_);
  ready_.set();
}

void Peer::wait_ready() {
  ready_.wait();
  if (failure_) std::rethrow_exception(failure_);
}

wire::Start Peer::begin(FunctionId const& function, Buffer const& arguments) {
  check_payload_size(arguments, "an argument list");
  wire::Start start;
  start.dialog = std::exchange(next_dialog_, next_dialog_ + 2);
  start.function.name = function.name();
  // A function in a shared library has no place in the program.
  if (same_build_) start.function.record = function.offset();
  if (start.function.record == 0) {
    start.function.signature = function.signature();
    start.function.signature_hash = signature_hash(start.function.signature);
  }
  start.remaining = remaining_time();
  start.caller = trio::lowlevel::current_task().name();
  return start;
}

std::shared_ptr<Call> Peer::begin_call(FunctionId const& function, Buffer arguments) {
  wire::Start const start = begin(function, arguments);
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
  await_own_deadline(call->error, deadline);
  if (call->error) std::rethrow_exception(call->error);
  return std::move(call->result);
}

void Peer::await_own_deadline(std::exception_ptr const& error, trio::Time deadline) {
  auto const* cancelled = trio::exception_cast<ContextCancelled>(error);
  if (!cancelled || cancelled->reason().source != trio::CancelSource::deadline) return;
  if (deadline == trio::never || deadline == trio::expired) return;
  trio::sleep_until(deadline);
  trio::lowlevel::checkpoint();
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
  } else if (auto const context = find_context(answer.dialog)) {
    // One that is refused stays, for the end of the link to end it.
    context->on(answer, std::move(result));
    forget(*context);
  }
}

void Peer::on(wire::Error answer, Buffer) {
  if (auto const call = take_call(answer.dialog)) {
    call->was_cancelled = answer.kind == wire::Error::Kind::cancelled;
    call->error = unbox(std::move(answer));
    call->done.set();
  } else if (is_ours(answer.dialog)) {
    auto const context = find_context(answer.dialog);
    // The body begins before it hears of the end.
    if (context && answer.after_started && !context->is_started()) {
      context->keep_until_started(std::move(answer));
    } else if (context) {
      context->on(std::move(answer), {});
      forget(*context);
    }
  } else if (auto const served = find_context(answer.dialog)) {
    served->on(std::move(answer), {});
  }
}

void Peer::on(wire::Started started, Buffer value) {
  auto const context = find_context(started.dialog);
  if (!context) return;
  context->on(started, std::move(value));
  if (auto error = context->take_early_error()) on(std::move(*error), {});
}

void Peer::on(wire::Cancel request, Buffer) {
  check_is_theirs(request.dialog);
  if (auto const found = tasks_.find(request.dialog); found != tasks_.end()) {
    trio::CancelReason reason{trio::CancelSource::remote, std::move(request.source_task),
                              std::move(request.reason)};
    auto const served = found->second;
    served->cancelled_by_caller = true;
    if (served->context)
      served->context->cancelled_by_caller(std::move(reason));
    else
      served->scope.cancel(std::move(reason));
  } else if (request.dialog > newest_start_) {
    cancelled_before_start_.insert(request.dialog);
  }
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

bool Peer::is_ours(std::uint64_t dialog) const noexcept {
  bool const odd = dialog % 2 == 1;
  return odd == (side_ == Side::connected);
}

void Peer::check_is_theirs(std::uint64_t dialog) const {
  if (is_ours(dialog))
    throw DecodeError("tractor: dialog " + std::to_string(dialog) + " is not theirs to begin");
}

std::string const& Peer::name_of(Entry const& entry) {
  std::string& name = names_[&entry];
  if (name.empty()) name = entry.id().readable_name();
  return name;
}

void Peer::refuse(std::uint64_t dialog, wire::RefusedBecause because, std::string sentence,
                  std::string signatures) {
  wire::Error error;
  error.dialog = dialog;
  error.kind = wire::Error::Kind::refused;
  error.because = because;
  error.error.source = self_;
  error.error.fields = std::move(signatures);
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
    try_send(
        Lane::control,
        box_cancelled(
            {id_, false, {trio::CancelSource::remote, start.caller, "cancelled before it began"}},
            start.dialog, self_));
    return;
  }
  if (actor_.is_cancelled()) {
    refuse(start.dialog, wire::RefusedBecause::cancelled, "it is being cancelled");
    return;
  }
  Resolution const resolution =
      resolve(actor_.exposed(), {start.function.name, same_build_ ? start.function.record : 0,
                                 start.function.signature_hash});
  if (!resolution.entry) {
    bool const mismatch = resolution.refusal == Refusal::signature_mismatch;
    std::string const theirs = printable(start.function.signature);
    refuse(start.dialog,
           mismatch                                     ? wire::RefusedBecause::signature
           : resolution.refusal == Refusal::not_exposed ? wire::RefusedBecause::not_exposed
                                                        : wire::RefusedBecause::unknown,
           resolution.sentence + (mismatch ? "; the caller's signature: " + theirs : ""),
           mismatch ? box_signatures({theirs, resolution.signature}) : "");
    return;
  }
  Entry const& entry = *resolution.entry;
  bool const opens = start.opens == wire::Opens::context;
  if (opens != entry.takes_context()) {
    refuse(start.dialog, wire::RefusedBecause::wrong_kind,
           name_of(entry) + (opens ? " has no context to be opened, it is to be called"
                                   : " cannot be called, its context is to be opened"));
    return;
  }
  auto const served = std::make_shared<Served>(
      start.remaining < 0
          ? trio::never
          : trio::after(trio::current_time(), std::chrono::nanoseconds(start.remaining)));
  if (opens) {
    served->context = std::make_shared<ContextCore>(shared_from_this(), ContextCore::Side::callee,
                                                    start.dialog, entry.id());
    served->context->set_scope(&served->scope);
    contexts_.emplace(start.dialog, served->context);
  }
  tasks_.emplace(start.dialog, served);
  actor_.task_nursery().start_soon(
      {.name = name_of(entry)}, [self = shared_from_this(), dialog = start.dialog, &entry, served,
                                 given = std::move(arguments)]() mutable {
        self->run_task(dialog, entry, *served, std::move(given));
      });
}

void Peer::run_task(std::uint64_t dialog, Entry const& entry, Served& served, Buffer arguments) {
  Buffer result;
  auto error = outcome_of(dialog, entry, served, std::move(arguments), result);
  tasks_.erase(dialog);
  if (!error && served.context) served.context->flush();
  if (error && served.context) error->after_started = served.context->is_started();
  if (error)
    try_send(Lane::control, *error);
  else
    try_send(Lane::data, wire::Return{dialog}, std::move(result));
  if (!served.context) return;
  forget(*served.context);
  served.context->set_scope(nullptr);
  served.context->end(nullptr);
}

std::optional<wire::Error> Peer::outcome_of(std::uint64_t dialog, Entry const& entry,
                                            Served& served, Buffer arguments, Buffer& result) {
  std::shared_ptr<ContextCore> const& context = served.context;
  bool returned = false;
  auto thrown = trio::detail::caught_from([&] {
    auto outcome = served.scope.enter([&] { return entry.invoke(std::move(arguments), context); });
    returned = outcome.value.has_value();
    if (!returned) return;
    // What a task returns that was to be cancelled is of no interest.
    if (context && context->cancel_requested()) {
      returned = false;
      return;
    }
    if (context && !context->is_started())
      throw trio::MisuseError("tractor: " + context->endpoint() +
                              " returned without calling started() of its context, as its protocol "
                              "asks for");
    check_payload_size(*outcome.value, "a result");
    result = std::move(*outcome.value);
  });
  if (returned && !thrown) return std::nullopt;
  // What came of the caller's leaving is the caller's doing.
  if (thrown && context && context->aborted())
    thrown = trio::detail::sieve(
        thrown, [&](std::exception_ptr const& error) { return error == context->aborted(); });
  if (!thrown && context) thrown = context->error();
  if (!thrown) return box_cancelled(cancellation_of(served), dialog, self_);
  return box_outcome(thrown, name_of(entry), dialog, self_, same_build_, cancellation_of(served));
}

Cancellation Peer::cancellation_of(Served const& served) const {
  Cancellation cancellation{self_, false, served.scope.cause()};
  std::shared_ptr<ContextCore> const& context = served.context;
  if (context && context->cancel_called()) return cancellation;
  if (served.cancelled_by_caller) {
    cancellation.canceller = id_;
  } else if (actor_.is_cancelled()) {
    cancellation.canceller = actor_.canceller();
    cancellation.of_actor = true;
  } else if (context && context->aborted()) {
    cancellation.canceller = id_;
  }
  return cancellation;
}

template <class Message> void Peer::on(Message message, Buffer payload) {
  if (auto const context = find_context(message.dialog)) context->on(message, std::move(payload));
}

std::shared_ptr<ContextCore> Peer::find_context(std::uint64_t dialog) {
  if (auto const found = contexts_.find(dialog); found != contexts_.end()) return found->second;
  bool const ours = is_ours(dialog);
  if (ours ? dialog >= next_dialog_ : dialog > newest_start_)
    throw DecodeError("tractor: a message of dialog " + std::to_string(dialog) +
                      ", which has not begun");
  if (ours ? calls_.contains(dialog) : tasks_.contains(dialog))
    throw DecodeError("tractor: a message of a context in dialog " + std::to_string(dialog) +
                      ", which is a call");
  return nullptr;
}

void Peer::forget(ContextCore const& context) noexcept {
  if (contexts_.erase(context.dialog()) > 0 && is_ours(context.dialog())) --opened_contexts_;
}

void Peer::open_context(FunctionId const& function, Buffer arguments, trio::Duration patience,
                        ContextBody const& body) {
  trio::lowlevel::checkpoint_if_cancelled();
  wait_ready();
  trio::Time const deadline = trio::current_effective_deadline();
  wire::Start start = begin(function, arguments);
  start.opens = wire::Opens::context;
  send(Lane::data, start, std::move(arguments));
  auto const context = std::make_shared<ContextCore>(shared_from_this(), ContextCore::Side::caller,
                                                     start.dialog, function);
  contexts_.emplace(start.dialog, context);
  ++opened_contexts_;
  trio::CancelScope scope;
  auto leaving = trio::detail::caught_from([&] {
    context->wait_started();
    if (!context->is_started()) return;
    context->set_owner(&trio::lowlevel::current_task());
    context->set_scope(&scope);
    static_cast<void>(scope.enter([&] { body(context, context->take_started_value()); }));
  });
  context->set_scope(nullptr);
  context->set_owner(nullptr);
  context->close_stream(leaving ? ContextCore::Flow::aborted : ContextCore::Flow::stopped);
  finish(*context, std::move(leaving), deadline, patience);
}

void Peer::finish(ContextCore& context, std::exception_ptr leaving, trio::Time deadline,
                  trio::Duration patience) {
  std::exception_ptr aborted;
  if (leaving) {
    // What the body only passed on is told by how the context has ended.
    auto const rest = trio::detail::sieve(leaving, [&](std::exception_ptr const& error) {
      return error == context.error() || error == context.aborted();
    });
    if (!rest) aborted = context.aborted();
    leaving = rest;
  }
  if (!leaving)
    leaving = trio::detail::caught_from([&] {
      if (!aborted) return context.wait_over();
      // The error that the callee has left its stream by most often ends it, too, and says more.
      // But it may as well stay.
      static_cast<void>(trio::move_on_after(patience, [&] { context.wait_over(); }));
      if (!context.is_over()) std::rethrow_exception(aborted);
    });
  if (leaving) std::rethrow_exception(abandon(context, leaving, patience));
  std::exception_ptr const error = context.error() ? context.error() : aborted;
  if (!error || context.ended_as_we_wanted()) return;
  await_own_deadline(error, deadline);
  std::rethrow_exception(error);
}

std::exception_ptr Peer::abandon(ContextCore& context, std::exception_ptr const& leaving,
                                 trio::Duration patience) {
  struct Forget {
    Peer& peer;
    ContextCore& context;
    std::exception_ptr const& leaving;

    ~Forget() {
      // What it still says nobody wants to hear.
      peer.forget(context);
      context.end(leaving);
    }
  } const forget{*this, context, leaving};

  auto const* cancelled = trio::exception_cast<trio::Cancelled>(leaving);
  if (!context.is_over()) {
    if (cancelled)
      context.request_cancel(cancelled->reason().source_task, trio::describe(cancelled->reason()));
    else
      context.request_cancel(trio::lowlevel::current_task().name(),
                             trio::describe(leaving).substr(0, longest_reason));
    trio::shielded(
        [&] { static_cast<void>(trio::move_on_after(patience, [&] { context.wait_over(); })); });
  }
  // The task there has ended badly by itself, or in its clean-up.
  bool const has_failed = trio::exception_cast<RemoteOrigin>(context.error()) &&
                          !trio::exception_cast<ContextCancelled>(context.error());
  if (!has_failed) return leaving;
  // That must not be lost behind a cancellation; and behind an error of the body's it is told.
  if (cancelled) return context.error();
  log(LogLevel::warning, "the error of a context's body hides one of " + context.endpoint() +
                             ", which was cancelled for it: " + report(context.error()));
  return leaving;
}

}  // namespace tractor::runtime
