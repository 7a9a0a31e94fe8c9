// SPDX-License-Identifier: BSL-1.0
// Classes that say in each of cereal's ways what they consist of.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <cereal/cereal.hpp>

namespace app {

enum class Colour : std::uint8_t { red, blue };

struct Empty {
  template <class Archive> void serialize(Archive&) {}

  auto operator<=>(Empty const&) const = default;
};

struct Point {
  int x = 0;
  int y = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x, y); }

  auto operator<=>(Point const&) const = default;
};

struct Named {
  std::string label;
  std::vector<Point> points;

  template <class Archive> void serialize(Archive& archive) {
    archive(CEREAL_NVP(label), cereal::make_nvp("where", points));
  }

  bool operator==(Named const&) const = default;
};

// As code that came from Boost.Serialization has it.
struct Streamed {
  int a = 0;
  int b = 0;

  template <class Archive> void save(Archive& archive) const { archive << a << b; }

  template <class Archive> void load(Archive& archive) { archive >> a >> b; }

  bool operator==(Streamed const&) const = default;
};

struct Ampersand {
  int a = 0;
  int b = 0;

  template <class Archive> void serialize(Archive& archive) { archive& a& b; }

  bool operator==(Ampersand const&) const = default;
};

struct Minimal {
  long long value = 0;

  template <class Archive> long long save_minimal(Archive const&) const { return value; }

  template <class Archive> void load_minimal(Archive const&, long long const& saved) {
    value = saved;
  }

  bool operator==(Minimal const&) const = default;
};

struct Outside {
  float value = 0;

  bool operator==(Outside const&) const = default;
};

template <class Archive> void serialize(Archive& archive, Outside& outside) {
  archive(outside.value);
}

struct OutsideSplit {
  float value = 0;

  bool operator==(OutsideSplit const&) const = default;
};

template <class Archive> void save(Archive& archive, OutsideSplit const& outside) {
  archive(outside.value);
}

template <class Archive> void load(Archive& archive, OutsideSplit& outside) {
  archive(outside.value);
}

struct OutsideMinimal {
  std::string value;

  bool operator==(OutsideMinimal const&) const = default;
};

template <class Archive> std::string save_minimal(Archive const&, OutsideMinimal const& outside) {
  return outside.value;
}

template <class Archive>
void load_minimal(Archive const&, OutsideMinimal& outside, std::string const& value) {
  outside.value = value;
}

struct Versioned {
  int value = 0;
  std::uint32_t seen = 0;

  template <class Archive> void serialize(Archive& archive, std::uint32_t const version) {
    archive(value);
    seen = version;
  }

  bool operator==(Versioned const& other) const { return value == other.value; }
};

struct VersionedSplit {
  int value = 0;

  template <class Archive> void save(Archive& archive, std::uint32_t const version) const {
    archive(value, version);
  }

  template <class Archive> void load(Archive& archive, std::uint32_t const version) {
    std::uint32_t saved = 0;
    archive(value, saved);
    if (saved != version) value = -1;
  }

  bool operator==(VersionedSplit const&) const = default;
};

struct OutsideVersioned {
  int value = 0;

  bool operator==(OutsideVersioned const&) const = default;
};

template <class Archive>
void serialize(Archive& archive, OutsideVersioned& outside, std::uint32_t const) {
  archive(outside.value);
}

// What it consists of, and how to make one, is only cereal's affair.
class Private {
 public:
  static std::unique_ptr<Private> make(int value) {
    std::unique_ptr<Private> made(new Private());
    made->value_ = value;
    return made;
  }

  int value() const { return value_; }

 private:
  friend class cereal::access;

  Private() = default;

  template <class Archive> void serialize(Archive& archive) { archive(value_); }

  int value_ = 0;
};

struct Derived : Point {
  bool more = false;

  template <class Archive> void serialize(Archive& archive) {
    archive(cereal::base_class<Point>(this), more);
  }

  bool operator==(Derived const&) const = default;
};

// A diamond: Point is in it once, and goes over the wire once.
struct Left : virtual Point {
  int left = 0;

  template <class Archive> void serialize(Archive& archive) {
    archive(cereal::virtual_base_class<Point>(this), left);
  }
};

struct Right : virtual Point {
  int right = 0;

  template <class Archive> void serialize(Archive& archive) {
    archive(cereal::virtual_base_class<Point>(this), right);
  }
};

struct Diamond : Left, Right {
  template <class Archive> void serialize(Archive& archive) {
    archive(cereal::base_class<Left>(this), cereal::base_class<Right>(this));
  }

  bool operator==(Diamond const& other) const {
    return x == other.x && y == other.y && left == other.left && right == other.right;
  }
};

// Inherits one way and has another: specialised below.
struct Chosen : Point {
  int z = 0;

  template <class Archive> void save(Archive& archive) const { archive(x, y, z); }

  template <class Archive> void load(Archive& archive) { archive(x, y, z); }

  bool operator==(Chosen const&) const = default;
};

struct Tree {
  std::string name;
  std::vector<Tree> children;
  std::unique_ptr<Tree> sibling;

  template <class Archive> void serialize(Archive& archive) { archive(name, children, sibling); }

  bool operator==(Tree const& other) const {
    bool const same_sibling =
        sibling && other.sibling ? *sibling == *other.sibling : !sibling && !other.sibling;
    return name == other.name && children == other.children && same_sibling;
  }
};

// Sizes and raw bytes by its own hand.
struct Block {
  std::vector<std::uint16_t> words;

  template <class Archive> void save(Archive& archive) const {
    archive(cereal::make_size_tag(static_cast<cereal::size_type>(words.size())));
    archive(cereal::binary_data(words.data(), words.size() * sizeof(std::uint16_t)));
  }

  template <class Archive> void load(Archive& archive) {
    cereal::size_type size = 0;
    archive(cereal::make_size_tag(size));
    words.resize(size);
    archive(cereal::binary_data(words.data(), words.size() * sizeof(std::uint16_t)));
  }

  bool operator==(Block const&) const = default;
};

struct Polymorphic {
  virtual ~Polymorphic() = default;

  int value = 0;

  template <class Archive> void serialize(Archive& archive) { archive(value); }

  bool operator==(Polymorphic const& other) const { return value == other.value; }
};

// Only cereal knows how it ends.
struct Conditional {
  bool has = false;
  int x = 0;

  template <class Archive> void serialize(Archive& archive) {
    archive(has);
    if (has) archive(x);
  }
};

template <class T> struct Box {
  T content{};

  template <class Archive> void serialize(Archive& archive) { archive(content); }

  bool operator==(Box const&) const = default;
};

struct NoDefault {
  explicit NoDefault(int x_) : x(x_) {}

  int x;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

}  // namespace app

CEREAL_CLASS_VERSION(app::Versioned, 7)
CEREAL_SPECIALIZE_FOR_ALL_ARCHIVES(app::Chosen, cereal::specialization::member_load_save)
