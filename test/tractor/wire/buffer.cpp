// SPDX-License-Identifier: BSL-1.0
#include <tractor/archive.hpp>
#include <tractor/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <numeric>

#include <doctest/doctest.h>

using tractor::Buffer;
using tractor::Bytes;

namespace {

// Holds its bytes inside, as a small zmq::message_t does, and reports its end.
class Inline {
 public:
  Inline(std::string_view text, int& alive) : size_(text.size()), alive_(&alive) {
    std::memcpy(bytes_.data(), text.data(), text.size());
    ++*alive_;
  }

  Inline(Inline&& other) noexcept
      : bytes_(other.bytes_), size_(other.size_), alive_(std::exchange(other.alive_, nullptr)) {}

  ~Inline() {
    if (alive_) --*alive_;
  }

  void* data() { return bytes_.data(); }

  std::size_t size() const { return size_; }

 private:
  std::array<char, 16> bytes_{};
  std::size_t size_;
  int* alive_;
};

std::string_view text_of(Buffer const& buffer) {
  return {static_cast<char const*>(static_cast<void const*>(buffer.data())), buffer.size()};
}

bool lies_in(Bytes const& bytes, std::byte const* begin, std::size_t size) {
  return bytes.data() >= begin && bytes.data() + bytes.size() <= begin + size;
}

}  // namespace

TEST_CASE("a buffer owns what it was made of") {
  Buffer empty;
  CHECK(empty.empty());
  CHECK(Buffer(0).size() == 0);
  Buffer fresh(10);
  CHECK(fresh.size() == 10);
  std::fill_n(fresh.data(), 10, std::byte{1});

  std::vector<int> numbers{1, 2, 3};
  void const* const place = numbers.data();
  Buffer const adopted = Buffer::adopt(std::move(numbers));
  CHECK(adopted.data() == place);
  CHECK(adopted.size() == 3 * sizeof(int));
  CHECK(text_of(Buffer::adopt(std::string("short"))) == "short");
}

TEST_CASE("a buffer's bytes stay where they are when it is moved, and end with it") {
  int alive = 0;
  {
    Buffer buffer = Buffer::adopt(Inline("inside", alive));
    std::byte const* const place = buffer.data();
    Buffer moved = std::move(buffer);
    CHECK(buffer.empty());
    CHECK(moved.data() == place);
    CHECK(text_of(moved) == "inside");
    Buffer other = Buffer::adopt(Inline("other", alive));
    CHECK(alive == 2);
    other = std::move(moved);
    CHECK(alive == 1);
    CHECK(text_of(other) == "inside");
  }
  CHECK(alive == 0);
}

TEST_CASE("a buffer can be given away as zmq takes it") {
  int alive = 0;
  Buffer buffer = Buffer::adopt(Inline("inside", alive));
  auto const [data, size, free, hint] = buffer.release();
  CHECK(buffer.empty());
  CHECK(size == 6);
  CHECK(alive == 1);
  {
    Buffer const again(data, size, free, hint);
    CHECK(text_of(again) == "inside");
  }
  CHECK(alive == 0);
  bool const nothing_to_free = Buffer().release().free == nullptr;
  CHECK(nothing_to_free);
}

TEST_CASE("copies of bytes share them") {
  Bytes const bytes(std::string("some text that is too long for the small string buffer"));
  Bytes copy = bytes;
  CHECK(copy.data() == bytes.data());
  CHECK(copy == bytes);
  CHECK(copy.text().starts_with("some text"));
  Bytes const taken = std::move(copy);
  CHECK(taken == bytes);
  CHECK(copy.empty());
  CHECK(copy.text().empty());
  CHECK(Bytes().empty());
  CHECK(Bytes() == Bytes(std::vector<std::byte>()));
  CHECK(Bytes::copy_of(bytes.bytes()) == bytes);
  CHECK(Bytes::copy_of(bytes.bytes()).data() != bytes.data());
}

TEST_CASE("received bytes share the frame if they are a good part of it") {
  std::string const content(1000, 'x');
  Buffer frame = tractor::encode(std::pair(Bytes(content), Bytes(std::string("small"))));
  std::byte const* const begin = frame.data();
  std::size_t const size = frame.size();
  auto const [large, small] = tractor::decode<std::pair<Bytes, Bytes>>(std::move(frame));
  CHECK(large.text() == content);
  CHECK(small.text() == "small");
  CHECK(lies_in(large, begin, size));
  CHECK(!lies_in(small, begin, size));
}

TEST_CASE("received bytes own a copy of a frame that is only lent") {
  Bytes bytes;
  {
    Buffer const frame = tractor::encode(Bytes(std::string(1000, 'x')));
    bytes = tractor::decode<Bytes>(frame.bytes());
    CHECK(!lies_in(bytes, frame.data(), frame.size()));
  }
  CHECK(bytes.text() == std::string(1000, 'x'));
}

TEST_CASE("bytes and a vector of bytes are the same on the wire") {
  std::vector<std::byte> const vector{std::byte{1}, std::byte{2}};
  CHECK(tractor::decode<std::vector<std::byte>>(tractor::encode(Bytes(vector))) == vector);
  CHECK(tractor::decode<Bytes>(tractor::encode(vector)) == Bytes(vector));
}
