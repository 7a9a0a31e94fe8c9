// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>
#include <tractor/codec.hpp>
#include <tractor/detail/kind.hpp>
#include <tractor/detail/obstacle.hpp>
#include <tractor/detail/user_form.hpp>
#include <tractor/wire_errors.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

// What is used of cereal.hpp, which is slow to compile.
namespace cereal {
template <class Base> struct base_class;
template <class Base> struct virtual_base_class;

namespace traits::detail {
template <class InputArchive> struct get_output_from_input;
template <class OutputArchive> struct get_input_from_output;
}  // namespace traits::detail
}  // namespace cereal

// The one binary encoding of tractor's messages, on cereal's model: a class says what it consists
// of by serialize(Archive&), save and load, save_minimal and load_minimal, as members or free
// functions, with a version or without, and may use cereal's base_class, make_nvp, make_size_tag
// and binary_data. The types of the standard library need no cereal/types header.
//
// The layout, without names, tags or alignment:
// - integers, floats, characters: as they lie in memory, little-endian; long is 8 bytes.
// - enums: their underlying integer. One may arrive with a value that has no name.
// - bool: one byte, 0 or 1.
// - sizes: 7 bits a byte, lowest first, the high bit set on all bytes but the last.
// - strings, sequences, sets, maps, Bytes: the size, then the elements; those of a map are key and
//   value. An element that needs no bytes is written as one 0: so a size can always be checked
//   against the bytes that are left.
// - array, tuple, pair, class: the elements, in order. Before the first object of a versioned
//   class, its version in 4 bytes.
// - optional, unique_ptr: a bool, then the value if there is one.
// - shared_ptr: as sizes, 0 for null, 1 and then a new object, n + 2 for the n-th object before.
// - variant: the index as a size, then the value; monostate is nothing.
// - duration, time_point: the count, since the clock's epoch.
// - filesystem::path: a string. bitset: eight bits a byte, lowest first.
// - a class that has a Codec: the size of what that makes of it, then this.
namespace tractor {

static_assert(std::endian::native == std::endian::little,
              "tractor's archives copy numbers as they lie in memory, which the wire says is "
              "little-endian: this processor is not");

// Classes may nest this deep in a message. More is an error at both ends, instead of a task's stack
// that overflows: without optimisation a level may need more than a kilobyte.
inline constexpr unsigned max_nesting = 100;

namespace detail {

struct OutputMemory;
struct InputMemory;

// Counts the classes that are being walked, one within the other.
class [[nodiscard]] Level {
 public:
  explicit Level(unsigned& depth) : depth_(++depth) {}

  Level(Level const&) = delete;

  ~Level() { --depth_; }

 private:
  unsigned& depth_;
};

// The virtual bases already walked in the objects that are being walked.
class Visits {
 public:
  // True if `base` was not visited before.
  bool first(void const* base, std::type_info const& type);

  std::size_t count() const noexcept { return visits_.size(); }

  // Back to `count`: an object ends, and another may come to lie where it was.
  void forget(std::size_t count) noexcept {
    if (visits_.size() != count) shrink(count);
  }

 private:
  void shrink(std::size_t count) noexcept;

  std::vector<std::pair<void const*, std::type_info const*>> visits_;
};

// The one error of a T that cannot be written or read.
template <class T, Obstacle why> void explain() { (void)sizeof(travels<T, why>); }

constexpr Obstacle obstacle_of(Form form) {
  return form == Form::none        ? Obstacle::no_serialize
         : form == Form::ambiguous ? Obstacle::many_serialize
                                   : Obstacle::none;
}

// A T to read into.
template <class T> T blank() {
  if constexpr (std::is_default_constructible_v<T>) {
    return T();
  } else {
    explain<T, Obstacle::no_default_constructor>();
    std::abort();
  }
}

}  // namespace detail

// Writes values into a buffer that grows. Mirrors cereal's output archives: `archive(a, b)`.
// Deriving from cereal::access makes cereal's own functions (for std::complex, std::queue, ...)
// visible to argument-dependent lookup.
class OutputArchive : private cereal::access {
 public:
  using is_saving = std::true_type;
  using is_loading = std::false_type;

