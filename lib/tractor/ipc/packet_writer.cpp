// SPDX-License-Identifier: BSL-1.0
#include "packet_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace tractor::ipc {

namespace {

// A frame of the control lane waits for one of these at the most, and for what the kernel holds.
constexpr std::size_t largest_chunk = 256 * 1024;

// What a call writes at the most: a peer that reads as fast must not keep the scheduler from
// others.
constexpr std::size_t most_at_once = 4 * largest_chunk;

// Memory that is kept for what is gathered next.
constexpr std::size_t most_kept = 256 * 1024;

bool is_whole(Frame const& frame) noexcept {
  return frame.payload.size() <= largest_whole_frame &&
         frame.header.size() <= largest_whole_frame - frame.payload.size();
}

}  // namespace

// All of it or, where there is no memory, nothing: half a packet would make another one of what
// follows.
void PacketWriter::append(PacketHead const& head, std::span<std::byte const> header,
                          std::span<std::byte const> payload) {
  auto const encoded = encode(head);
  std::size_t const size = bytes_.size() + encoded.size() + header.size() + payload.size();
  if (size > bytes_.capacity()) bytes_.reserve(std::max(size, 2 * bytes_.capacity()));
  bytes_.insert(bytes_.end(), encoded.begin(), encoded.end());
  bytes_.insert(bytes_.end(), header.begin(), header.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
}

void PacketWriter::append_whole(Lane lane, Frame const& frame) {
  append({PacketKind::frame, lane, static_cast<std::uint32_t>(frame.header.size()),
          frame.payload.size()},
         frame.header.bytes(), frame.payload.bytes());
}

void PacketWriter::greet(std::string_view identity) {
  std::string const text = std::string(greeting_word).append(identity);
  append({PacketKind::greeting, Lane::control, static_cast<std::uint32_t>(text.size()), 0},
         std::as_bytes(std::span(text)));
}

void PacketWriter::welcome() { append({PacketKind::welcome, Lane::control, 0, 0}); }

void PacketWriter::refuse() { append({PacketKind::refusal, Lane::control, 0, 0}); }

void PacketWriter::end() { ends_ = true; }

void PacketWriter::push(Lane lane, Frame frame) {
  if (is_whole(frame) && waiting(lane).empty() && chunk_.empty() && !has_enough())
    append_whole(lane, frame);
  else
    waiting(lane).push_back({std::move(frame)});
}

bool PacketWriter::empty() const noexcept {
  return unwritten() == 0 && waiting_[0].empty() && waiting_[1].empty() && !ends_;
}

// Makes what leaves next, when all that was made has left.
void PacketWriter::gather() {
  written_ = 0;
  bytes_.clear();
  if (bytes_.capacity() > most_kept) bytes_.shrink_to_fit();
  chunk_owner_ = {};
  if (!gather_from(Lane::control) || !gather_from(Lane::data)) return;
  if (!ends_) return;
  append({PacketKind::end, Lane::control, 0, 0});
  ends_ = false;
}

// False: that is enough.
bool PacketWriter::gather_from(Lane lane) {
  auto& queue = waiting(lane);
  while (!queue.empty()) {
    if (has_enough()) return false;
    auto& [frame, begun, cut] = queue.front();
    if (is_whole(frame)) {
      append_whole(lane, frame);
      queue.pop_front();
      continue;
    }
    if (!begun)
      append({PacketKind::large_frame, lane, static_cast<std::uint32_t>(frame.header.size()),
              frame.payload.size()},
             frame.header.bytes());
    begun = true;
    auto const rest = frame.payload.bytes().subspan(cut);
    auto const part = rest.first(std::min(rest.size(), largest_chunk));
    if (!part.empty()) append({PacketKind::chunk, lane, 0, part.size()});
    chunk_ = part;
    cut += part.size();
    if (part.size() == rest.size()) {
      chunk_owner_ = std::move(frame.payload);
      queue.pop_front();
    }
    if (!part.empty()) return false;
  }
  return true;
}

PacketWriter::Written PacketWriter::write_to(int socket) {
  for (std::size_t written = 0; written < most_at_once;) {
    if (unwritten() == 0) gather();
    std::size_t const wanted = unwritten();
    if (wanted == 0) return Written::all;
    std::array<iovec, 2> parts = {iovec{bytes_.data() + written_, bytes_.size() - written_},
                                  iovec{const_cast<std::byte*>(chunk_.data()), chunk_.size()}};
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = chunk_.empty() ? 1 : 2;
    auto const sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      switch (errno) {
        case EINTR:
          continue;
        case EAGAIN:
          return Written::some;
        case EPIPE:
        case ECONNRESET:
          return Written::unread;
        default:
          throw std::system_error(errno, std::generic_category(), "sendmsg");
      }
    }
    advance(static_cast<std::size_t>(sent));
    if (static_cast<std::size_t>(sent) < wanted) return Written::some;
    written += wanted;
  }
  return Written::some;
}

void PacketWriter::advance(std::size_t size) noexcept {
  std::size_t const gathered = std::min(size, bytes_.size() - written_);
  written_ += gathered;
  chunk_ = chunk_.subspan(size - gathered);
}

void PacketWriter::clear() noexcept {
  std::vector<std::byte>().swap(bytes_);
  written_ = 0;
  chunk_ = {};
  chunk_owner_ = {};
  for (auto& queue : waiting_) queue.clear();
  ends_ = false;
}

}  // namespace tractor::ipc
