// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <trio/testing/streams.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using trio::BufferedReader;
using trio::testing::memory_stream_one_way_pair;

namespace {

using Lines = std::vector<std::string>;

// Has `body(reader)` read `sent`, which arrives so many bytes at a time, and then the end.
template <class F> void read(std::string_view sent, F&& body) {
  for (std::size_t at_a_time : {std::size_t{1}, std::size_t{2}, std::size_t{3}, trio::unbounded}) {
    CAPTURE(at_a_time);
    support::run([&] {
      auto pair = memory_stream_one_way_pair(at_a_time);
      BufferedReader reader(pair.receiver, 10);
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          pair.sender.send_all(sent);
          pair.sender.close();
        });
        body(reader);
        nursery.cancel_scope().cancel();
      });
    });
  }
}

}  // namespace

TEST_CASE("lines come without their ends, the last one with or without it") {
  Lines const expected = {"one", "", "three", "fo\rur"};
  for (char const* sent : {"one\n\nthree\r\nfo\rur\n", "one\n\nthree\r\nfo\rur"})
    read(sent, [&](BufferedReader& reader) {
      Lines lines;
      for (std::string const& line : reader) lines.push_back(line);
      CHECK(lines == expected);
      CHECK(!reader.receive_line());
    });
}

TEST_CASE("nothing has no lines") {
  read("", [](BufferedReader& reader) { CHECK(!reader.receive_line()); });
}

TEST_CASE("receive_until finds separators that arrive in pieces") {
  read("a--b-c----d--", [](BufferedReader& reader) {
    for (char const* expected : {"a", "b-c", "", "d"})
      CHECK(reader.receive_until("--") == std::string(expected));
    CHECK(!reader.receive_until("--"));
  });
  // Of which the beginning comes twice.
  read("aab aaab", [](BufferedReader& reader) {
    CHECK(reader.receive_until("aab") == std::string());
    CHECK(reader.receive_until("aab") == std::string(" a"));
  });
}

TEST_CASE("receive_until throws if the stream ends before the separator, and keeps what came") {
  read("a--b-", [](BufferedReader& reader) {
    CHECK(reader.receive_until("--") == std::string("a"));
    CHECK_THROWS_AS(reader.receive_until("--"), trio::EndOfStream);
    CHECK(reader.buffered() == "b-");
    CHECK(reader.receive_exactly(2) == "b-");
    CHECK_THROWS_AS(reader.receive_until(""), std::invalid_argument);
  });
}

TEST_CASE("receive_exactly gives that many bytes or throws") {
  read("12345678901234567", [](BufferedReader& reader) {
    CHECK(reader.receive_exactly(3) == "123");
    CHECK(reader.receive_exactly(0).empty());
    // More than the longest line.
    CHECK(reader.receive_exactly(12) == "456789012345");
    CHECK_THROWS_WITH_AS(reader.receive_exactly(3),
                         "trio: the stream ended 1 bytes before what was to be received",
                         trio::EndOfStream);
    CHECK(reader.receive_line() == std::string("67"));
  });
}

TEST_CASE("lines and pieces may be mixed") {
  read("POST\r\n3\r\nabcrest\n", [](BufferedReader& reader) {
    CHECK(reader.receive_line() == std::string("POST"));
    CHECK(reader.receive_until("\r\n") == std::string("3"));
    CHECK(reader.receive_exactly(3) == "abc");
    CHECK(reader.receive_line() == std::string("rest"));
  });
}

TEST_CASE("a line longer than allowed is refused, whether or not its end has come") {
  read("0123456789\n0123456789x\n", [](BufferedReader& reader) {
    CHECK(reader.receive_line() == std::string("0123456789"));
    CHECK_THROWS_AS(reader.receive_line(), std::length_error);
    CHECK_THROWS_AS(reader.receive_line(), std::length_error);
    CHECK(reader.receive_exactly(11) == "0123456789x");
  });
  // Nor does the end of a line count, though it be of two bytes.
  read("0123456789\r\n0123456789\rx\r\n", [](BufferedReader& reader) {
    CHECK(reader.receive_line() == std::string("0123456789"));
    CHECK_THROWS_AS(reader.receive_line(), std::length_error);
    CHECK(reader.receive_exactly(14) == "0123456789\rx\r\n");
    CHECK(reader.receive_line() == std::nullopt);
  });
  read("0123456789\r",
       [](BufferedReader& reader) { CHECK_THROWS_AS(reader.receive_line(), std::length_error); });
  // What a separator may begin with does not count.
  read("0123456789--0123456789x--", [](BufferedReader& reader) {
    CHECK(reader.receive_until("--") == std::string("0123456789"));
    CHECK_THROWS_AS(reader.receive_until("--"), std::length_error);
  });
}

TEST_CASE("long lines arrive whole") {
  support::run([] {
    auto pair = memory_stream_one_way_pair(1000);
    BufferedReader reader(pair.receiver);
    std::string const line(300'000, 'x');
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        for (int i = 0; i < 3; ++i) pair.sender.send_all(line + "\n");
        pair.sender.close();
      });
      int lines = 0;
      for (std::string const& received : reader) lines += received == line;
      CHECK(lines == 3);
    });
  });
}

TEST_CASE("a cancelled read takes nothing away") {
  support::run([] {
    using namespace std::chrono_literals;
    auto pair = memory_stream_one_way_pair();
    BufferedReader reader(pair.receiver);
    pair.sender.send_all("half a ");
    auto const line = [&] { static_cast<void>(reader.receive_line()); };
    CHECK(trio::move_on_after(1s, line).cut_short);
    CHECK(reader.buffered() == "half a ");
    pair.sender.send_all("line\nand more\n");
    CHECK(reader.receive_line() == std::string("half a line"));
    // The next is there already, and is not taken either.
    trio::CancelScope scope;
    scope.cancel();
    CHECK(scope.enter(line).cut_short);
    CHECK(reader.receive_line() == std::string("and more"));
  });
}

TEST_CASE("to receive what has arrived already is a checkpoint") {
  support::run([] {
    auto pair = memory_stream_one_way_pair();
    BufferedReader reader(pair.receiver);
    pair.sender.send_all("x\na\nb\n12");
    CHECK(reader.receive_line() == std::string("x"));
    auto const before = reader.buffered().size();
    CHECK(before == 6);
    trio::testing::assert_checkpoints([&] { static_cast<void>(reader.receive_line()); });
    trio::testing::assert_checkpoints([&] { static_cast<void>(reader.receive_until("\n")); });
    trio::testing::assert_checkpoints([&] { static_cast<void>(reader.receive_exactly(2)); });
  });
}
