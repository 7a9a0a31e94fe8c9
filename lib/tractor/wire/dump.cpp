// SPDX-License-Identifier: BSL-1.0
#include "schema_tree.hpp"

#include <tractor/dump.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tractor {

namespace {

using Shape = wire::SchemaTree::Shape;
using Node = wire::SchemaTree::Node;

// Values may lie this deep, one within the other: each is a call on the stack. A class nested as
// deep as the archives let it be may be a pointer, a list and an object at each level.
constexpr unsigned deepest = 3 * max_nesting;

// Why a dump ends early.
struct Stopped {
  std::string why;
};

std::string_view unit_of(std::pair<std::size_t, std::size_t> ratio) {
  struct Unit {
    std::pair<std::size_t, std::size_t> ratio;
    std::string_view name;
  };

  constexpr Unit units[] = {{{1, 1'000'000'000}, "ns"}, {{1, 1'000'000}, "us"},
                            {{1, 1000}, "ms"},          {{1, 1}, "s"},
                            {{60, 1}, "min"},           {{3600, 1}, "h"}};
  for (Unit const& unit : units)
    if (unit.ratio == ratio) return unit.name;
  return {};
}

// How many bytes of `text` are one character of UTF-8 that is not ASCII; 0 if they are none.
std::size_t utf8_length(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t const length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (byte(i) >> 6 != 2) return 0;
  // Longer than needed, a half of a pair, or beyond the last.
  bool const wrong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) > 0x9f) ||
                     (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return wrong ? 0 : length;
}

class Dump {
 public:
  Dump(std::span<std::byte const> bytes, std::size_t longest) : bytes_(bytes), longest_(longest) {}

  void value(Node const& node) {
    if (++depth_ > deepest) throw Stopped{"what lies there nests too deep"};
    switch (node.shape) {
      case Shape::none:
        add("null");
        break;
      case Shape::boolean:
        add(boolean() ? "true" : "false");
        break;
      case Shape::byte:
        add(number<std::uint8_t>());
        break;
      case Shape::character:
        add("\"");
        add_character(integer(node.number));
        add("\"");
        break;
      case Shape::signed_integer:
        add(signed_integer(node.number));
        break;
      case Shape::unsigned_integer:
        add(integer(node.number));
        break;
      case Shape::floating:
        node.number == 32 ? add_floating(number<float>()) : add_floating(number<double>());
        break;
      case Shape::string:
        string(*node.parts[0]);
        break;
      case Shape::sequence:
        sequence(*node.parts[0]);
        break;
      case Shape::map:
        map(*node.parts[0], *node.parts[1]);
        break;
      case Shape::array:
        array(*node.parts[0], node.number);
        break;
      case Shape::tuple:
        tuple(node);
        break;
      case Shape::variant:
        variant(node);
        break;
      case Shape::optional:
        boolean() ? value(*node.parts[0]) : add("null");
        break;
      case Shape::shared:
        shared(*node.parts[0]);
        break;
      case Shape::duration:
      case Shape::time:
        add("\"");
        duration(node.shape == Shape::time ? *node.parts[0] : node);
        add("\"");
        break;
      case Shape::path:
        text(size());
        break;
      case Shape::bits:
        bits(node.number);
        break;
      case Shape::enumeration:
        value(*node.parts[0]);
        break;
      case Shape::object:
        object(node);
        break;
      case Shape::coded:
        hexadecimal(size());
        break;
      case Shape::size:
        add(size());
        break;
      case Shape::unknown:
        throw Stopped{"the schema does not tell what a " + std::string(node.name) + " consists of"};
      case Shape::raw_bytes:
        throw Stopped{"the schema does not tell how many raw bytes a class has written"};
      case Shape::base:
      case Shape::virtual_base:
      case Shape::version:
        // Only objects have these, and see to them.
        break;
    }
    --depth_;
  }

  void check_end() const {
    if (at_ != bytes_.size())
      throw Stopped{std::to_string(bytes_.size() - at_) + " more bytes than the schema has"};
  }

  // What there is to show, with the reason if it is not all.
  std::string take(Stopped const* stopped) && {
    if (!stopped) return std::move(text_);
    if (text_.size() > longest_) text_.resize(longest_);
    if (!text_.empty() && text_.back() != ' ') text_ += ' ';
    return std::move(text_) + "<stopped at byte " + std::to_string(at_) + " of " +
           std::to_string(bytes_.size()) + ": " + stopped->why + ">";
  }

 private:
  void add(std::string_view text) {
    text_ += text;
    if (text_.size() > longest_)
      throw Stopped{"the dump is longer than " + std::to_string(longest_) + " bytes"};
  }

  template <class Number>
    requires std::is_arithmetic_v<Number>
  void add(Number number) {
    add(std::string_view(std::to_string(number)));
  }

  template <class Float> void add_floating(Float number) {
    char digits[64];
    auto const [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    std::string_view const shown(digits, static_cast<std::size_t>(end - digits));
    // JSON has no such numbers.
    bool const is_text = shown.find_first_of("ni") != shown.npos;
    if (is_text) add("\"");
    add(shown);
    if (is_text) add("\"");
  }

  void add_escaped(std::uint64_t code) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped = "\\u";
    for (unsigned shift = 16; shift > 0; shift -= 4) escaped += digits[code >> (shift - 4) & 0xf];
    add(escaped);
  }

  void add_character(std::uint64_t code) {
    if (code == '"' || code == '\\') add("\\");
    if (code == '\n') {
      add("\\n");
    } else if (code >= ' ' && code <= '~') {
      char const c = static_cast<char>(code);
      add(std::string_view(&c, 1));
    } else if (code <= 0xffff) {
      add_escaped(code);
    } else if (code <= 0x10ffff) {
      add_escaped(0xd800 + (code - 0x10000) / 0x400);
      add_escaped(0xdc00 + (code - 0x10000) % 0x400);
    } else {
      add_escaped(0xfffd);
    }
  }

  void add_characters(std::string_view text) {
    for (char const c : text) add_character(static_cast<unsigned char>(c));
  }

  std::span<std::byte const> take_bytes(std::size_t count) {
    if (count > bytes_.size() - at_)
      throw Stopped{std::to_string(count) + " bytes were wanted and " +
                    std::to_string(bytes_.size() - at_) + " remained"};
    auto const taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

  template <class Number> Number number() {
    Number number;
    std::memcpy(&number, take_bytes(sizeof number).data(), sizeof number);
    return number;
  }

  std::uint64_t integer(std::size_t bits) {
    switch (bits) {
      case 8:
        return number<std::uint8_t>();
      case 16:
        return number<std::uint16_t>();
      case 32:
        return number<std::uint32_t>();
      default:
        return number<std::uint64_t>();
    }
  }

  std::int64_t signed_integer(std::size_t bits) {
    std::uint64_t const raw = integer(bits) << (64 - bits);
    return static_cast<std::int64_t>(raw) >> (64 - bits);
  }

  bool boolean() {
    auto const byte = number<std::uint8_t>();
    if (byte > 1) throw Stopped{"a bool is 0 or 1, this is " + std::to_string(byte)};
    return byte == 1;
  }

  std::uint64_t size() {
    std::uint64_t size = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = number<std::uint8_t>();
      std::uint64_t const bits = byte & 0x7f;
      if (shift == 63 && bits > 1) break;
      size |= bits << shift;
      if (byte < 0x80) return size;
    }
    throw Stopped{"a size of more than 64 bits"};
  }

  // An element of a container: at least one byte.
  void element(Node const& node) {
    std::size_t const before = at_;
    value(node);
    if (at_ == before && number<std::uint8_t>() != 0)
      throw Stopped{"an empty element is written as 0"};
  }

  void text(std::size_t length) {
    auto const part = take_bytes(length);
    std::string_view rest(reinterpret_cast<char const*>(part.data()), part.size());
    add("\"");
    while (!rest.empty()) {
      auto const first = static_cast<unsigned char>(rest.front());
      std::size_t const whole = first < 0x80 ? 0 : utf8_length(rest);
      if (whole > 0)
        add(rest.substr(0, whole));
      else
        add_character(first);
      rest.remove_prefix(std::max<std::size_t>(whole, 1));
    }
    add("\"");
  }

  void string(Node const& character) {
    std::size_t const length = size();
    if (character.shape == Shape::character && character.number == 8) return text(length);
    if (character.shape != Shape::character) return elements(character, length);
    add("\"");
    for (std::size_t i = 0; i < length; ++i) add_character(integer(character.number));
    add("\"");
  }

  void hexadecimal(std::size_t length) {
    constexpr std::string_view digits = "0123456789abcdef";
    add("\"0x");
    for (std::byte const byte : take_bytes(length)) {
      auto const bits = std::to_integer<unsigned>(byte);
      char const two[] = {digits[bits >> 4], digits[bits & 0xf]};
      add(std::string_view(two, 2));
    }
    add("\"");
  }

  template <class Each> void list(std::size_t count, Each each) {
    add("[");
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) add(", ");
      each(i);
    }
    add("]");
  }

