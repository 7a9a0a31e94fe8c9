// SPDX-License-Identifier: BSL-1.0
#include "message.hpp"

#include <tractor/archive.hpp>
#include <tractor/expose.hpp>
#include <tractor/wire_errors.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace tractor::wire {

namespace {

template <std::size_t... I> Message make_of_kind(std::size_t kind, std::index_sequence<I...>) {
  Message message;
  ((kind == I ? void(message.emplace<I>()) : void()), ...);
  return message;
}

}  // namespace

FunctionRef refer_to(FunctionId const& function) {
  FunctionRef reference;
  reference.name = function.name();
  reference.record = function.offset();
  reference.signature_hash = function.signature_hash();
  return reference;
}

Buffer encode_header(Message const& message) {
  OutputArchive archive;
  archive(static_cast<std::uint8_t>(message.index()));
  if (auto const* hello = std::get_if<Hello>(&message)) archive(magic, hello->version);
  std::visit([&](auto const& what) { archive(what); }, message);
  return archive.take();
}

Message decode_header(std::span<std::byte const> header) {
  InputArchive archive(header);
  std::uint8_t kind = 0;
  archive(kind);
  if (kind >= std::variant_size_v<Message>)
    throw DecodeError("tractor: a message of unknown kind " + std::to_string(kind));
  Message message = make_of_kind(kind, std::make_index_sequence<std::variant_size_v<Message>>());
  if (auto* hello = std::get_if<Hello>(&message)) {
    std::uint32_t their_magic = 0;
    archive(their_magic, hello->version);
    if (their_magic != magic) throw DecodeError("tractor: a greeting that is not tractor's");
    if (hello->version != protocol_version)
      throw DecodeError("tractor: a peer speaks protocol version " +
                        std::to_string(hello->version) + ", we speak " +
                        std::to_string(protocol_version) + "; build both from one version");
  }
  std::visit([&](auto& what) { archive(what); }, message);
  archive.finish();
  return message;
}

Buffer join_items(std::span<Buffer const> items, std::size_t size) {
  Buffer payload(size);
  std::byte* at = payload.data();
  for (Buffer const& item : items) {
    auto const item_size = static_cast<ItemSize>(item.size());
    std::memcpy(at, &item_size, sizeof item_size);
    at += sizeof item_size;
    if (!item.empty()) std::memcpy(at, item.data(), item.size());
    at += item.size();
  }
  return payload;
}

std::vector<Buffer> split_items(Buffer payload, std::size_t most) {
  // One owner of all: each item counts.
  struct Shared {
    Buffer whole;
    std::size_t users = 1;

    static void drop(void* /*data*/, void* hint) {
      auto* const shared = static_cast<Shared*>(hint);
      if (--shared->users == 0) delete shared;
    }
  };

  auto* const shared = new Shared{std::move(payload)};
  Buffer const ours(nullptr, 0, Shared::drop, shared);
  std::vector<Buffer> items;
  std::byte* at = shared->whole.data();
  std::size_t left = shared->whole.size();
  while (left > 0) {
    ItemSize size = 0;
    if (left < sizeof size) throw DecodeError("tractor: items that end within a size");
    std::memcpy(&size, at, sizeof size);
    at += sizeof size;
    left -= sizeof size;
    if (size > left) throw DecodeError("tractor: an item that is longer than the message it is in");
    if (items.size() == most)
      throw DecodeError("tractor: more items in a message than were granted");
    ++shared->users;
    items.emplace_back(at, size, Shared::drop, shared);
    at += size;
    left -= size;
  }
  return items;
}

char const* kind_name(Message const& message) {
  static constexpr auto names =
      std::to_array<char const*>({"Hello", "Welcome", "Refusal", "Start", "Return", "Error",
                                  "Cancel", "CancelActor", "Goodbye", "Farewell", "Ping", "Pong",
                                  "Started", "Yield", "Yields", "Stop", "Abort", "Credit", "Deaf"});
  static_assert(names.size() == std::variant_size_v<Message>);
  return names[message.index()];
}

}  // namespace tractor::wire
