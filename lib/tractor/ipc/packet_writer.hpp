// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "packet.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

namespace tractor::ipc {

// What a link has to say, cut into packets, until the socket has taken it. Small frames are
// gathered: many leave by one call. Large payloads are not copied.
class PacketWriter {
 public:
  // Puts a packet without a lane behind all that is there. After the end nothing may follow.
  void greet(std::string_view identity);
  void welcome();
  void refuse();
  void end();

  // Behind the frames of its lane; those of the control lane do not wait for those of the data
  // lane. Throws std::bad_alloc.
  void push(Lane lane, Frame frame);

  // Nothing waits.
  bool empty() const noexcept;

  // So much has gathered that it should be written.
  bool is_due() const noexcept {
    return has_enough() || !waiting_[0].empty() || !waiting_[1].empty();
  }

  enum class Written { all, some, unread };
  // Writes what the socket takes without waiting, up to a bound. `unread`: nobody reads it any
  // more. Throws std::system_error if the kernel refuses otherwise, std::bad_alloc; the stream is
  // still whole then.
  Written write_to(int socket);

  // Forgets what waits, and gives its memory back.
  void clear() noexcept;

 private:
  static constexpr std::size_t enough = 64 * 1024;

  struct Waiting {
    Frame frame;
    bool begun = false;
    // Of its payload: is in a chunk that was made.
    std::size_t cut = 0;
  };

  std::deque<Waiting>& waiting(Lane lane) { return waiting_[static_cast<std::size_t>(lane)]; }

  bool has_enough() const noexcept { return bytes_.size() >= enough; }

  std::size_t unwritten() const noexcept { return bytes_.size() - written_ + chunk_.size(); }

  void append(PacketHead const& head, std::span<std::byte const> header = {},
              std::span<std::byte const> payload = {});
  void append_whole(Lane lane, Frame const& frame);
  void gather();
  bool gather_from(Lane lane);
  void advance(std::size_t size) noexcept;

  // What leaves next: the unwritten bytes, and then, without a copy, a chunk of a large payload.
  std::vector<std::byte> bytes_;
  std::size_t written_ = 0;
  std::span<std::byte const> chunk_;
  // Whose last chunk that is.
  Buffer chunk_owner_;
  std::array<std::deque<Waiting>, 2> waiting_;
  bool ends_ = false;
};

}  // namespace tractor::ipc
