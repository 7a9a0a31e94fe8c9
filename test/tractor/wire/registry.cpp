// SPDX-License-Identifier: BSL-1.0
#include "registry.hpp"

#include "types.hpp"

#include <tractor/detail/linkage.hpp>

#include <algorithm>

#include <doctest/doctest.h>

using tractor::build_id;
using tractor::Entry;
using tractor::expose;
using tractor::Exposed;
using tractor::function_id;
using tractor::FunctionId;
using tractor::FunctionRequest;
using tractor::named;
using tractor::Refusal;
using tractor::Resolution;
using tractor::resolve;
using tractor::detail::is_portable_name;
namespace other = wire_test::other;

// In registry_other.cpp there is another of the same name.
static int helper(int value) { return value + 1; }

namespace {

int anonymous(int value) { return value + 10; }

constexpr auto lambda = [](int value) { return value * 3; };

app::Tree prune(app::Tree tree, std::string const&) { return tree; }

int only_exposed(int value) { return value; }

int over(int) { return 1; }

int over(double) { return 2; }

struct Adder {
  int by;

  int operator()(int value) const { return value + by; }
};

Exposed const functions =
    expose<helper, anonymous, lambda, wire_test::defined_once, wire_test::defined_inline,
           named<"prune", prune>, named<"triple", lambda>>;

FunctionRequest same_build(FunctionId const& id) { return {id.name(), id.offset(), 0}; }

FunctionRequest other_build(FunctionId const& id) { return {id.name(), 0, id.signature_hash()}; }

// What the function that `request` finds makes of 5.
int run(Exposed const& exposed, FunctionRequest const& request) {
  Resolution const found = resolve(exposed.entries(), request);
  CAPTURE(found.sentence);
  REQUIRE(found.entry);
  CHECK(found.refusal == Refusal::none);
  return tractor::decode<int>(found.entry->invoke(tractor::encode(5), nullptr));
}

Refusal refusal_of(Exposed const& exposed, FunctionRequest const& request) {
  Resolution const found = resolve(exposed.entries(), request);
  CHECK(!found.entry);
  CHECK(found.sentence.starts_with("tractor: "));
  return found.refusal;
}

bool is_registered(FunctionId const& id) {
  auto const all = tractor::registered_functions();
  return std::any_of(all.begin(), all.end(),
                     [&](Entry const* entry) { return entry->id().offset() == id.offset(); });
}

}  // namespace

TEST_CASE("exposing registers, naming does not") {
  CHECK(is_registered(function_id<helper>()));
  CHECK(is_registered(other::static_helper()));
  CHECK_FALSE(is_registered(function_id<only_exposed>()));
  CHECK(functions.entries().size() == 7);
  CHECK(Exposed().entries().empty());
  Exposed const copy = functions;
  CHECK(copy.entries().data() == functions.entries().data());
}

TEST_CASE("a function has one offset, whoever names it") {
  CHECK(function_id<wire_test::defined_once>().offset() == other::defined_once().offset());
  CHECK(function_id<wire_test::defined_inline>().offset() == other::defined_inline().offset());
  CHECK(function_id<wire_test::shared_lambda>().offset() == other::shared_lambda().offset());
  CHECK(function_id<&helper>().offset() == function_id<helper>().offset());
  CHECK(function_id<helper>().offset() != 0);
}

TEST_CASE("functions that only look the same have different offsets") {
  CHECK(function_id<helper>().name() == other::static_helper().name());
  CHECK(function_id<helper>().offset() != other::static_helper().offset());
  CHECK(function_id<anonymous>().offset() != other::anonymous_helper().offset());
  CHECK(function_id<lambda>().offset() != other::lambda().offset());
  CHECK(function_id<tractor::pick<int(int)>(over)>().offset() !=
        function_id<tractor::pick<int(double)>(over)>().offset());
  CHECK(function_id<wire_test::instantiated<int>>().name() !=
        function_id<wire_test::instantiated<long>>().name());
  CHECK(function_id<Adder{1}>().name() != function_id<Adder{2}>().name());
  CHECK(function_id<[](int a) { return a; }>().offset() !=
        function_id<[](int a) { return a; }>().offset());
}

TEST_CASE("within one build each caller gets the function it means") {
  CHECK(run(functions, same_build(function_id<helper>())) == 6);
  CHECK(run(other::exposed(), same_build(other::static_helper())) == 7);
  CHECK(run(functions, same_build(function_id<anonymous>())) == 15);
  CHECK(run(other::exposed(), same_build(other::anonymous_helper())) == 25);
  CHECK(run(functions, same_build(function_id<lambda>())) == 15);
  CHECK(run(other::exposed(), same_build(other::lambda())) == 10);
  CHECK(run(functions, same_build(other::defined_once())) == 5);
  CHECK(run(other::exposed(), same_build(function_id<wire_test::defined_inline>())) == 105);
}

