// SPDX-License-Identifier: BSL-1.0
#include "schema_tree.hpp"

#include <charconv>

namespace tractor::wire {

namespace {

// Types in the text may lie this deep, one within the other: each is a call on the stack.
constexpr unsigned deepest = 200;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

SchemaTree::SchemaTree(std::string_view text) : text_(text) {
  for (; !at_end(); ++at_)
    if (text_[at_] < ' ' || text_[at_] > '~') fail("a printable character");
  at_ = 0;
  root_ = type();
  if (eat(" (")) {
    is_signature_ = true;
    root_ = parameters();
  }
  if (!at_end()) fail("the end");
}

SchemaTree::Node const* SchemaTree::type() {
  if (++depth_ > deepest) fail("less depth");
  std::size_t const begin = at_;
  std::string_view const called = name();
  Node const* node = nullptr;
  if (eat("{")) {
    node = definition(called);
  } else if (auto const known = classes_.find(called); known != classes_.end()) {
    node = known->second;
  } else {
    at_ = begin;
    node = builtin(word());
  }
  --depth_;
  return node;
}

SchemaTree::Node const* SchemaTree::definition(std::string_view called) {
  Node& object = add(Shape::object, called);
  // Before its members: they may have some of it, in turn.
  classes_[called] = &object;
  if (eat("?")) {
    object.shape = Shape::unknown;
  } else if (eat("codec ")) {
    object.shape = Shape::coded;
    std::size_t const end = text_.find('}', at_);
    if (end == std::string_view::npos) fail("'}'");
    object.labels.push_back(text_.substr(at_, end - at_));
    at_ = end;
  } else {
    while (!sees("}")) {
      if (!object.parts.empty()) expect(" ");
      member(object);
    }
  }
  expect("}");
  return &object;
}

void SchemaTree::member(Node& object) {
  auto const called = label();
  object.labels.push_back(called.value_or(""));
  std::size_t const begin = at_;
  std::string_view const first = word();
  bool const alone = sees(" ") || sees("}");
  if (alone && first == "size") {
    object.parts.push_back(&add(Shape::size, first));
  } else if (alone && first == "bytes") {
    object.parts.push_back(&add(Shape::raw_bytes, first));
  } else if (first == "version" && eat(" ")) {
    Node& version = add(Shape::version, first);
    version.number = number();
    object.parts.push_back(&version);
  } else if ((first == "base" && eat(" ")) || (first == "virtual" && eat(" base "))) {
    Node& base = add(first == "base" ? Shape::base : Shape::virtual_base, first);
    base.parts.push_back(type());
    object.parts.push_back(&base);
  } else {
    at_ = begin;
    object.parts.push_back(type());
  }
}

SchemaTree::Node const* SchemaTree::builtin(std::string_view called) {
  struct Plain {
    std::string_view name;
    Shape shape;
  };

  constexpr Plain plain[] = {{"void", Shape::none},
                             {"none", Shape::none},
                             {"bool", Shape::boolean},
                             {"byte", Shape::byte},
                             {"path", Shape::path}};
  for (auto const& [name, shape] : plain)
    if (called == name) return &add(shape, called);

  struct Generic {
    std::string_view name;
    Shape shape;
    std::size_t least;
    std::size_t most;
  };

  constexpr auto any = static_cast<std::size_t>(-1);
  constexpr Generic generic[] = {
      {"list", Shape::sequence, 1, 1},     {"set", Shape::sequence, 1, 1},
      {"multiset", Shape::sequence, 1, 1}, {"map", Shape::map, 2, 2},
      {"multimap", Shape::map, 2, 2},      {"tuple", Shape::tuple, 0, any},
      {"variant", Shape::variant, 1, any}, {"optional", Shape::optional, 1, 1},
      {"pointer", Shape::optional, 1, 1},  {"shared", Shape::shared, 1, 1},
      {"duration", Shape::duration, 1, 1}, {"array", Shape::array, 1, 1}};
  for (auto const& [name, shape, least, most] : generic) {
    if (called != name) continue;
    Node& node = add(shape, called);
    list(node, least, most);
    if (shape == Shape::duration) {
      expect("*");
      node.ratio.first = number();
      expect("/");
      node.ratio.second = number();
    } else if (shape == Shape::array) {
      expect("[");
      node.number = number();
      expect("]");
    }
    return &node;
  }

  if (called == "string") {
    Node& node = add(Shape::string, called);
    if (sees("<")) {
      list(node, 1, 1);
    } else {
      Node& character = add(Shape::character, "c8");
      character.number = 8;
      node.parts.push_back(&character);
    }
    return &node;
  }
  if (called == "bits") {
    Node& node = add(Shape::bits, called);
    expect("[");
    node.number = number();
    expect("]");
    return &node;
  }
  if (called == "enum") {
    expect(" ");
    Node& node = add(Shape::enumeration, name());
    expect(":");
    node.parts.push_back(builtin(word()));
    return &node;
  }
  if (called == "time") {
    expect(" on ");
    Node& node = add(Shape::time, name());
    expect(" ");
    node.parts.push_back(type());
    return &node;
  }
  std::string_view const kinds = "ciuf";
  if (auto const kind = kinds.find(called.substr(0, 1)); called.size() > 1 && kind != kinds.npos) {
    constexpr Shape shapes[] = {Shape::character, Shape::signed_integer, Shape::unsigned_integer,
                                Shape::floating};
    at_ -= called.size() - 1;
    Node& node = add(shapes[kind], called);
    node.number = number();
    bool const known =
        node.number == 8 || node.number == 16 || node.number == 32 || node.number == 64;
    if (known) return &node;
  }
  at_ -= called.size();
  fail("a type");
}

SchemaTree::Node const* SchemaTree::parameters() {
  if (eat("context<"))
    skip_context();
  else if (eat("dialog<"))
    skip_dialog();
  Node& all = add(Shape::tuple, "arguments");
  while (!eat(")")) {
    if (!all.parts.empty()) expect(", ");
    all.parts.push_back(type());
  }
  return &all;
}

// What the messages of a context consist of is no argument; but a class may be described there.
void SchemaTree::skip_context() {
  bool first = true;
  while (!eat(">")) {
    if (!std::exchange(first, false)) expect(", ");
    if (!eat("started") && !eat("to callee")) expect("to caller");
    expect(": ");
    type();
  }
  expect("; ");
}

// The same of a dialog: "0 caller: i32 1, bool 2; 1 callee: ...; 2 end".
void SchemaTree::skip_dialog() {
  do {
    number();
    if (eat(" end")) continue;
    if (!eat(" caller: ")) expect(" callee: ");
    do {
      type();
      expect(" ");
      number();
    } while (eat(", "));
  } while (eat("; "));
  expect(">; ");
}

void SchemaTree::list(Node& node, std::size_t least, std::size_t most) {
  expect("<");
  while (!eat(">")) {
    if (!node.parts.empty()) expect(", ");
    node.parts.push_back(type());
  }
  if (node.parts.size() < least || node.parts.size() > most) fail("another number of types");
}

std::string_view SchemaTree::name() {
  std::size_t const begin = at_;
  for (unsigned open = 0; !at_end(); ++at_) {
    char const c = text_[at_];
    // "f()::{lambda()#1}::T", "f() const::T"
    bool const lambda = c == '{' && text_.substr(begin, at_ - begin).ends_with("::");
    if (c == '<' || c == '(' || c == '[' || lambda || (c == '{' && open > 0)) {
      ++open;
    } else if (c == '>' || c == ')' || c == ']' || c == '}') {
      if (open == 0) break;
      --open;
    } else if (open == 0 && c == ':') {
      if (!sees("::")) break;
      ++at_;
    } else if (open == 0 && (c == '{' || c == ',' || c == ';' || (c == ' ' && !sees(" const::")))) {
      break;
    }
  }
  return text_.substr(begin, at_ - begin);
}

std::string_view SchemaTree::word() {
  std::size_t const begin = at_;
  while (!at_end() && is_word(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::optional<std::string_view> SchemaTree::label() {
  std::size_t const begin = at_;
  std::string_view const called = word();
  if (!called.empty() && !sees("::") && eat(":")) return called;
  at_ = begin;
  return std::nullopt;
}

std::size_t SchemaTree::number() {
  std::size_t value = 0;
  char const* const begin = text_.data() + at_;
  auto const [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc()) fail("a number");
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

bool SchemaTree::eat(std::string_view what) {
  if (!sees(what)) return false;
  at_ += what.size();
  return true;
}

void SchemaTree::expect(std::string_view what) {
  if (!eat(what)) fail("'" + std::string(what) + "'");
}

SchemaTree::Node& SchemaTree::add(Shape shape, std::string_view called) {
  Node& node = nodes_.emplace_back();
  node.shape = shape;
  node.name = called;
  return node;
}

void SchemaTree::fail(std::string const& wanted) const {
  throw Malformed("character " + std::to_string(at_) + " of the schema, where " + wanted +
                  " was expected");
}

}  // namespace tractor::wire
