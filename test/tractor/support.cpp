// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace support {

namespace fs = std::filesystem;

namespace {

// Of a file in /proc; empty, or cut, if the process ends meanwhile.
std::string contents(fs::path const& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

std::vector<std::string> living_actors(std::string const& tree_id) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (auto const& process : fs::directory_iterator("/proc", ignored)) {
    std::string const pid = process.path().filename();
    if (!std::isdigit(static_cast<unsigned char>(pid.front()))) continue;
    std::string command = contents(process.path() / "cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    // An actor has it in its title; what an actor has started, in its environment.
    std::string const environment = contents(process.path() / "environ");
    if (command.find("@" + tree_id + "]") != std::string::npos ||
        environment.find(tree_id) != std::string::npos)
      found.push_back(pid + " " + command);
    // A zombie has no command line any more, but it has us as its parent.
    std::string const stat = contents(process.path() / "stat");
    auto const after_name = stat.rfind(')');
    if (after_name != std::string::npos &&
        stat.compare(after_name, 4 + std::to_string(getpid()).size() + 1,
                     ") Z " + std::to_string(getpid()) + " ") == 0)
      found.push_back(pid + " (zombie)");
  }
  return found;
}

std::string parent_of(std::string const& actor) {
  std::ifstream status("/proc/" + actor.substr(0, actor.find(' ')) + "/status");
  for (std::string word; status >> word;)
    if (word == "PPid:" && status >> word) return word;
  return {};
}

std::vector<std::string> directories_of(pid_t pid) {
  std::vector<std::string> found;
  std::string const prefix = "tractor-" + std::to_string(pid) + "-";
  char const* runtime = std::getenv("XDG_RUNTIME_DIR");
  for (fs::path const& base : std::set<fs::path>{"/tmp", runtime ? runtime : "/tmp"}) {
    std::error_code ignored;
    for (auto const& entry : fs::directory_iterator(base, ignored))
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  return found;
}

std::string program(std::string const& name) {
  return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

int crowding() {
  // "0.52 0.58 0.59 2/713 4242": averages of the last minutes; how many run now, of how many.
  std::ifstream loads("/proc/loadavg");
  double minute = 0;
  double now = 0;
  std::string ignored;
  loads >> minute >> ignored >> ignored >> now;
  auto const cores = std::max(1U, std::thread::hardware_concurrency());
  return std::clamp(static_cast<int>(std::ceil(std::max(minute, now) / cores)), 1, 4);
}

std::size_t resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  statm >> total >> pages;
  return pages * static_cast<std::size_t>(getpagesize());
}

std::size_t open_descriptors() {
  auto const all = fs::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
}

}  // namespace support