TEST_CASE("within one build nobody gets a function that merely has the name") {
  CHECK(refusal_of(functions, same_build(other::static_helper())) == Refusal::not_exposed);
  CHECK(refusal_of(other::exposed(), same_build(function_id<helper>())) == Refusal::not_exposed);
}

TEST_CASE("between builds the name and the signature decide") {
  CHECK(run(functions, other_build(function_id<wire_test::defined_once>())) == 5);
  auto const id = function_id<wire_test::defined_once>();
  CHECK(refusal_of(functions, {id.name(), 0, id.signature_hash() + 1}) ==
        Refusal::signature_mismatch);
  CHECK(resolve(functions.entries(), {id.name(), 0, 1}).sentence.find("here it is i32 (i32)") !=
        std::string::npos);
}

TEST_CASE("between builds a static function, a lambda or another's are refused") {
  CHECK(refusal_of(functions, other_build(function_id<helper>())) == Refusal::not_portable);
  CHECK(refusal_of(functions, other_build(function_id<anonymous>())) == Refusal::not_portable);
  CHECK(refusal_of(functions, other_build(function_id<lambda>())) == Refusal::not_portable);
  CHECK(resolve(functions.entries(), other_build(function_id<helper>())).sentence ==
        "tractor: helper(int) is a static function or a lambda, which another program cannot name: "
        "expose and call it as named<\"...\", function>");
}

TEST_CASE("a name that was given crosses builds") {
  auto const id = function_id<named<"triple", lambda>>();
  CHECK(id.name() == "triple");
  CHECK(id.readable_name() == "triple");
  CHECK(id.crosses_builds());
  CHECK(id.offset() != function_id<lambda>().offset());
  CHECK(run(functions, other_build(id)) == 15);
  CHECK(run(functions, same_build(id)) == 15);
  CHECK(refusal_of(other::exposed(), same_build(id)) == Refusal::not_exposed);
}

TEST_CASE("functions of one name are ambiguous, one function twice is not") {
  Exposed const twins = expose<named<"twin", helper>, named<"twin", anonymous>>;
  CHECK(refusal_of(twins, {"twin", 0, 1}) == Refusal::ambiguous);
  CHECK(run(twins, same_build(function_id<named<"twin", helper>>())) == 6);

  // As if a shared library had registered it, too.
  FunctionId const id = function_id<wire_test::defined_once>();
  Entry const& first = *resolve(functions.entries(), same_build(id)).entry;
  Entry const again = {id, reinterpret_cast<void const*>(&wire_test::defined_once),
                       [](tractor::Buffer, Entry::ContextPtr const&) { return tractor::Buffer(); }};
  CHECK(first.same_function(again));
  CHECK(tractor::registered_functions().front() == &again);
  Entry const* const both[] = {&again, &first};
  CHECK(resolve(both, other_build(id)).entry == &again);
}

TEST_CASE("a record that ends leaves the list") {
  auto const before = tractor::registered_functions();
  {
    Entry const one(function_id<only_exposed>(), nullptr, nullptr);
    {
      Entry const two(function_id<only_exposed>(), nullptr, nullptr);
      CHECK(tractor::registered_functions().size() == before.size() + 2);
    }
    CHECK(tractor::registered_functions().front() == &one);
  }
  CHECK(tractor::registered_functions() == before);
}

