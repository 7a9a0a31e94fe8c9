// SPDX-License-Identifier: BSL-1.0
// How a link talks over a stream: frames into packets, and back, however the stream is cut.
#include "../../../lib/tractor/ipc/packet_reader.hpp"
#include "../../../lib/tractor/ipc/packet_writer.hpp"
#include "../wire/counted_new.hpp"
#include "raw_peer.hpp"
#include "support.hpp"

#include <tractor/wire_errors.hpp>
#include <trio/descriptor.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace ipc_test;
using tractor::DecodeError;
using tractor::ipc::largest_whole_frame;
using tractor::ipc::Packet;
using tractor::ipc::PacketKind;
using tractor::ipc::PacketReader;
using tractor::ipc::PacketWriter;
using Read = PacketReader::Read;
using Written = PacketWriter::Written;

namespace {

constexpr std::size_t limit = 10'000'000;

class SocketPair {
 public:
  SocketPair() {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_.data()) == 0);
  }

  SocketPair(SocketPair const&) = delete;
  SocketPair& operator=(SocketPair const&) = delete;

  ~SocketPair() {
    close(ends_[0]);
    close(ends_[1]);
  }

  int in() const { return ends_[0]; }

  // At the other end.
  void say(std::string const& bytes) const {
    CHECK(write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

  void hang_up() const { shutdown(ends_[1], SHUT_WR); }

  // What is there, up to `most` bytes.
  std::string read(std::size_t most) const {
    std::string bytes(most, '\0');
    bytes.resize(read_into(bytes));
    return bytes;
  }

  // The same, into there; how much it was.
  std::size_t read_into(std::span<char> room) const {
    auto const size = ::read(ends_[1], room.data(), room.size());
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

 private:
  std::array<int, 2> ends_{};
};

// All that the writer has to say.
std::string said_by(PacketWriter& writer) {
  SocketPair const sockets;
  std::string all;
  while (!writer.empty()) {
    REQUIRE(writer.write_to(sockets.in()) != Written::unread);
    for (;;) {
      auto const some = sockets.read(1 << 20);
      if (some.empty()) break;
      all += some;
    }
  }
  return all;
}

// Has the reader read `bytes`, by so many at once at the most.
std::vector<Packet> read_by(PacketReader& reader, std::string_view bytes, std::size_t most) {
  std::vector<Packet> packets;
  while (!bytes.empty()) {
    std::size_t placed = 0;
    for (auto const& part : reader.room()) {
      auto const size = std::min({part.iov_len, bytes.size(), most - placed});
      std::memcpy(part.iov_base, bytes.data(), size);
      bytes.remove_prefix(size);
      placed += size;
    }
    reader.filled(placed);
    while (auto packet = reader.next()) packets.push_back(std::move(*packet));
  }
  return packets;
}

std::vector<Packet> read_by(std::string_view bytes, std::size_t most) {
  PacketReader reader(limit);
  return read_by(reader, bytes, most);
}

std::string large_frame(std::size_t payload_size, Lane lane = Lane::data) {
  return packet({PacketKind::large_frame, lane, 0, payload_size});
}

std::string chunk(std::string const& part, Lane lane = Lane::data) {
  return packet({PacketKind::chunk, lane, 0, part.size()}, part);
}

// What is different at each place.
std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>(i * 7 + i / 251);
  return made;
}

}  // namespace

