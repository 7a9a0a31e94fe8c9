// SPDX-License-Identifier: BSL-1.0
// expect: ok
#include "portal.hpp"

#include <chrono>
#include <filesystem>

struct Point {
  int x = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

struct Node {
  std::vector<Node> children;
  std::unique_ptr<Node> next;

  template <class Archive> void serialize(Archive& archive) { archive(children, next); }
};

// Its members call for themselves.
class Private {
  friend class cereal::access;
  int x = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x); }
};

int add(int a, int b);
int quiet(int a) noexcept;

static int local(int a) { return a; }

int over(int a);
int over(std::string a);

template <class T> T twice(T value) { return value; }

void nothing();
std::string text(std::string_view a, std::string const& b, std::string&& c, std::string d);
double sum(std::span<double const> values, std::span<int const, 3> three);
Point move(Point point, std::optional<Point> const& by);
Node grow(Node node);
Private keep(Private const& value);
std::unique_ptr<Point> box(std::unique_ptr<Point> point);
tractor::Bytes bytes(tractor::Bytes const& bytes, std::vector<std::byte> more);
std::chrono::nanoseconds later(std::chrono::milliseconds by, std::filesystem::path const& path);
extern "C" int c_function(int a);

struct Adder {
  int by;

  int operator()(int a) const { return a + by; }
};

void use(Portal portal, Point const& point, Node node, std::unique_ptr<Point> boxed) {
  int const a = portal.run<add>(1, 2) + portal.run<&add>('1', 2L) + portal.run<quiet>(1);
  int const b = portal.run<local>(a) + portal.run<tractor::pick<int(int)>(over)>(3);
  std::string const c = portal.run<twice<std::string>>("c");
  portal.run<nothing>();
  portal.run<text>("a", c, std::string("c"), "d");
  std::array<int, 3> const three{};
  portal.run<sum>(std::vector<double>{1}, three);
  portal.run<move>(point, std::nullopt);
  portal.run<grow>(std::move(node));
  portal.run<keep>(Private());
  boxed = portal.run<box>(std::move(boxed));
  portal.run<bytes>(tractor::Bytes(), std::vector<std::byte>());
  portal.run<later>(std::chrono::seconds(1), "/");
  portal.run<c_function>(b);
  portal.run<Adder{3}>(4);
  portal.run<[](int value) { return value; }>(1);
  portal.run<tractor::named<"local", local>>(1);
}

tractor::Exposed exposed() {
  return tractor::expose<local, twice<int>, Adder{3}, [] {}>;
}
