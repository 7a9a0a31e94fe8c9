// SPDX-License-Identifier: BSL-1.0
#include <trio/lowlevel.hpp>
#include <trio/stream.hpp>

namespace trio {

void Closeable::aclose() {
  close();
  lowlevel::checkpoint();
}

std::string ReceiveStream::receive_some(std::size_t max_bytes) {
  std::string received(max_bytes, '\0');
  received.resize(receive_some(std::span<char>(received)));
  return received;
}

}  // namespace trio
