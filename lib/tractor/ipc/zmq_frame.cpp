// SPDX-License-Identifier: BSL-1.0
#include "zmq_frame.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

namespace tractor::ipc {

namespace {

// Up to this, copying the payload is cheaper than a part of its own.
constexpr std::size_t max_merged_payload = 4096;

// In a message of kind `frame` the header's size stands behind the kind.
using HeaderSize = std::uint32_t;
constexpr std::size_t merged_prefix = 1 + sizeof(HeaderSize);

std::byte* bytes(zmq::message_t& message) { return message.data<std::byte>(); }

void put(std::byte*& at, void const* data, std::size_t size) {
  if (size != 0) std::memcpy(at, data, size);
  at += size;
}

// A received message of which two buffers, on whatever threads, use a part each.
struct Shared {
  zmq::message_t message;
  std::atomic<int> users = 2;

  static void drop(void* /*data*/, void* hint) {
    auto* shared = static_cast<Shared*>(hint);
    if (shared->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
  }
};

std::optional<Frame> decode_merged(zmq::message_t& message) {
  if (message.size() < merged_prefix) return {};
  HeaderSize header_size = 0;
  std::memcpy(&header_size, bytes(message) + 1, sizeof header_size);
  std::size_t const rest = message.size() - merged_prefix;
  if (header_size > rest) return {};
  auto* shared = new Shared{std::move(message)};
  std::byte* header = bytes(shared->message) + merged_prefix;
  return Frame{Buffer(header, header_size, Shared::drop, shared),
               Buffer(header + header_size, rest - header_size, Shared::drop, shared)};
}

std::optional<Frame> decode_large(zmq::message_t& head, zmq::message_t& payload) {
  Buffer header(head.size() - 1);
  std::byte* at = header.data();
  put(at, bytes(head) + 1, header.size());
  return Frame{std::move(header), Buffer::adopt(std::move(payload))};
}

}  // namespace

bool is_greeting(std::span<zmq::message_t const> parts) {
  return parts.size() == 1 && parts[0].empty();
}

std::optional<ZmqKind> kind_of(std::span<zmq::message_t const> parts) {
  if (parts.empty() || parts[0].empty()) return {};
  auto const kind = *parts[0].data<ZmqKind>();
  if (kind > ZmqKind::end) return {};
  if (parts.size() != (kind == ZmqKind::large_frame ? 2u : 1u)) return {};
  return kind;
}

zmq::message_t encode(ZmqKind kind) { return zmq::message_t(&kind, sizeof kind); }

void encode(Frame frame, ZmqMessage& message) {
  auto const add = [&](ZmqKind kind, std::size_t size) {
    zmq::message_t& part = message.storage[message.count++];
    part.rebuild(size);
    std::byte* at = bytes(part);
    put(at, &kind, sizeof kind);
    return at;
  };
  auto& [header, payload] = frame;
  if (payload.size() <= max_merged_payload) {
    auto const header_size = static_cast<HeaderSize>(header.size());
    std::byte* at = add(ZmqKind::frame, merged_prefix + header.size() + payload.size());
    put(at, &header_size, sizeof header_size);
    put(at, header.data(), header.size());
    put(at, payload.data(), payload.size());
  } else {
    std::byte* at = add(ZmqKind::large_frame, 1 + header.size());
    put(at, header.data(), header.size());
    auto const region = payload.release();
    message.storage[message.count++].rebuild(region.data, region.size, region.free, region.hint);
  }
}

std::optional<Frame> decode(ZmqKind kind, std::span<zmq::message_t> parts) {
  return kind == ZmqKind::frame ? decode_merged(parts[0]) : decode_large(parts[0], parts[1]);
}

}  // namespace tractor::ipc