TEST_CASE("what is not there is refused, and nothing that is asked for is believed") {
  auto const nowhere = function_id<wire_test::defined_nowhere>();
  CHECK(refusal_of(functions, same_build(nowhere)) == Refusal::unknown);
  CHECK(refusal_of(functions, other_build(nowhere)) == Refusal::unknown);
  CHECK(refusal_of(Exposed(), other_build(function_id<wire_test::defined_once>())) ==
        Refusal::not_exposed);
  CHECK(refusal_of(functions, {"", 0, 0}) == Refusal::unknown);
  CHECK(refusal_of(functions, {"", ~std::uint64_t{0}, 0}) == Refusal::unknown);
  CHECK(refusal_of(functions, {"_Z\xff", 8, 0}) == Refusal::unknown);
  CHECK(refusal_of(functions, {std::string(100'000, 'N'), 1, 0}) == Refusal::unknown);
}

TEST_CASE("names are readable") {
  CHECK(function_id<wire_test::defined_inline>().readable_name() == "wire_test::defined_inline");
  CHECK(function_id<helper>().readable_name() == "helper(int)");
  CHECK(function_id<wire_test::instantiated<std::string>>().readable_name() ==
        "std::string wire_test::instantiated<std::string>(std::string)");
  CHECK(function_id<Adder{3}>().readable_name() == "(anonymous namespace)::Adder{3}");
}

TEST_CASE("an entry knows its signature") {
  auto const id = function_id<named<"prune", prune>>();
  CHECK(id.signature() ==
        "app::Tree{string list<app::Tree> pointer<app::Tree>} (app::Tree, string)");
  CHECK(id.signature_hash() == tractor::signature_hash(id.signature()));
}

TEST_CASE("the build id is one") {
  // lld's are shorter than those of the other linkers.
  CHECK((build_id().size() == 16 || build_id().size() == 40));
  CHECK(build_id().find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(&build_id() == &build_id());
}

// Names as g++ 12 and clang 16 mangle them; these are the same with both.
TEST_CASE("functions with linkage have portable names") {
  for (char const* name : {
           "N7tractor8functionIXadL_Z4cfunEEEE",                              // extern "C"
           "N7tractor8functionIXadL_ZN2ns3extE5ColorEEEE",                    // ns::ext(Color)
           "N7tractor8functionIXadL_ZN2ns8L6helperEiEEEE",                    // ns::L6helper(int)
           "N7tractor8functionIXadL_ZN2ns9getL2NormEiEEEE",                   // ns::getL2Norm(int)
           "N7tractor8functionIXadL_ZN2ns1fE5LabeliEEEE",                     // ns::f(Label, int)
           "N7tractor8functionIXadL_ZN2ns1S6memberEiEEEE",                    // S::member, static
           "N7tractor8functionIXadL_ZN2ns4workIiEEiT_EEEE",                   // ns::work<int>
           "N7tractor8functionIXadL_ZN2ns7coloredIL5Color0EEEivEEEE",         // <Color::red>
           "N7tractor8functionIXadL_ZN2ns8colored2ILNS1_6ColourE1EEEivEEEE",  // <ns::Colour>
           "N7tractor8functionIXadL_ZN2ns4intsILin12EEEivEEEE",               // <-12>
           "N7tractor8functionIXadL_ZN2ns4wrapIXadL_ZNS1_3extE5ColorEEEEiiEEEE",
           "N7tractor8functionIXadL_ZN2ns4packIJLi1EL5Color0EXadL_Z4cfunEEEEEiiEEEE",
           "N7tractor8functionIXtl5AdderLi3EEEEE",  // Adder{3}
           "N7tractor8functionIXadL_Z6taggedB5cxx11iEEEE",
       }) {
    CAPTURE(name);
    CHECK(is_portable_name(name));
  }
}

TEST_CASE("static functions, unnamed namespaces and lambdas have none") {
  for (char const* name : {
           "N7tractor8functionIXadL_ZL6helperiEEEE",       // static helper(int)
           "N7tractor8functionIXadL_ZN2nsL6helperEiEEEE",  // in a namespace
           "N7tractor8functionIXadL_ZL7helperE1EEEEE",     // helper(E)
           "N7tractor8functionIXadL_ZN2ns12_GLOBAL__N_14anonEiEEEE",
           "N7tractor8functionIXadL_ZN2ns5takesENS1_12_GLOBAL__N_12ATEEEEE",
           "N7tractor8functionIXadL_ZN2nsL8stattmplI5ColorEET_S4_EEEE",
           "N7tractor8functionIXadL_ZN2ns4wrapIXadL_ZNS1_L6helperEiEEEEiiEEEE",
           "N7tractor8functionIXtlZL4stfnvE5LocalEEEE",  // in a static function
           "N7tractor8functionIXtlN3lamMUliE_EEEEE",     // g++'s lambdas
           "N7tractor8functionIXtlZ4mainEUliE_EEEE",
           "N7tractor8functionIXtl3$_0EEEE",  // clang's
           "N7tractor8functionIXtlZ4mainE3$_0EEEE",
           "not a mangled name",
           "",
       }) {
    CAPTURE(name);
    CHECK_FALSE(is_portable_name(name));
  }
}

TEST_CASE("what this compiler makes of linkage is seen") {
  CHECK(function_id<wire_test::defined_once>().crosses_builds());
  CHECK(function_id<wire_test::instantiated<int>>().crosses_builds());
  CHECK_FALSE(function_id<helper>().crosses_builds());
  CHECK_FALSE(function_id<anonymous>().crosses_builds());
  CHECK_FALSE(function_id<lambda>().crosses_builds());
  CHECK_FALSE(function_id<wire_test::shared_lambda>().crosses_builds());
  CHECK_FALSE(function_id<wire_test::instantiated<decltype(lambda)>>().crosses_builds());
}
