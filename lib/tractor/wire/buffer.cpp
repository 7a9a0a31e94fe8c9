// SPDX-License-Identifier: BSL-1.0
#include <tractor/buffer.hpp>

#include <cstdlib>
#include <cstring>
#include <new>

namespace tractor {

Buffer::Buffer(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_ = static_cast<std::byte*>(std::malloc(size));
  if (!data_) throw std::bad_alloc();
  free_ = [](void* data, void*) { std::free(data); };
}

Bytes::Bytes(Buffer buffer)
    : whole_(std::make_shared<Buffer const>(std::move(buffer))), bytes_(whole_->bytes()) {}

Bytes Bytes::copy_of(std::span<std::byte const> bytes) {
  Buffer copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return Bytes(std::move(copy));
}

}  // namespace tractor
