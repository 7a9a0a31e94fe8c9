// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/errors.hpp>
#include <trio/cancelled.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace trio {

template <class Archive> void serialize(Archive& archive, StackFrame& frame) {
  archive(frame.module, frame.offset, frame.function, frame.file, frame.line, frame.kind);
}

template <class Archive> void serialize(Archive& archive, CancelReason& reason) {
  archive(reason.source, reason.source_task, reason.reason);
}

}  // namespace trio

namespace tractor {

class FunctionId;

template <class Archive> void serialize(Archive& archive, Cancellation& cancellation) {
  archive(cancellation.canceller, cancellation.of_actor, cancellation.reason);
}

template <class Archive> void serialize(Archive& archive, BoxedError& error) {
  archive(error.type, error.message, error.source, error.function, error.relay_path, error.stack,
          error.build_id, error.members, error.registered_as, error.fields_hash, error.fields,
          error.cancellation);
}

}  // namespace tractor

namespace tractor::wire {

// What actors say to each other. A message is the header of a frame; where one has a payload
// (arguments, a result), that is the frame's other part and stays opaque until its owner decodes
// it.
//
// A dialog is one call and its answer, or a context: two linked tasks, the caller's and the
// callee's, and a stream each way between them. Its number is chosen by who begins it, rising, odd
// for the side that connected the link and even for the side that listened. What may be said in a
// context when, and how much of it, is in dialog.hpp.

inline constexpr std::uint32_t magic = 0x54524f54;
inline constexpr std::uint16_t protocol_version = 1;

// First on a link, from the side that connected. Magic and version come first for all time, so that
// any version can tell what it cannot read.
struct Hello {
  std::uint16_t version = protocol_version;
  ActorId sender = {};
  // Of the program: functions are named by their place within equal builds.
  std::string build_id = {};

  template <class Archive> void serialize(Archive& archive) { archive(sender, build_id); }
};

// The answer to a Hello that was accepted.
struct Welcome {
  ActorId sender = {};
  std::string build_id = {};

  template <class Archive> void serialize(Archive& archive) { archive(sender, build_id); }
};

// The answer to one that was not; the link ends.
struct Refusal {
  std::string reason = {};

  template <class Archive> void serialize(Archive& archive) { archive(reason); }
};

// Which function: by name, and between equal builds, where names alone may not suffice, by the
// place of its record; between different builds, by what it takes and returns.
struct FunctionRef {
  std::string name = {};
  std::uint64_t record = 0;
  std::uint64_t signature_hash = 0;
  std::string signature = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(name, record, signature_hash, signature);
  }
};

// Without its signature, which is long.
FunctionRef refer_to(FunctionId const& function);

// What a dialog is.
enum class Opens : std::uint8_t { call, context };

// Begins a dialog: run this function. Payload: its arguments.
struct Start {
  std::uint64_t dialog = 0;
  Opens opens = Opens::call;
  FunctionRef function = {};
  // How long the caller will wait, in nanoseconds; negative: for ever.
  std::int64_t remaining = -1;
  // For people: the task that calls.
  std::string caller = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(dialog, opens, function, remaining, caller);
  }
};

// Ends a dialog well. Payload: the result.
struct Return {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// Why a call was not taken up.
enum class RefusedBecause : std::uint8_t {
  not_exposed,
  unknown,
  signature,
  cancelled,
  // Called as what it is not: a call or a context.
  wrong_kind
};

// Ends a dialog badly; from the caller of a context: what the callee sent cannot be taken, it is to
// end with this error.
struct Error {
  enum class Kind : std::uint8_t { thrown, cancelled, refused };

  std::uint64_t dialog = 0;
  Kind kind = Kind::thrown;
  // Of a cancelled one with its cancellation.
  BoxedError error = {};
  // Of a refused one.
  RefusedBecause because = RefusedBecause::unknown;
  // Of a context: a Started was said before, which this may have overtaken.
  bool after_started = false;

  template <class Archive> void serialize(Archive& archive) {
    archive(dialog, kind, error, because, after_started);
  }
};

// The caller wants this dialog cancelled; the answer is its Return or Error.
struct Cancel {
  std::uint64_t dialog = 0;
  std::string source_task = {};
  std::string reason = {};

  template <class Archive> void serialize(Archive& archive) {
    archive(dialog, source_task, reason);
  }
};

// The callee of a context is ready. Payload: the value that its protocol has for this, or none.
struct Started {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// An item of the sender's stream: the payload.
struct Yield {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// Several items, that waited to be sent together. Payload: for each its size in four bytes, lowest
// first, and itself.
struct Yields {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// The sender's stream ends here, as it should: all of it was sent.
struct Stop {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// The sender's stream ends here, in its middle: it was left by an exception.
struct Abort {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// So much more may be sent of the stream to who says this.
struct Credit {
  std::uint64_t dialog = 0;
  std::uint32_t items = 0;
  std::uint64_t bytes = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog, items, bytes); }
};

// Whatever of the stream is still sent to who says this will not be read, and needs no credit.
struct Deaf {
  std::uint64_t dialog = 0;

  template <class Archive> void serialize(Archive& archive) { archive(dialog); }
};

// The whole actor is to end: cancel all its work, then say Goodbye.
struct CancelActor {
  ActorId canceller = {};
  std::string reason = {};

  template <class Archive> void serialize(Archive& archive) { archive(canceller, reason); }
};

// Last words, one on each lane: nothing follows.
struct Goodbye {
  template <class Archive> void serialize(Archive&) {}
};

// All was received: go.
struct Farewell {
  template <class Archive> void serialize(Archive&) {}
};

// Is your scheduler alive? It answers with a Pong of the same number, at once.
struct Ping {
  std::uint64_t number = 0;

  template <class Archive> void serialize(Archive& archive) { archive(number); }
};

struct Pong {
  std::uint64_t number = 0;

  template <class Archive> void serialize(Archive& archive) { archive(number); }
};

// The order is the protocol's: a message's number is its place here.
using Message =
    std::variant<Hello, Welcome, Refusal, Start, Return, Error, Cancel, CancelActor, Goodbye,
                 Farewell, Ping, Pong, Started, Yield, Yields, Stop, Abort, Credit, Deaf>;

// A message as the bytes of a header, and back. decode throws DecodeError with a sentence, for
// another protocol version too.
Buffer encode_header(Message const& message);
Message decode_header(std::span<std::byte const> header);

// The payload of a Yields, of `size` bytes: the items and as many ItemSizes.
using ItemSize = std::uint32_t;
Buffer join_items(std::span<Buffer const> items, std::size_t size);
// The items of such a payload, none of them copied. Throws DecodeError, also if there are more than
// `most`: each costs more here than the four bytes that an empty one has on its way.
std::vector<Buffer> split_items(Buffer payload, std::size_t most);

// The name of a message's kind, for logs.
char const* kind_name(Message const& message);

}  // namespace tractor::wire
