// SPDX-License-Identifier: BSL-1.0
#include <trio/buffered_reader.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>

namespace trio {

namespace {

constexpr std::size_t room_to_receive = 4096;

}  // namespace

std::string_view BufferedReader::buffered() const noexcept {
  return std::string_view(storage_).substr(begin_, end_ - begin_);
}

bool BufferedReader::fill() {
  if (begin_ > 0 && storage_.size() - end_ < room_to_receive) {
    std::copy(storage_.begin() + static_cast<std::ptrdiff_t>(begin_),
              storage_.begin() + static_cast<std::ptrdiff_t>(end_), storage_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (storage_.size() - end_ < room_to_receive)
    storage_.resize(std::max(2 * storage_.size(), end_ + room_to_receive));
  std::size_t const received = stream_.receive_some(std::span<char>(storage_).subspan(end_));
  end_ += received;
  return received > 0;
}

void BufferedReader::fail_too_long() const {
  throw std::length_error("trio: what is to be received is longer than " +
                          std::to_string(longest_) + " bytes");
}

std::size_t BufferedReader::find(std::string_view separator, std::size_t longest) {
  std::size_t searched = 0;
  for (;;) {
    std::size_t const found = buffered().find(separator, searched);
    // The beginning of a separator may be there.
    std::size_t const certain =
        buffered().size() - std::min(buffered().size(), separator.size() - 1);
    if (std::min(found, certain) > longest) fail_too_long();
    if (found != std::string_view::npos) return found;
    searched = certain;
    if (!fill()) return std::string_view::npos;
  }
}

std::string BufferedReader::take(std::size_t count) {
  std::string taken(buffered().substr(0, count));
  begin_ += count;
  return taken;
}

std::optional<std::string> BufferedReader::receive_until(std::string_view separator) {
  if (separator.empty()) throw std::invalid_argument("trio: receive_until needs a separator");
  lowlevel::checkpoint();
  std::size_t const found = find(separator, longest_);
  if (found == std::string_view::npos) {
    if (!buffered().empty())
      throw EndOfStream("trio: the stream ended before the separator that was waited for");
    return std::nullopt;
  }
  std::string piece = take(found);
  begin_ += separator.size();
  return piece;
}

std::optional<std::string> BufferedReader::receive_line() {
  lowlevel::checkpoint();
  // The \r of its end is none of its bytes.
  std::size_t const longest = longest_ == std::string::npos ? longest_ : longest_ + 1;
  std::size_t const found = find("\n", longest);
  bool const is_ended = found != std::string_view::npos;
  std::string_view line = buffered().substr(0, found);
  std::size_t const size = line.size() + (is_ended ? 1 : 0);
  if (is_ended && line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > longest_) fail_too_long();
  if (size == 0) return std::nullopt;
  std::string received(line);
  begin_ += size;
  return received;
}

std::string BufferedReader::receive_exactly(std::size_t count) {
  lowlevel::checkpoint();
  while (buffered().size() < count)
    if (!fill())
      throw EndOfStream("trio: the stream ended " + std::to_string(count - buffered().size()) +
                        " bytes before what was to be received");
  return take(count);
}

}  // namespace trio
