// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/stream.hpp>

#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trio {

// A stream ended in the midst of what was to be received whole.
struct EndOfStream : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Receives lines, or other pieces with an end or a length, from a stream, which it keeps reading
// ahead of: from then on nobody else should receive from that. Range-for receives line by line:
//
//   trio::BufferedReader reader(stream);
//   for (std::string const& line : reader) ...
//
// Cancellation and errors take nothing away: what has arrived stays for the next call. One task at
// a time. Trio leaves this to others; mirrors anyio's BufferedByteReceiveStream.
class BufferedReader {
 public:
  // Reads from `stream`, which must outlive it. No piece may be longer than `longest` bytes, so
  // that a peer cannot fill the memory.
  explicit BufferedReader(ReceiveStream& stream, std::size_t longest = 1024 * 1024)
      : stream_(stream), longest_(longest) {}

  // The next line, without its end (\n or \r\n); the last one may lack it. Empty at the end of the
  // stream. A checkpoint always. Throws std::length_error if the line is too long, and what
  // ReceiveStream::receive_some() throws.
  std::optional<std::string> receive_line();

  // What comes before the next `separator` (not empty), which is taken and left out; empty if the
  // stream ends first, with nothing before it. A checkpoint always. Throws EndOfStream if the
  // stream ends after something else, std::length_error as receive_line() does,
  // std::invalid_argument without a separator, and what ReceiveStream::receive_some() throws.
  std::optional<std::string> receive_until(std::string_view separator);

  // The next `count` bytes, which may be more than `longest`. A checkpoint always. Throws
  // EndOfStream if the stream ends before, and what ReceiveStream::receive_some() throws.
  std::string receive_exactly(std::size_t count);

  // What has arrived and was not asked for yet.
  std::string_view buffered() const noexcept;

  struct Sentinel {};

  class Iterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(BufferedReader& reader) : reader_(&reader), line_(reader.receive_line()) {}

    std::string const& operator*() const noexcept { return *line_; }

    Iterator& operator++() {
      line_ = reader_->receive_line();
      return *this;
    }

    void operator++(int) { ++*this; }

    bool operator==(Sentinel) const noexcept { return !line_; }

   private:
    BufferedReader* reader_;
    std::optional<std::string> line_;
  };

  // Receives the first line: a checkpoint, as is each step of the iterator.
  Iterator begin() { return Iterator(*this); }

  Sentinel end() const noexcept { return {}; }

 private:
  // Receives more; false at the end of the stream.
  bool fill();
  // Where `separator` is in buffered(), or npos at the end of the stream. Throws std::length_error
  // if more than `longest` bytes come before it.
  std::size_t find(std::string_view separator, std::size_t longest);
  [[noreturn]] void fail_too_long() const;
  std::string take(std::size_t count);

  ReceiveStream& stream_;
  std::size_t const longest_;
  // Of it, from begin_ to end_ is what has arrived and was not taken.
  std::string storage_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace trio