  OutputArchive() noexcept;
  OutputArchive(OutputArchive const&) = delete;
  OutputArchive& operator=(OutputArchive const&) = delete;
  ~OutputArchive();

  // Appends the values. Throws EncodeError for a value that no receiver would accept.
  template <class... T> OutputArchive& operator()(T&&... values) {
    (write(values), ...);
    return *this;
  }

  template <class T> OutputArchive& operator&(T&& value) { return (*this)(value); }

  template <class T> OutputArchive& operator<<(T&& value) { return (*this)(value); }

  // The bytes written so far.
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  // Gives away what was written; the archive is empty then.
  Buffer take() noexcept;

 private:
  template <class T> void write(T const& value);
  template <class T> void write_user(T const& value);
  template <class Range> void write_range(Range const& range);
  template <class T> void write_shared(std::shared_ptr<T> const& pointer);
  template <class T> void write_pointee(T const& value);
  template <class T> void write_coded(T const& value);

  template <class T> void write(cereal::NameValuePair<T> const& pair) { write(pair.value); }

  template <class T> void write(cereal::SizeTag<T> const& tag) { write_size(tag.size); }

  template <class T> void write(cereal::BinaryData<T> const& block) {
    write_bytes(block.data, block.size);
  }

  template <class T> void write(cereal::base_class<T> const& base) { write_base(*base.base_ptr); }

  template <class T> void write(cereal::virtual_base_class<T> const& base) {
    if (visits_.first(base.base_ptr, typeid(T))) write_base(*base.base_ptr);
  }

  template <class T> void write_base(T const& base) {
    if constexpr (detail::kind_of<T> == detail::Kind::user)
      write_user(base);
    else
      write(base);
  }

  template <class T, std::size_t... I>
  void write_members(T const& value, std::index_sequence<I...>) {
    (write(std::get<I>(value)), ...);
  }

  // An element of a container: at least one byte.
  template <class T> void write_element(T const& value) {
    std::size_t const before = size();
    write(value);
    if (size() == before) write_scalar(std::uint8_t{0});
  }

  template <class T> void write_scalar(T value) { write_bytes(&value, sizeof(value)); }

  void write_bytes(void const* data, std::size_t size) {
    if (size == 0) return;
    if (static_cast<std::size_t>(end_ - at_) < size) grow(size);
    std::memcpy(at_, data, size);
    at_ += size;
  }

  void write_size(std::uint64_t size) {
    while (size >= 0x80) {
      write_scalar(static_cast<std::uint8_t>(size | 0x80));
      size >>= 7;
    }
    write_scalar(static_cast<std::uint8_t>(size));
  }

  void grow(std::size_t wanted);
  detail::OutputMemory& memory();
  // True the first time in this archive.
  bool first_version_of(std::type_info const& type);
  // What to write for a pointer that is not null.
  std::uint64_t shared_tag(std::shared_ptr<void const> pointer, std::type_info const& type);
  void check_depth(std::type_info const& type) const;
  [[noreturn]] static void fail_valueless(std::type_info const& type);

  std::byte* begin_ = nullptr;
  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  unsigned depth_ = 0;
  detail::Visits visits_;
  std::unique_ptr<detail::OutputMemory> memory_;
};

// Reads values from a region it never leaves: whatever the bytes say, reading ends in a value or in
// a DecodeError, and memory is allocated only as elements arrive. Mirrors cereal's input archives.
class InputArchive : private cereal::access {
 public:
  using is_saving = std::false_type;
  using is_loading = std::true_type;

  // Reads `frame`, which must outlive the archive.
  explicit InputArchive(std::span<std::byte const> frame) noexcept;

  // Reads `frame` and owns it: a large tractor::Bytes within shares it instead of copying.
  explicit InputArchive(Buffer frame) noexcept;

  InputArchive(InputArchive const&) = delete;
  InputArchive& operator=(InputArchive const&) = delete;
  ~InputArchive();

  // Reads the values, in order. Throws DecodeError.
  template <class... T> InputArchive& operator()(T&&... values) {
    (read(values), ...);
    return *this;
  }

