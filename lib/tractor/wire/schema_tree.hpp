// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tractor::wire {

// The text of a schema or a signature, as SchemaArchive writes it, taken apart again. It may have
// come from elsewhere: nothing in it is trusted.
class SchemaTree {
 public:
  enum class Shape : unsigned char {
    none,  // takes no bytes: void, std::monostate
    boolean,
    byte,
    character,
    signed_integer,
    unsigned_integer,
    floating,
    string,    // of parts[0]
    sequence,  // of parts[0]; a set, too
    map,       // of parts[0] and parts[1]
    array,     // `number` of parts[0]
    tuple,
    variant,
    optional,  // of parts[0]; a unique_ptr, too
    shared,
    duration,  // in parts[0], of `ratio` seconds
    time,      // parts[0]: the duration since the epoch
    path,
    bits,  // `number` of them
    enumeration,
    object,
    coded,    // a class that travels by a codec
    unknown,  // a class of which only the name is known
    // Members of classes only.
    size,
    raw_bytes,
    base,
    virtual_base,
    version,  // `number`
  };

  struct Node {
    Shape shape = Shape::none;
    // As it is called in the text.
    std::string_view name = {};
    // Bits of a number, elements of an array, ...
    std::size_t number = 0;
    std::pair<std::size_t, std::size_t> ratio = {1, 1};
    std::vector<Node const*> parts = {};
    // Of an object's parts; empty where one has none.
    std::vector<std::string_view> labels = {};
  };

  // The text is not a schema; what() says where that shows.
  struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  // `text` must outlive the tree. Throws Malformed.
  explicit SchemaTree(std::string_view text);
  SchemaTree(SchemaTree const&) = delete;

  Node const& root() const noexcept { return *root_; }

  // Whether the text was a signature: then the root is the tuple of its parameters.
  bool is_signature() const noexcept { return is_signature_; }

 private:
  Node const* type();
  Node const* builtin(std::string_view name);
  Node const* definition(std::string_view name);
  void member(Node& object);
  Node const* parameters();
  void skip_context();
  void skip_dialog();
  // The types up to a closing `>`, into `node`.
  void list(Node& node, std::size_t least, std::size_t most);
  // The name of a class, with what C++ has in such names: up to what can follow it in a schema.
  std::string_view name();
  std::string_view word();
  // What stands before a single colon, if that is how the text goes on.
  std::optional<std::string_view> label();
  std::size_t number();

  bool at_end() const noexcept { return at_ == text_.size(); }

  bool sees(std::string_view what) const noexcept { return text_.substr(at_).starts_with(what); }

  bool eat(std::string_view what);
  void expect(std::string_view what);
  Node& add(Shape shape, std::string_view name);
  [[noreturn]] void fail(std::string const& wanted) const;

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  std::deque<Node> nodes_;
  std::map<std::string_view, Node const*> classes_;
  Node const* root_ = nullptr;
  bool is_signature_ = false;
};

}  // namespace tractor::wire