TEST_CASE("frames of any shape come out of a stream as they went in, however it is cut") {
  struct Shape {
    std::size_t header;
    std::size_t payload;
  };

  std::vector<Shape> const shapes = {{0, 0},
                                     {5, 0},
                                     {0, 5},
                                     {20, 32},
                                     {30, largest_whole_frame - 30},
                                     {30, largest_whole_frame - 29},
                                     {largest_whole_frame, 0},
                                     {largest_whole_frame + 1, 0},
                                     {largest_whole_frame + 1, 1},
                                     {100, 700'000},
                                     {300'000, 300'000},
                                     {3, 3}};
  PacketWriter writer;
  for (auto const lane : {Lane::data, Lane::control})
    for (auto const& [header, payload] : shapes)
      writer.push(lane, frame(pattern(header), pattern(payload)));
  writer.end();
  auto const bytes = said_by(writer);
  for (std::size_t const most : {1, 7, 16, 17, 4096, 10'000, 1 << 20}) {
    CAPTURE(most);
    auto const packets = read_by(bytes, most);
    REQUIRE(packets.size() == 2 * shapes.size() + 1);
    CHECK(packets.back().kind == PacketKind::end);
    std::array<std::size_t, 2> next = {0, 0};
    for (auto const& each : packets) {
      if (each.kind == PacketKind::end) break;
      REQUIRE(each.kind == PacketKind::frame);
      auto const& shape = shapes[next[static_cast<std::size_t>(each.lane)]++];
      CHECK((text(each.frame.header) == pattern(shape.header)));
      CHECK((text(each.frame.payload) == pattern(shape.payload)));
    }
  }
}

TEST_CASE("small frames gather, and leave by one call") {
  SocketPair const sockets;
  PacketWriter writer;
  for (int i = 0; i < 100; ++i) writer.push(Lane::data, frame("header", "payload"));
  CHECK(!writer.is_due());
  CHECK(writer.write_to(sockets.in()) == Written::all);
  CHECK(writer.empty());
  CHECK(read_by(sockets.read(1 << 20), 1 << 20).size() == 100);
  // What is large, or is much, is not to wait for more.
  writer.push(Lane::data, frame("header", pattern(largest_whole_frame)));
  CHECK(writer.is_due());
  PacketWriter much;
  while (!much.is_due()) much.push(Lane::data, frame("header", pattern(1000)));
  CHECK(said_by(much).size() < 100'000);
}

TEST_CASE("a frame of the control lane overtakes what waits, and a large payload that has begun") {
  SocketPair const sockets;
  PacketWriter writer;
  SUBCASE("one large payload") { writer.push(Lane::data, frame("bulk", pattern(5'000'000))); }
  SUBCASE("many small frames") {
    for (int i = 0; i < 5'000; ++i) writer.push(Lane::data, frame("bulk", pattern(1'000)));
  }
  CHECK(writer.write_to(sockets.in()) == Written::some);
  writer.push(Lane::control, frame("cancel", ""));
  PacketReader reader(limit);
  std::size_t before = 0;
  auto const has_control = [](std::vector<Packet> const& packets) {
    return std::ranges::any_of(packets, [](auto& each) { return each.lane == Lane::control; });
  };
  for (;;) {
    auto const some = sockets.read(10'000);
    before += some.size();
    if (has_control(read_by(reader, some, 10'000))) break;
    REQUIRE(writer.write_to(sockets.in()) != Written::unread);
  }
  CHECK(before < 1'500'000);
}

TEST_CASE("where memory is short, what has been said stays whole, and can be gone on with") {
  std::vector<std::size_t> const sizes = {300'000, 20'000, 10, 7'000, 8'000, 9'000, 0};
  std::size_t failed_writing = 0;
  for (std::size_t failing = 1;; ++failing) {
    CAPTURE(failing);
    REQUIRE(failing < 1'000);
    PacketWriter writer;
    SocketPair const sockets;
    std::string said(2'000'000, '\0');
    std::size_t size_said = 0;
    auto const read = [&] { size_said += sockets.read_into(std::span(said).subspan(size_said)); };
    // Of each lane: what is to be sent, and what was taken.
    std::array<std::vector<Frame>, 2> frames;
    std::array<std::vector<std::size_t>, 2> taken;
    for (auto& lane : taken) lane.reserve(sizes.size());
    for (std::size_t const size : sizes)
      for (auto& lane : frames) lane.push_back(frame("header", pattern(size)));
    bool failed = false;
    {
      CountedNew const counted(failing);
      for (std::size_t const lane : {0, 1})
        for (Frame& each : frames[lane]) {
          std::size_t const size = each.payload.size();
          try {
            writer.push(Lane(lane), std::move(each));
            taken[lane].push_back(size);
          } catch (std::bad_alloc const&) {
            // Nor was any part of it.
          }
        }
      writer.end();
      while (!writer.empty()) {
        try {
          (void)writer.write_to(sockets.in());
        } catch (std::bad_alloc const&) {
          ++failed_writing;
        }
        read();
      }
      failed = counted.has_failed();
    }
    read();
    said.resize(size_said);
    auto packets = read_by(said, 1 << 20);
    REQUIRE(!packets.empty());
    CHECK(packets.back().kind == PacketKind::end);
    packets.pop_back();
    std::array<std::vector<std::size_t>, 2> received;
    for (auto const& each : packets) {
      REQUIRE(each.kind == PacketKind::frame);
      received[static_cast<std::size_t>(each.lane)].push_back(each.frame.payload.size());
      CHECK((text(each.frame) == "header|" + pattern(each.frame.payload.size())));
    }
    CHECK((received == taken));
    if (!failed) break;
  }
  CHECK(failed_writing > 3);
}

TEST_CASE("what has left is not held, nor what is forgotten") {
  int freed = 0;
  std::vector<std::byte> payload(20'000);
  auto const counted = [&](std::size_t size) {
    auto const count = [](void*, void* counter) { ++*static_cast<int*>(counter); };
    return Frame{{}, Buffer(payload.data(), size, count, &freed)};
  };
  SocketPair const sockets;
  PacketWriter writer;
  writer.push(Lane::data, counted(20'000));
  CHECK(writer.write_to(sockets.in()) == Written::all);
  CHECK(freed == 1);
  writer.push(Lane::data, counted(1));
  writer.push(Lane::data, counted(20'000));
  CHECK(freed == 2);
  writer.clear();
  CHECK(freed == 3);
  CHECK(writer.empty());
}

TEST_CASE("nobody reads any more: writing says so") {
  PacketWriter writer;
  writer.push(Lane::data, frame("to", "nobody"));
  auto sockets = std::make_unique<SocketPair>();
  int const ours = dup(sockets->in());
  sockets.reset();
  CHECK(writer.write_to(ours) == Written::unread);
  close(ours);
}

TEST_CASE("what else the kernel refuses is an error of its own, of writing and of reading") {
  trio::Descriptor const no_socket(open("/dev/null", O_WRONLY | O_CLOEXEC));
  PacketWriter writer;
  writer.push(Lane::data, frame("to", "nobody"));
  CHECK_THROWS_AS((void)writer.write_to(no_socket.get()), std::system_error);
  CHECK(!writer.empty());
  CHECK_THROWS_AS((void)PacketReader(limit).read_from(no_socket.get()), std::system_error);
}

TEST_CASE("reading takes what is there, up to a bound, and tells the end") {
  SocketPair const sockets;
  PacketReader reader(limit);
  CHECK(reader.read_from(sockets.in()) == Read::all);
  sockets.say(packet({PacketKind::frame, Lane::data, 2, 0}, "hd"));
  CHECK(reader.read_from(sockets.in()) == Read::all);
  CHECK(reader.next()->kind == PacketKind::frame);
  sockets.say(large_frame(50'000) + chunk(pattern(50'000)));
  sockets.hang_up();
  CHECK(reader.read_from(sockets.in()) == Read::some);
  CHECK(!reader.next());
  CHECK(reader.read_from(sockets.in()) == Read::all);
  CHECK(reader.next()->frame.payload.size() == 50'000);
  CHECK(reader.read_from(sockets.in()) == Read::ended);
  // A chunk may be as large as its frame.
  PacketReader patient(limit);
  CHECK(read_by(patient, large_frame(5'000'000), 100).empty());
  CHECK(read_by(patient, chunk(pattern(5'000'000)).substr(0, 16), 100).empty());
  std::size_t wanted = 0;
  for (auto const& part : patient.room()) wanted += part.iov_len;
  CHECK(wanted <= 1'100'000);
}

TEST_CASE("a stream that is malformed is refused where it is, and not before") {
  auto const whole = packet({PacketKind::frame, Lane::data, 2, 3}, "hdpay");
  std::vector<std::string> const malformed = {
      std::string(16, '\0'),
      std::string(16, '\xff'),
      "GET / HTTP/1.1\r\n",
      packet({static_cast<PacketKind>(8), Lane::data, 0, 0}),
      packet({PacketKind::frame, static_cast<Lane>(2), 0, 0}),
      std::string("\4\1\1\0", 4) + std::string(12, '\0'),
      // Larger than what it may be.
      packet({PacketKind::frame, Lane::data, 0, largest_whole_frame + 1}),
      packet({PacketKind::frame, Lane::data, largest_whole_frame + 1, 0}),
      packet({PacketKind::frame, Lane::data, 0xffffffff, ~std::uint64_t(0)}),
      large_frame(limit + 1),
      packet({PacketKind::large_frame, Lane::data, 1, limit}),
      packet({PacketKind::large_frame, Lane::data, 0xffffffff, ~std::uint64_t(0)}),
      // Chunks of nothing, of nothing more, and of another lane.
      chunk("lost"),
      large_frame(3) + chunk("four"),
      large_frame(4) + chunk("four") + chunk("x"),
      large_frame(4) + chunk("four", Lane::control),
      large_frame(4) + chunk(""),
      packet({PacketKind::large_frame, Lane::data, 0, 4}) +
          packet({PacketKind::chunk, Lane::data, 1, 1}, "hp"),
      // What cannot come in the middle of a large frame.
      large_frame(4) + large_frame(4),
      large_frame(4) + whole,
      large_frame(4) + packet({PacketKind::end, Lane::control, 0, 0}),
      large_frame(4, Lane::control) + packet({PacketKind::end, Lane::control, 0, 0}),
      // What carries nothing.
      packet({PacketKind::greeting, Lane::control, 2, 1}, "hdp"),
      packet({PacketKind::greeting, Lane::data, 2, 0}, "hd"),
      packet({PacketKind::welcome, Lane::control, 1, 0}, "h"),
      packet({PacketKind::refusal, Lane::control, 0, 1}, "p"),
      packet({PacketKind::end, Lane::control, 1, 0}, "h"),
      packet({PacketKind::end, Lane::data, 0, 0}),
  };
  for (auto const& bytes : malformed) {
    CAPTURE(&bytes - malformed.data());
    for (std::size_t const most : {1, 1000}) {
      PacketReader reader(limit);
      CHECK(read_by(reader, whole, most).size() == 1);
      CHECK_THROWS_AS(read_by(reader, bytes, most), DecodeError);
    }
  }
  // What is only unfinished is not.
  for (std::size_t const cut : {1, 15, 16, 20}) CHECK(read_by(whole.substr(0, cut), 100).empty());
}

TEST_CASE("a head that lies about a size costs no memory") {
  auto const peak = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  // The test suite's runner has malloc write to all that it gives.
  mallopt(M_PERTURB, 0);
  auto const before = peak();
  constexpr std::size_t claimed = 500'000'000;
  PacketReader reader(claimed);
  CHECK(read_by(reader, large_frame(claimed) + chunk("only this"), 100).empty());
  // Kibibytes; sanitizers have a shadow of all that is allocated.
  CHECK(peak() - before < 100'000);
}
