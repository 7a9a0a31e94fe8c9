// SPDX-License-Identifier: BSL-1.0
#include <tractor/archive.hpp>
#include <tractor/detail/type_name.hpp>

#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

namespace tractor {
namespace detail {

// What few messages need: shared pointers and class versions.
struct OutputMemory {
  struct Shared {
    std::uint64_t tag;
    // Kept, or another object could come to lie there and be taken for this one.
    std::shared_ptr<void const> pointer;
  };

  std::vector<std::type_index> versions;
  // By type too: an object and its first member lie at one address.
  std::map<std::pair<void const*, std::type_index>, Shared> shared;
};

struct InputMemory {
  std::vector<std::pair<std::type_index, std::uint32_t>> versions;
  std::vector<std::pair<std::type_index, std::shared_ptr<void>>> shared;
};

bool Visits::first(void const* base, std::type_info const& type) {
  for (auto const& [visited, its_type] : visits_)
    if (visited == base && *its_type == type) return false;
  visits_.emplace_back(base, &type);
  return true;
}

void Visits::shrink(std::size_t count) noexcept {
  visits_.erase(visits_.begin() + static_cast<std::ptrdiff_t>(count), visits_.end());
}

namespace {

constexpr std::uint64_t first_reference = 2;

std::string too_deep(std::type_info const& type) {
  return "more than " + std::to_string(max_nesting) + " objects lie one within the other (" +
         type_name(type) + "): send deep structures flat, as a sequence";
}

}  // namespace
}  // namespace detail

OutputArchive::OutputArchive() noexcept = default;

OutputArchive::~OutputArchive() { std::free(begin_); }

Buffer OutputArchive::take() noexcept {
  std::size_t const written = size();
  std::byte* const data = std::exchange(begin_, nullptr);
  at_ = end_ = nullptr;
  memory_.reset();
  return Buffer(
      data, written, [](void* memory, void*) { std::free(memory); }, nullptr);
}

void OutputArchive::grow(std::size_t wanted) {
  std::size_t const used = size();
  auto const capacity = static_cast<std::size_t>(end_ - begin_);
  // Large regions are moved by the kernel, page by page, without a copy: they need less slack.
  std::size_t const slack = capacity < 1024 * 1024 ? capacity : capacity / 8;
  std::size_t const grown = std::max({std::size_t{128}, capacity + slack, used + wanted});
  auto* const moved = static_cast<std::byte*>(std::realloc(begin_, grown));
  if (!moved) throw std::bad_alloc();
  begin_ = moved;
  at_ = moved + used;
  end_ = moved + grown;
}

detail::OutputMemory& OutputArchive::memory() {
  if (!memory_) memory_ = std::make_unique<detail::OutputMemory>();
  return *memory_;
}

bool OutputArchive::first_version_of(std::type_info const& type) {
  auto& versions = memory().versions;
  if (std::find(versions.begin(), versions.end(), type) != versions.end()) return false;
  versions.emplace_back(type);
  return true;
}

std::uint64_t OutputArchive::shared_tag(std::shared_ptr<void const> pointer,
                                        std::type_info const& type) {
  auto& shared = memory().shared;
  std::pair<void const*, std::type_index> const key(pointer.get(), type);
  auto const [found, is_new] =
      shared.try_emplace(key, shared.size() + detail::first_reference, std::move(pointer));
  return is_new ? 1 : found->second.tag;
}

void OutputArchive::check_depth(std::type_info const& type) const {
  if (depth_ > max_nesting)
    throw EncodeError("tractor: cannot encode this value: " + detail::too_deep(type));
}

void OutputArchive::fail_valueless(std::type_info const& type) {
  throw EncodeError("tractor: cannot encode a " + detail::type_name(type) +
                    " that is valueless_by_exception");
}

InputArchive::InputArchive(std::span<std::byte const> frame) noexcept
    : begin_(frame.data()), at_(begin_), end_(begin_ + frame.size()) {}

InputArchive::InputArchive(Buffer frame) noexcept : InputArchive(frame.bytes()) {
  owned_ = std::move(frame);
}

InputArchive::~InputArchive() = default;

void InputArchive::finish() const {
  if (remaining() == 0) return;
  throw DecodeError("tractor: " + std::to_string(remaining()) + " of the frame's " +
                    std::to_string(end_ - begin_) +
                    " bytes remain after the value: the sender wrote another type");
}

bool InputArchive::read_bool(std::type_info const& what) {
  std::uint8_t byte = 0;
  read_bytes(&byte, 1, what);
  if (byte > 1) fail(what, "a bool is 0 or 1, this is " + std::to_string(byte));
  return byte == 1;
}

std::uint64_t InputArchive::read_size(std::type_info const& what) {
  std::uint64_t size = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t byte = 0;
    read_bytes(&byte, 1, what);
    std::uint64_t const bits = byte & 0x7f;
    if (shift == 63 && bits > 1) break;
    size |= bits << shift;
    if (byte < 0x80) return size;
  }
  fail(what, "a size of more than 64 bits");
}

