// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tractor {

// The one owner of a contiguous region of bytes, whoever allocated it: a message of the transport,
// a vector, or malloc. Moving it moves no bytes and invalidates no pointer into it.
class Buffer {
 public:
  // Frees a region. Of zmq_free_fn's type, so that a buffer becomes a zmq message as it is.
  using Free = void (*)(void* data, void* hint);

  // What release() hands over: whoever takes it calls free(data, hint) once.
  struct Released {
    std::byte* data;
    std::size_t size;
    Free free;
    void* hint;
  };

  Buffer() noexcept = default;

  // `size` bytes, not initialised. Throws std::bad_alloc.
  explicit Buffer(std::size_t size);

  // Takes over a region that free(data, hint) releases; `free` may be null for one that outlives
  // every user.
  Buffer(std::byte* data, std::size_t size, Free free, void* hint) noexcept
      : data_(data), size_(size), free_(free), hint_(hint) {}

  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        free_(std::exchange(other.free_, nullptr)),
        hint_(std::exchange(other.hint_, nullptr)) {}

  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }

  ~Buffer() {
    if (free_) free_(data_, hint_);
  }

  // Makes a buffer of anything with data() and size(), such as std::vector, std::string or
  // zmq::message_t. Its bytes are not copied.
  template <class Owner> static Buffer adopt(Owner owner) {
    auto kept = std::make_unique<Owner>(std::move(owner));
    std::size_t element = 1;
    if constexpr (requires { typename Owner::value_type; })
      element = sizeof(typename Owner::value_type);
    // In this order: both are asked of the owner at its final place, it may hold its bytes inside.
    auto* data = static_cast<std::byte*>(static_cast<void*>(kept->data()));
    std::size_t const size = kept->size() * element;
    return Buffer(
        data, size, [](void*, void* hint) { delete static_cast<Owner*>(hint); }, kept.release());
  }

  std::byte* data() noexcept { return data_; }

  std::byte const* data() const noexcept { return data_; }

  std::size_t size() const noexcept { return size_; }

  bool empty() const noexcept { return size_ == 0; }

  std::span<std::byte const> bytes() const noexcept { return {data_, size_}; }

  // Gives the region away, for example to zmq_msg_init_data. `free` is null if there is nothing to
  // free.
  [[nodiscard]] Released release() noexcept {
    return {std::exchange(data_, nullptr), std::exchange(size_, 0), std::exchange(free_, nullptr),
            std::exchange(hint_, nullptr)};
  }

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(free_, other.free_);
    std::swap(hint_, other.hint_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Free free_ = nullptr;
  void* hint_ = nullptr;
};

// Bytes that a message carries as they are: a parameter, a result, an element or a member of these
// types. Immutable; copies share them. A received Bytes points into the message it came in and
// keeps that alive, unless it is a small part of it, which is copied out. On the wire and in
// signatures the same as std::vector<std::byte>.
class Bytes {
 public:
  Bytes() noexcept = default;

  // Takes the buffer over, without a copy.
  explicit Bytes(Buffer buffer);

  explicit Bytes(std::vector<std::byte> bytes) : Bytes(Buffer::adopt(std::move(bytes))) {}

  explicit Bytes(std::string text) : Bytes(Buffer::adopt(std::move(text))) {}

  // A copy of `bytes`.
  static Bytes copy_of(std::span<std::byte const> bytes);

  // `part` of `whole`, which lives on as long as the result and its copies.
  Bytes(std::shared_ptr<Buffer const> whole, std::span<std::byte const> part) noexcept
      : whole_(std::move(whole)), bytes_(part) {}

  std::byte const* data() const noexcept { return bytes().data(); }

  std::size_t size() const noexcept { return bytes().size(); }

  bool empty() const noexcept { return bytes().empty(); }

  // As those of bytes().
  std::byte const* begin() const noexcept { return data(); }

  std::byte const* end() const noexcept { return data() + size(); }

  // Valid as long as a Bytes shares them. None after a move from this.
  std::span<std::byte const> bytes() const noexcept {
    return whole_ ? bytes_ : std::span<std::byte const>{};
  }

  // bytes(), read as text.
  std::string_view text() const noexcept {
    return {static_cast<char const*>(static_cast<void const*>(data())), size()};
  }

  // Equal contents.
  friend bool operator==(Bytes const& a, Bytes const& b) noexcept { return a.text() == b.text(); }

 private:
  std::shared_ptr<Buffer const> whole_;
  std::span<std::byte const> bytes_;
};

}  // namespace tractor