  void elements(Node const& node, std::size_t count) {
    list(count, [&](std::size_t) { element(node); });
  }

  void sequence(Node const& node) {
    std::size_t const count = size();
    if (node.shape == Shape::byte)
      hexadecimal(count);
    else
      elements(node, count);
  }

  // With a text as its key, an entry is a member of an object; else a pair.
  void map(Node const& key, Node const& mapped) {
    bool const is_object = key.shape == Shape::string || key.shape == Shape::path;
    add(is_object ? "{" : "[");
    std::size_t const count = size();
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) add(", ");
      if (!is_object) add("[");
      std::size_t const before = at_;
      value(key);
      add(is_object ? ": " : ", ");
      value(mapped);
      if (at_ == before && number<std::uint8_t>() != 0)
        throw Stopped{"an empty element is written as 0"};
      if (!is_object) add("]");
    }
    add(is_object ? "}" : "]");
  }

  void array(Node const& node, std::size_t count) {
    list(count, [&](std::size_t) { value(node); });
  }

  void tuple(Node const& node) {
    list(node.parts.size(), [&](std::size_t i) { value(*node.parts[i]); });
  }

  void variant(Node const& node) {
    std::uint64_t const index = size();
    if (index >= node.parts.size())
      throw Stopped{"alternative " + std::to_string(index) + " of " +
                    std::to_string(node.parts.size())};
    add("{\"");
    add(index);
    add(" ");
    add_characters(node.parts[index]->name);
    add("\": ");
    value(*node.parts[index]);
    add("}");
  }

  void shared(Node const& node) {
    std::uint64_t const tag = size();
    if (tag == 0) {
      add("null");
    } else if (tag == 1) {
      ++shared_;
      value(node);
    } else if (tag - 2 < shared_) {
      add("\"shared object " + std::to_string(tag - 2) + ", as before\"");
    } else {
      throw Stopped{"a reference to shared object " + std::to_string(tag - 2) + " of " +
                    std::to_string(shared_)};
    }
  }

  void duration(Node const& node) {
    if (node.shape != Shape::duration) throw Stopped{"a time that is not told as a duration"};
    value(*node.parts[0]);
    add(" ");
    if (auto const unit = unit_of(node.ratio); !unit.empty())
      add(unit);
    else
      add("times " + std::to_string(node.ratio.first) + "/" + std::to_string(node.ratio.second) +
          " s");
  }

  // As std::bitset has it: the first bit last.
  void bits(std::size_t count) {
    auto const part = take_bytes(count / 8 + (count % 8 > 0));
    add("\"");
    for (std::size_t i = count; i-- > 0;)
      add(std::to_integer<unsigned>(part[i / 8]) >> i % 8 & 1 ? "1" : "0");
    add("\"");
  }

  void object(Node const& node) {
    std::size_t const outer = std::exchange(first_base_, virtual_bases_.size());
    members(node);
    virtual_bases_.resize(first_base_);
    first_base_ = outer;
  }

  void members(Node const& node) {
    bool const has_names = std::any_of(node.parts.begin(), node.parts.end(), is_base) ||
                           std::any_of(node.labels.begin(), node.labels.end(),
                                       [](std::string_view label) { return !label.empty(); });
    bool const is_object = has_names || node.parts.empty();
    add(is_object ? "{" : "[");
    std::string_view separator;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      Node const& part = *node.parts[i];
      if (part.shape == Shape::version) {
        check_version(node, part.number);
        continue;
      }
      if (part.shape == Shape::virtual_base && !first_visit(*part.parts[0])) continue;
      add(separator);
      separator = ", ";
      if (is_object) add_name(part, node.labels[i], i);
      if (is_base(&part))
        base(*part.parts[0]);
      else
        value(part);
    }
    add(is_object ? "}" : "]");
  }

  static bool is_base(Node const* part) {
    return part->shape == Shape::base || part->shape == Shape::virtual_base;
  }

  // A part of the same object: its virtual bases are not walked twice.
  void base(Node const& node) {
    if (node.shape != Shape::object) return value(node);
    if (++depth_ > deepest) throw Stopped{"what lies there nests too deep"};
    members(node);
    --depth_;
  }

  void add_name(Node const& part, std::string_view label, std::size_t place) {
    add("\"");
    if (label.empty() && !is_base(&part))
      add(place);
    else
      add_characters(label.empty() ? part.parts[0]->name : label);
    add("\": ");
  }

  // Written before the first object of its class.
  void check_version(Node const& object, std::size_t expected) {
    if (!versions_.insert(&object).second) return;
    auto const version = number<std::uint32_t>();
    if (version != expected)
      throw Stopped{"version " + std::to_string(version) + " of " + std::string(object.name) +
                    ", of which the schema has version " + std::to_string(expected)};
  }

  bool first_visit(Node const& base) {
    auto const begin = virtual_bases_.begin() + static_cast<std::ptrdiff_t>(first_base_);
    if (std::find(begin, virtual_bases_.end(), &base) != virtual_bases_.end()) return false;
    virtual_bases_.push_back(&base);
    return true;
  }

  std::span<std::byte const> bytes_;
  std::size_t longest_;
  std::size_t at_ = 0;
  std::string text_;
  unsigned depth_ = 0;
  std::size_t shared_ = 0;
  std::set<Node const*> versions_;
  // Of the objects that are being walked, one within the other; and where the innermost one's are.
  std::vector<Node const*> virtual_bases_;
  std::size_t first_base_ = 0;
};

}  // namespace

std::string dump(std::string_view schema, std::span<std::byte const> bytes, std::size_t longest) {
  Dump dump(bytes, longest);
  try {
    wire::SchemaTree const tree(schema);
    dump.value(tree.root());
    dump.check_end();
  } catch (wire::SchemaTree::Malformed const& malformed) {
    Stopped const stopped{malformed.what()};
    return std::move(dump).take(&stopped);
  } catch (Stopped const& stopped) {
    return std::move(dump).take(&stopped);
  }
  return std::move(dump).take(nullptr);
}

}  // namespace tractor