std::size_t InputArchive::read_count(std::type_info const& what, std::size_t element) {
  std::uint64_t const count = read_size(what);
  if (count > remaining() / element) {
    bool const countable = count <= std::numeric_limits<std::uint64_t>::max() / element;
    fail_short(what, countable ? count * element : std::numeric_limits<std::uint64_t>::max());
  }
  return count;
}

void InputArchive::skip_filler(std::type_info const& what) {
  std::uint8_t filler = 0;
  read_bytes(&filler, 1, what);
  if (filler != 0) fail(what, "an empty element is written as 0, not " + std::to_string(filler));
}

void InputArchive::read_bytes(Bytes& bytes) {
  std::size_t const count = read_count(typeid(Bytes));
  std::span<std::byte const> const part(at_, count);
  at_ += count;
  // Sharing keeps the whole frame: worth it only if this is a good part of it.
  bool const large = count != 0 && count >= static_cast<std::size_t>(end_ - begin_) / 8;
  if (large && !shared_ && !owned_.empty())
    shared_ = std::make_shared<Buffer const>(std::move(owned_));
  bytes = large && shared_ ? Bytes(shared_, part) : Bytes::copy_of(part);
}

detail::InputMemory& InputArchive::memory() {
  if (!memory_) memory_ = std::make_unique<detail::InputMemory>();
  return *memory_;
}

std::uint32_t* InputArchive::find_version(std::type_info const& type) {
  for (auto& [known, version] : memory().versions)
    if (known == type) return &version;
  return nullptr;
}

void InputArchive::add_version(std::type_info const& type, std::uint32_t version) {
  memory().versions.emplace_back(type, version);
}

std::shared_ptr<void> InputArchive::shared_object(std::uint64_t tag, std::type_info const& type) {
  auto const& shared = memory().shared;
  std::uint64_t const index = tag - detail::first_reference;
  if (index >= shared.size())
    fail(type, "a reference to shared object " + std::to_string(index) + " of " +
                   std::to_string(shared.size()));
  if (shared[index].first != type) fail(type, "a reference to a shared object of another type");
  return shared[index].second;
}

void InputArchive::add_shared(std::shared_ptr<void> object, std::type_info const& type) {
  memory().shared.emplace_back(type, std::move(object));
}

void InputArchive::check_depth(std::type_info const& type) const {
  if (depth_ > max_nesting) fail(type, detail::too_deep(type));
}

void InputArchive::fail_short(std::type_info const& what, std::uint64_t wanted) const {
  fail(what, std::to_string(wanted) + " bytes were wanted and " + std::to_string(remaining()) +
                 " remained");
}

void InputArchive::fail_index(std::type_info const& what, std::uint64_t index,
                              std::size_t alternatives) const {
  fail(what, "alternative " + std::to_string(index) + " of " + std::to_string(alternatives));
}

void InputArchive::fail(std::type_info const& what, std::string const& why) const {
  throw DecodeError("tractor: cannot decode " + detail::type_name(what) + " at byte " +
                    std::to_string(at_ - begin_) + " of " + std::to_string(end_ - begin_) + ": " +
                    why);
}

}  // namespace tractor
