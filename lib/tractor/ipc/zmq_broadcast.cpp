// SPDX-License-Identifier: BSL-1.0
#include "zmq_broadcast.hpp"

#include <cstddef>
#include <cstring>
#include <utility>

namespace tractor::ipc {

namespace {

// Up to this, copying the payload is cheaper than a part of its own.
constexpr std::size_t max_merged_payload = 4096;

void put(char*& at, void const* data, std::size_t size) {
  if (size != 0) std::memcpy(at, data, size);
  at += size;
}

}  // namespace

zmq::message_t encode_choice(bool hear, std::string_view topic, Match match) {
  bool const whole = match == Match::exactly;
  zmq::message_t message(1 + topic.size() + (whole ? 1 : 0));
  auto* at = message.data<char>();
  *at++ = hear ? 1 : 0;
  put(at, topic.data(), topic.size());
  if (whole) *at = 0;
  return message;
}

std::optional<std::string_view> unterminated(std::string_view topic) {
  if (topic.empty() || topic.back() != 0) return {};
  return topic.substr(0, topic.size() - 1);
}

void encode(std::string_view topic, Stamp const& stamp, Buffer payload, ZmqMessage& message) {
  bool const merged = payload.size() <= max_merged_payload;
  zmq::message_t& head = message.storage[message.count++];
  head.rebuild(topic.size() + 1 + sizeof stamp + (merged ? payload.size() : 0));
  auto* at = head.data<char>();
  put(at, topic.data(), topic.size());
  *at++ = 0;
  put(at, &stamp, sizeof stamp);
  if (merged) {
    put(at, payload.data(), payload.size());
  } else {
    auto const region = payload.release();
    message.storage[message.count++].rebuild(region.data, region.size, region.free, region.hint);
  }
}

std::optional<Heard> decode_heard(std::span<zmq::message_t> parts) {
  if (parts.empty() || parts.size() > 2) return {};
  std::string_view const head = parts[0].to_string_view();
  auto const end_of_topic = head.find('\0');
  if (end_of_topic == head.npos) return {};
  std::size_t const skipped = end_of_topic + 1 + sizeof(Stamp);
  if (head.size() < skipped || (parts.size() == 2 && head.size() != skipped)) return {};
  Heard heard{std::string(head.substr(0, end_of_topic)), {}, {}};
  std::memcpy(&heard.stamp, head.data() + end_of_topic + 1, sizeof heard.stamp);
  if (parts.size() == 2) {
    heard.payload = Buffer::adopt(std::move(parts[1]));
  } else {
    auto* const kept = new zmq::message_t(std::move(parts[0]));
    heard.payload = Buffer(
        kept->data<std::byte>() + skipped, kept->size() - skipped,
        [](void*, void* hint) { delete static_cast<zmq::message_t*>(hint); }, kept);
  }
  return heard;
}

}  // namespace tractor::ipc
