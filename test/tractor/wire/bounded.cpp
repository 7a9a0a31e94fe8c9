// SPDX-License-Identifier: BSL-1.0
// Whatever a frame says, decoding it ends in a value or in a DecodeError, in little memory.
#include "counted_new.hpp"
#include "everything.hpp"

#include <tractor/archive.hpp>

#include <cstring>
#include <random>

#include <doctest/doctest.h>

using tractor::Buffer;
using tractor::decode;
using tractor::DecodeError;
using tractor::encode;
using wire_test::everything;
using wire_test::Everything;

namespace {

// What a decoder may allocate for each byte of the frame, at most: the largest element that one
// byte can be, in containers that grow by doubling and in tree nodes, and a sentence about errors.
constexpr std::size_t per_byte = 1024;
constexpr std::size_t sentence = 4096;

// True if `frame` is a T, false if a DecodeError says that it is none.
template <class T> bool decodes(std::span<std::byte const> frame) {
  CountedNew const counted;
  bool decoded = true;
  try {
    decode<T>(frame);
  } catch (DecodeError const&) {
    decoded = false;
  }
  if (counted.total() > frame.size() * per_byte + sentence) {
    CAPTURE(frame.size());
    FAIL("decoding allocated " << counted.total() << " bytes");
  }
  return decoded;
}

template <class T> bool decodes(Buffer const& frame) { return decodes<T>(frame.bytes()); }

// A frame that claims a size, and holds nothing of it.
Buffer claim(std::uint64_t size) {
  tractor::OutputArchive archive;
  archive(cereal::make_size_tag(size));
  return archive.take();
}

}  // namespace

TEST_CASE("a frame that ends early is refused, wherever it ends") {
  Buffer const frame = encode(everything());
  REQUIRE(decodes<Everything>(frame));
  for (std::size_t size = 0; size < frame.size(); ++size)
    CHECK_FALSE(decodes<Everything>(frame.bytes().first(size)));
}

TEST_CASE("a frame with a flipped bit is a value or refused") {
  Buffer frame = encode(everything());
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::byte const mask{static_cast<unsigned char>(1u << bit % 8)};
    frame.data()[bit / 8] ^= mask;
    refused += !decodes<Everything>(frame);
    frame.data()[bit / 8] ^= mask;
  }
  CHECK(refused > 0);
  CHECK(refused < frame.size() * 8);
}

TEST_CASE("a frame of noise is a value or refused") {
  std::mt19937 random(20240607);
  Buffer frame = encode(everything());
  for (int round = 0; round < 20'000; ++round) {
    Buffer noisy(frame.size());
    std::memcpy(noisy.data(), frame.data(), frame.size());
    for (unsigned changes = random() % 8; changes > 0; --changes)
      noisy.data()[random() % noisy.size()] = static_cast<std::byte>(random());
    decodes<Everything>(noisy.bytes().first(noisy.size() - random() % 4));
  }
  for (int round = 0; round < 20'000; ++round) {
    Buffer noise(random() % 64);
    for (std::size_t i = 0; i < noise.size(); ++i)
      noise.data()[i] = static_cast<std::byte>(random());
    decodes<Everything>(noise);
    decodes<app::Tree>(noise);
    decodes<std::map<std::string, std::vector<app::Empty>>>(noise);
    decodes<std::vector<std::variant<int, std::vector<std::string>>>>(noise);
    decodes<std::vector<std::shared_ptr<app::Point>>>(noise);
  }
}

TEST_CASE("a size that lies allocates nothing") {
  for (std::uint64_t const size : {std::uint64_t{1} << 20, std::uint64_t{1} << 40,
                                   std::uint64_t{1} << 61, ~std::uint64_t{0}}) {
    Buffer const frame = claim(size);
    CHECK_FALSE(decodes<std::string>(frame));
    CHECK_FALSE(decodes<std::u32string>(frame));
    CHECK_FALSE(decodes<std::vector<int>>(frame));
    CHECK_FALSE(decodes<std::vector<std::byte>>(frame));
    CHECK_FALSE(decodes<std::vector<bool>>(frame));
    CHECK_FALSE(decodes<std::vector<std::string>>(frame));
    CHECK_FALSE(decodes<std::vector<app::Empty>>(frame));
    CHECK_FALSE(decodes<std::deque<int>>(frame));
    CHECK_FALSE(decodes<std::list<app::Empty>>(frame));
    CHECK_FALSE(decodes<std::set<int>>(frame));
    CHECK_FALSE(decodes<std::unordered_set<int>>(frame));
    CHECK_FALSE(decodes<std::map<int, app::Empty>>(frame));
    CHECK_FALSE(decodes<std::unordered_map<int, int>>(frame));
    CHECK_FALSE(decodes<tractor::Bytes>(frame));
    CHECK_FALSE(decodes<std::filesystem::path>(frame));
    CHECK_FALSE(decodes<app::Block>(frame));
  }
}

TEST_CASE("a size that is true is allocated once") {
  std::vector<std::int64_t> const numbers(100'000, 7);
  Buffer const frame = encode(numbers);
  CountedNew const counted;
  CHECK(decode<std::vector<std::int64_t>>(frame.bytes()).size() == numbers.size());
  CHECK(counted.total() == numbers.size() * sizeof(std::int64_t));
}
