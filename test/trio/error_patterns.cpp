// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace support;
using trio::testing::raises;

namespace {

template <class T, class... A> std::exception_ptr error(A&&... arguments) {
  return std::make_exception_ptr(T(std::forward<A>(arguments)...));
}

template <class... E> std::exception_ptr group_of(E... members) {
  return trio::make_exception_group("several", std::vector<std::exception_ptr>{members...});
}

}  // namespace

TEST_CASE("a pattern accepts a type and what is derived from it, no group, not nothing") {
  CHECK(matches(error<KeyError>(), of<KeyError>()));
  CHECK(matches(error<KeyError>(), of<std::runtime_error>()));
  CHECK_FALSE(matches(error<KeyError>(), of<ValueError>()));
  CHECK_FALSE(matches(nullptr, of<KeyError>()));
  CHECK_FALSE(matches(group_of(error<KeyError>()), of<KeyError>()));
  CHECK_FALSE(matches(group_of(error<KeyError>()), of<std::exception>()));
  CHECK(matches(error<trio::Interrupted>(), of<trio::Interrupted>()));
  CHECK_FALSE(matches(std::make_exception_ptr(7), of<KeyError>()));
}

TEST_CASE("a pattern may ask for the message, or for anything") {
  CHECK(matches(error<KeyError>("one"), of<KeyError>("one")));
  CHECK_FALSE(matches(error<KeyError>("one"), of<KeyError>("two")));
  auto const long_one =
      of<KeyError>([](KeyError const& each) { return std::string(each.what()).size() > 3; });
  CHECK(matches(error<KeyError>("four"), long_one));
  CHECK_FALSE(matches(error<KeyError>("one"), long_one));
}

TEST_CASE("a group has exactly these members, in any order, in this shape") {
  auto const both = group(of<KeyError>(), of<ValueError>());
  CHECK(matches(group_of(error<KeyError>(), error<ValueError>()), both));
  CHECK(matches(group_of(error<ValueError>(), error<KeyError>()), both));
  CHECK_FALSE(matches(group_of(error<KeyError>()), both));
  CHECK_FALSE(matches(group_of(error<KeyError>(), error<KeyError>()), both));
  CHECK_FALSE(matches(group_of(error<KeyError>(), error<ValueError>(), error<KeyError>()), both));
  CHECK_FALSE(matches(error<KeyError>(), group(of<KeyError>())));
  auto const nested = group(of<KeyError>(), group(of<ValueError>()));
  CHECK(matches(group_of(group_of(error<ValueError>()), error<KeyError>()), nested));
  CHECK_FALSE(matches(group_of(error<KeyError>(), error<ValueError>()), nested));
}

TEST_CASE("a pattern that fits several members leaves each to who needs it") {
  auto const members = group_of(error<KeyError>("a"), error<KeyError>("b"), error<ValueError>("c"));
  CHECK(matches(members, group(of<std::exception>(), of<KeyError>(), of<KeyError>("a"))));
  CHECK(matches(members, group(of<KeyError>("a"), of<std::exception>(), of<KeyError>())));
  CHECK_FALSE(matches(members, group(of<KeyError>("a"), of<KeyError>("a"), of<std::exception>())));
  CHECK_FALSE(matches(members, group(of<ValueError>(), of<ValueError>(), of<KeyError>())));
}

TEST_CASE("a large group is matched without trying every order") {
  std::vector<std::exception_ptr> members;
  std::vector<trio::testing::ErrorPattern> wanted;
  for (int i = 0; i < 30; ++i) {
    members.push_back(error<KeyError>(std::to_string(i)));
    wanted.push_back(of<KeyError>(std::to_string(29 - i)));
  }
  auto const all = trio::make_exception_group("thirty", members);
  CHECK(matches(all, group(wanted)));
  wanted.back() = of<ValueError>();
  CHECK_FALSE(matches(all, group(wanted)));
}

TEST_CASE("raises() throws unless what is thrown fits, and tells both") {
  raises(of<KeyError>(), [] { throw KeyError(); });
  raises(group(of<KeyError>()),
         [] { run([] { trio::open_nursery([](trio::Nursery&) { throw KeyError(); }); }); });
  auto const wrong = thrown_by([] { raises(of<ValueError>("x"), [] { throw KeyError("gone"); }); });
  auto const* refusal = trio::exception_cast<std::logic_error>(wrong);
  REQUIRE(refusal);
  std::string const text = refusal->what();
  CHECK(text.find("gone") != text.npos);
  CHECK(text.find("support::ValueError(x)") != text.npos);
  auto const nothing = thrown_by([] { raises(of<ValueError>(), [] {}); });
  CHECK(
      std::string(trio::exception_cast<std::logic_error>(nothing)->what()).find("nothing thrown") !=
      text.npos);
}

TEST_CASE("a verdict reads well") {
  std::ostringstream out;
  out << matches(error<KeyError>("gone"), group(of<KeyError>(), group(of<ValueError>("x"))));
  CHECK(out.str() ==
        "support::KeyError: gone against group(support::KeyError, group(support::ValueError(x)))");
}