  template <class T> InputArchive& operator&(T&& value) { return (*this)(value); }

  template <class T> InputArchive& operator>>(T&& value) { return (*this)(value); }

  // The bytes not yet read.
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  // Throws DecodeError if bytes remain.
  void finish() const;

 private:
  template <class T> void read(T& value);
  template <class T> void read_user(T& value);
  template <class T> void read_flat(T& container);
  template <class T> void read_sequence(T& sequence);
  template <class T> void read_set(T& set);
  template <class T> void read_map(T& map);
  template <class T, std::size_t... I> void read_variant(T& value, std::index_sequence<I...>);
  template <class T> void read_unique(std::unique_ptr<T>& pointer);
  template <class T> void read_shared(std::shared_ptr<T>& pointer);
  template <class T> void read_coded(T& value);
  void read_bytes(Bytes& bytes);

  template <class T> void read(cereal::NameValuePair<T>& pair) { read(pair.value); }

  template <class T> void read(cereal::SizeTag<T>& tag) {
    tag.size = static_cast<std::remove_cvref_t<T>>(read_count(typeid(tag)));
  }

  template <class T> void read(cereal::BinaryData<T>& block) {
    read_bytes(block.data, block.size, typeid(block));
  }

  template <class T> void read(cereal::base_class<T>& base) { read_base(*base.base_ptr); }

  template <class T> void read(cereal::virtual_base_class<T>& base) {
    if (visits_.first(base.base_ptr, typeid(T))) read_base(*base.base_ptr);
  }

  template <class T> void read_base(T& base) {
    if constexpr (detail::kind_of<T> == detail::Kind::user)
      read_user(base);
    else
      read(base);
  }

  template <class T, std::size_t... I> void read_members(T& value, std::index_sequence<I...>) {
    (read(std::get<I>(value)), ...);
  }

  // An element of a container of type `whole`.
  template <class T> void read_element(T& value, std::type_info const& whole) {
    std::byte const* const before = at_;
    read(value);
    if (at_ == before) skip_filler(whole);
  }

  void read_bytes(void* data, std::size_t size, std::type_info const& what) {
    if (size > remaining()) [[unlikely]]
      fail_short(what, size);
    if (size != 0) std::memcpy(data, at_, size);
    at_ += size;
  }

  bool read_bool(std::type_info const& what);
  std::uint64_t read_size(std::type_info const& what);

  // The number of elements of a container: never more than bytes remain, as each takes at least
  // `element` of them.
  std::size_t read_count(std::type_info const& what, std::size_t element = 1);

  void skip_filler(std::type_info const& what);
  detail::InputMemory& memory();
  std::uint32_t* find_version(std::type_info const& type);
  void add_version(std::type_info const& type, std::uint32_t version);
  // The object that `tag` refers to. Throws DecodeError if there is none, or of another type.
  std::shared_ptr<void> shared_object(std::uint64_t tag, std::type_info const& type);
  void add_shared(std::shared_ptr<void> object, std::type_info const& type);
  void check_depth(std::type_info const& type) const;
  [[noreturn]] void fail_short(std::type_info const& what, std::uint64_t wanted) const;
  [[noreturn]] void fail_index(std::type_info const& what, std::uint64_t index,
                               std::size_t alternatives) const;
  [[noreturn]] void fail(std::type_info const& what, std::string const& why) const;

  std::byte const* begin_;
  std::byte const* at_;
  std::byte const* end_;
  unsigned depth_ = 0;
  detail::Visits visits_;
  Buffer owned_;
  std::shared_ptr<Buffer const> shared_;
  std::unique_ptr<detail::InputMemory> memory_;
};

}  // namespace tractor

// As CEREAL_SETUP_ARCHIVE_TRAITS has it: the two are a pair.
namespace cereal::traits::detail {
template <> struct get_output_from_input<tractor::InputArchive> {
  using type = tractor::OutputArchive;
};

template <> struct get_input_from_output<tractor::OutputArchive> {
  using type = tractor::InputArchive;
};
}  // namespace cereal::traits::detail

