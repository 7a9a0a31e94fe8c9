// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "types.hpp"

#include <tractor/buffer.hpp>

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace wire_test {

// Something of each kind that the archives know.
struct Everything {
  bool flag = true;
  std::string text = "some text";
  std::vector<std::string> texts{"a", "", "b"};
  std::vector<double> numbers{1, 2, 3};
  std::vector<bool> flags{true, false};
  std::vector<app::Empty> nothings{{}, {}, {}};
  std::deque<std::int16_t> deque{1, 2};
  std::list<app::Named> list{{"label", {{1, 2}, {3, 4}}}};
  std::set<std::string> set{"x", "y"};
  std::unordered_set<int> hashed{1, 2, 3};
  std::map<std::string, std::vector<int>> map{{"k", {1, 2}}, {"l", {}}};
  std::unordered_multimap<int, std::string> multimap{{1, "a"}, {1, "b"}};
  std::array<std::string, 2> array{"left", "right"};
  std::tuple<int, std::optional<std::string>> tuple{5, "present"};
  std::variant<std::monostate, std::string, app::Point> variant{app::Point{1, 2}};
  std::unique_ptr<app::Named> unique = std::make_unique<app::Named>();
  std::shared_ptr<app::Point> shared = std::make_shared<app::Point>();
  std::shared_ptr<app::Point> same = shared;
  std::shared_ptr<std::string> other = std::make_shared<std::string>("other");
  std::bitset<12> bits{0xabc};
  std::chrono::milliseconds duration{5};
  std::filesystem::path path = "/tmp";
  tractor::Bytes bytes{std::string("bytes")};
  app::Tree tree;
  std::vector<app::Versioned> versioned{{1, 0}, {2, 0}};
  app::Diamond diamond;
  app::OutsideMinimal minimal{"minimal"};
  app::Block block{{1, 2, 3}};

  template <class Archive> void serialize(Archive& archive) {
    archive(flag, text, texts, numbers, flags, nothings, deque, list, set, hashed, map, multimap,
            array, tuple, variant, unique, shared, same, other, bits, duration, path, bytes, tree,
            versioned, diamond, minimal, block);
  }
};

inline Everything everything() {
  Everything value;
  value.tree.children.resize(2);
  value.tree.sibling = std::make_unique<app::Tree>();
  return value;
}

}  // namespace wire_test