namespace tractor {

// The bytes of `values`, one after the other.
template <class... T> Buffer encode(T const&... values) {
  OutputArchive archive;
  archive(values...);
  return archive.take();
}

// The one T that `frame` consists of. Throws DecodeError if it is anything else.
template <class T> T decode(std::span<std::byte const> frame) {
  T value = detail::blank<T>();
  InputArchive archive(frame);
  archive(value).finish();
  return value;
}

// The same; a tractor::Bytes within shares the frame.
template <class T> T decode(Buffer frame) {
  T value = detail::blank<T>();
  InputArchive archive(std::move(frame));
  archive(value).finish();
  return value;
}

// ------------------------------------------------------------------------------------- writing

template <class T> void OutputArchive::write(T const& value) {
  using enum detail::Kind;
  constexpr detail::Kind kind = detail::kind_of<T>;
  if constexpr (kind == scalar) {
    write_scalar(static_cast<detail::scalar_t<T>>(value));
  } else if constexpr (kind == text || kind == sequence || kind == set || kind == map ||
                       kind == view) {
    write_size(std::size(value));
    write_range(value);
  } else if constexpr (kind == array) {
    using Element = std::remove_cvref_t<decltype(*std::data(value))>;
    if constexpr (detail::flat<Element>)
      write_bytes(std::data(value), std::size(value) * sizeof(Element));
    else
      for (auto const& element : value) write(element);
  } else if constexpr (kind == tuple) {
    write_members(value, std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (kind == optional) {
    write_scalar(value.has_value());
    if (value) write(*value);
  } else if constexpr (kind == unique) {
    write_scalar(value != nullptr);
    if (value) write_pointee(*value);
  } else if constexpr (kind == variant) {
    if (value.valueless_by_exception()) fail_valueless(typeid(T));
    write_size(value.index());
    std::visit([this](auto const& alternative) { this->write(alternative); }, value);
  } else if constexpr (kind == shared) {
    write_shared(value);
  } else if constexpr (kind == duration) {
    write(value.count());
  } else if constexpr (kind == time) {
    write(value.time_since_epoch());
  } else if constexpr (kind == path) {
    write(value.native());
  } else if constexpr (kind == bits) {
    for (std::size_t i = 0; i < value.size(); i += 8) {
      unsigned byte = 0;
      for (std::size_t bit = 0; bit < 8 && i + bit < value.size(); ++bit)
        byte |= static_cast<unsigned>(value[i + bit]) << bit;
      write_scalar(static_cast<std::uint8_t>(byte));
    }
  } else if constexpr (kind == bytes) {
    write_size(value.size());
    write_bytes(value.data(), value.size());
  } else if constexpr (kind == coded) {
    write_coded(value);
  } else if constexpr (kind == user) {
    std::size_t const visited = visits_.count();
    write_user(value);
    visits_.forget(visited);
  } else if constexpr (kind != empty) {
    detail::explain<T, detail::Obstacle::pointer>();
  }
}

template <class Range> void OutputArchive::write_range(Range const& range) {
  using Element = std::remove_cv_t<typename Range::value_type>;
  if constexpr (detail::flat<Element> && requires { range.data(); }) {
    write_bytes(range.data(), range.size() * sizeof(Element));
  } else {
    for (Element const& element : range) write_element(element);
  }
}

template <class T> void OutputArchive::write_user(T const& value) {
  constexpr detail::UserForm user = detail::save_form<OutputArchive, T>;
  constexpr detail::Obstacle obstacle = detail::obstacle_of(user.form);
  if constexpr (obstacle != detail::Obstacle::none) {
    detail::explain<T, obstacle>();
  } else {
    detail::Level const level(depth_);
    check_depth(typeid(T));
    if constexpr (user.versioned) {
      std::uint32_t const version = detail::class_version<T>();
      if (first_version_of(typeid(T))) write_scalar(version);
      detail::save_user<user.form>(*this, value, version);
    } else {
      detail::save_user<user.form>(*this, value);
    }
  }
}

template <class T> void OutputArchive::write_shared(std::shared_ptr<T> const& pointer) {
  if (!pointer) return write_size(0);
  std::uint64_t const tag = shared_tag(pointer, typeid(T));
  write_size(tag);
  if (tag == 1) write_pointee(*pointer);
}

template <class T> void OutputArchive::write_pointee(T const& value) {
  if constexpr (std::is_polymorphic_v<T>)
    detail::explain<T, detail::Obstacle::polymorphic_pointer>();
  else
    write(value);
}

template <class T> void OutputArchive::write_coded(T const& value) {
  if constexpr (!detail::complete_codec<T>) {
    detail::explain<T, detail::Obstacle::incomplete_codec>();
  } else {
    auto const bytes = Codec<T>::encode(value);
    write_size(std::size(bytes));
    write_bytes(std::data(bytes), std::size(bytes));
  }
}

// ------------------------------------------------------------------------------------- reading

template <class T> void InputArchive::read(T& value) {
  using enum detail::Kind;
  constexpr detail::Kind kind = detail::kind_of<T>;
  if constexpr (kind == scalar) {
    detail::scalar_t<T> raw;
    if constexpr (std::is_same_v<detail::scalar_t<T>, bool>)
      raw = read_bool(typeid(T));
    else
      read_bytes(&raw, sizeof(raw), typeid(T));
    value = static_cast<T>(raw);
  } else if constexpr (kind == text || kind == sequence) {
    using Element = typename T::value_type;
    if constexpr (detail::flat<Element> && requires { value.data(); })
      read_flat(value);
    else
      read_sequence(value);
  } else if constexpr (kind == set) {
    read_set(value);
  } else if constexpr (kind == map) {
    read_map(value);
  } else if constexpr (kind == array) {
    using Element = std::remove_cvref_t<decltype(*std::data(value))>;
    if constexpr (detail::flat<Element>)
      read_bytes(std::data(value), std::size(value) * sizeof(Element), typeid(T));
    else
      for (auto& element : value) read(element);
  } else if constexpr (kind == tuple) {
    read_members(value, std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (kind == optional) {
    value.reset();
    if (read_bool(typeid(T))) read(value.emplace());
  } else if constexpr (kind == unique) {
    read_unique(value);
  } else if constexpr (kind == variant) {
    read_variant(value, std::make_index_sequence<std::variant_size_v<T>>());
  } else if constexpr (kind == shared) {
    read_shared(value);
  } else if constexpr (kind == duration) {
    typename T::rep count{};
    read(count);
    value = T(count);
  } else if constexpr (kind == time) {
    typename T::duration since_epoch{};
    read(since_epoch);
    value = T(since_epoch);
  } else if constexpr (kind == path) {
    typename T::string_type name;
    read(name);
    value = std::move(name);
  } else if constexpr (kind == bits) {
    std::uint8_t byte = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i % 8 == 0) read_bytes(&byte, 1, typeid(T));
      value[i] = (byte >> i % 8 & 1) != 0;
    }
  } else if constexpr (kind == bytes) {
    read_bytes(value);
  } else if constexpr (kind == coded) {
    read_coded(value);
  } else if constexpr (kind == user) {
    std::size_t const visited = visits_.count();
    read_user(value);
    visits_.forget(visited);
  } else if constexpr (kind != empty) {
    detail::explain<T, detail::Obstacle::pointer>();
  }
}

template <class T> void InputArchive::read_flat(T& container) {
  using Element = typename T::value_type;
  std::size_t const count = read_count(typeid(T), sizeof(Element));
  if constexpr (sizeof(Element) == 1) {
    auto const* const first = static_cast<Element const*>(static_cast<void const*>(at_));
    container.assign(first, first + count);
    at_ += count;
  } else {
    // resize() clears what the copy then overwrites: piece by piece, so that it stays in the cache.
    constexpr std::size_t piece = 32 * 1024 / sizeof(Element);
    container.clear();
    container.reserve(count);
    while (container.size() < count) {
      std::size_t const done = container.size();
      container.resize(std::min(count, done + piece));
      read_bytes(container.data() + done, (container.size() - done) * sizeof(Element), typeid(T));
    }
  }
}

template <class T> void InputArchive::read_sequence(T& sequence) {
  using Element = typename T::value_type;
  std::size_t const count = read_count(typeid(T));
  sequence.clear();
  if constexpr (requires { sequence.reserve(count); })
    sequence.reserve(std::min(count, remaining() / sizeof(Element)));
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<Element, bool>) {
      sequence.push_back(read_bool(typeid(T)));
    } else {
      read_element(sequence.emplace_back(), typeid(T));
    }
  }
}

template <class T> void InputArchive::read_set(T& set) {
  set.clear();
  for (std::size_t count = read_count(typeid(T)); count > 0; --count) {
    typename T::key_type key{};
    read_element(key, typeid(T));
    set.emplace_hint(set.end(), std::move(key));
  }
}

template <class T> void InputArchive::read_map(T& map) {
  map.clear();
  for (std::size_t count = read_count(typeid(T)); count > 0; --count) {
    std::pair<typename T::key_type, typename T::mapped_type> entry{};
    read_element(entry, typeid(T));
    map.emplace_hint(map.end(), std::move(entry));
  }
}

template <class T, std::size_t... I>
void InputArchive::read_variant(T& value, std::index_sequence<I...>) {
  std::uint64_t const index = read_size(typeid(T));
  if (index >= sizeof...(I)) fail_index(typeid(T), index, sizeof...(I));
  ((index == I ? read(value.template emplace<I>()) : void()), ...);
}

template <class T> void InputArchive::read_unique(std::unique_ptr<T>& pointer) {
  using Pointee = std::remove_cv_t<T>;
  if constexpr (std::is_polymorphic_v<T>) {
    detail::explain<T, detail::Obstacle::polymorphic_pointer>();
  } else {
    pointer.reset();
    if (!read_bool(typeid(pointer))) return;
    std::unique_ptr<Pointee> made(cereal::access::construct<Pointee>());
    read(*made);
    pointer = std::move(made);
  }
}

template <class T> void InputArchive::read_shared(std::shared_ptr<T>& pointer) {
  using Pointee = std::remove_cv_t<T>;
  if constexpr (std::is_polymorphic_v<T>) {
    detail::explain<T, detail::Obstacle::polymorphic_pointer>();
  } else {
    std::uint64_t const tag = read_size(typeid(pointer));
    if (tag == 0) {
      pointer.reset();
    } else if (tag == 1) {
      std::shared_ptr<Pointee> made(cereal::access::construct<Pointee>());
      // Before its contents are read: they may refer back to it.
      add_shared(made, typeid(Pointee));
      read(*made);
      pointer = std::move(made);
    } else {
      pointer = std::static_pointer_cast<Pointee>(shared_object(tag, typeid(Pointee)));
    }
  }
}

template <class T> void InputArchive::read_coded(T& value) {
  if constexpr (!detail::complete_codec<T>) {
    detail::explain<T, detail::Obstacle::incomplete_codec>();
  } else {
    std::size_t const count = read_count(typeid(T));
    try {
      value = Codec<T>::decode({at_, count});
    } catch (std::exception const& error) {
      fail(typeid(T), "its codec " + std::string(Codec<T>::name) + " says: " + error.what());
    }
    at_ += count;
  }
}

template <class T> void InputArchive::read_user(T& value) {
  constexpr detail::UserForm user = detail::load_form<InputArchive, T>;
  constexpr detail::Obstacle obstacle = detail::obstacle_of(user.form);
  if constexpr (obstacle != detail::Obstacle::none) {
    detail::explain<T, obstacle>();
  } else {
    detail::Level const level(depth_);
    check_depth(typeid(T));
    if constexpr (user.versioned) {
      std::uint32_t* const known = find_version(typeid(T));
      std::uint32_t version = 0;
      if (known) {
        version = *known;
      } else {
        read(version);
        add_version(typeid(T), version);
      }
      detail::load_user<user.form>(*this, value, version);
    } else {
      detail::load_user<user.form>(*this, value);
    }
  }
}

}  // namespace tractor
