// SPDX-License-Identifier: AGPL-3.0-or-later
// Every *.txt in this folder is a test: what happens, ----, and how the servers stand then.
// ZATT_REWRITE=1 in the environment writes what was seen into the files, to be read and committed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/scenario/player.h"

namespace zatt::test {
namespace {

namespace fs = std::filesystem;
constexpr const char* separator = "----\n";

std::vector<fs::path> texts_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == ".txt") found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// From wherever the tests are run: below here, beside this source, or above the program.
std::vector<fs::path> scenarios() {
  std::vector<fs::path> folders = {"tests/scenario", fs::path(__FILE__).parent_path()};
  std::error_code failed;
  fs::path above = fs::read_symlink("/proc/self/exe", failed);
  while (above.has_relative_path()) {
    above = above.parent_path();
    folders.push_back(above / "tests/scenario");
  }
  for (const fs::path& folder : folders)
    if (std::vector<fs::path> found = texts_in(folder); !found.empty()) return found;
  return {};
}

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Words only: how many spaces lie between them is free.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string plain;
    for (std::string word; words >> word;) plain += (plain.empty() ? "" : " ") + word;
    if (!plain.empty()) lines.push_back(plain);
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// The servers whose state ends the file: `2 follower ...`.
std::vector<std::string> servers_at_end(const std::vector<std::string>& expected) {
  static const std::vector<std::string> roles = {"follower", "pre_candidate", "candidate", "leader",
                                                 "down"};
  std::vector<std::string> ids;
  for (auto line = expected.rbegin(); line != expected.rend(); ++line) {
    std::istringstream in(*line);
    std::string id, role;
    in >> id >> role;
    const bool is_state = std::find(roles.begin(), roles.end(), role) != roles.end();
    if (!is_state || (!ids.empty() && id >= ids.back())) break;
    ids.push_back(id);
  }
  return ids;
}

std::string difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& seen) {
  std::string text;
  for (std::size_t i = 0; i < std::max(expected.size(), seen.size()); ++i) {
    const bool same = i < expected.size() && i < seen.size() && expected[i] == seen[i];
    if (same) {
      text += "    " + seen[i] + "\n";
      continue;
    }
    if (i < expected.size()) text += "  - " + expected[i] + "\n";
    if (i < seen.size()) text += "  + " + seen[i] + "\n";
  }
  return text;
}

void play(const fs::path& path, bool rewrite) {
  const std::string text = contents(path);
  const std::size_t end = text.find(separator);
  const std::string script = text.substr(0, end);
  const std::string below =
      end == std::string::npos ? "" : text.substr(end + std::string(separator).size());
  const std::vector<std::string> expected = lines_of(below);

  ScenarioPlayer player;
  const std::vector<std::string> outcome = player.play(script, servers_at_end(expected));
  const std::vector<std::string> seen = lines_of(joined(outcome));
  const bool went_wrong = std::any_of(seen.begin(), seen.end(), [](const std::string& line) {
    return line.rfind("error:", 0) == 0;
  });
  if (rewrite && !went_wrong) {
    std::ofstream(path) << script << separator << joined(outcome);
    return;
  }
  CHECK_MESSAGE((!went_wrong && seen == expected), path.filename().string(),
                ": - expected, + seen\n", difference(expected, seen));
}

}  // namespace

TEST_CASE("scenarios: each text plays as it says") {
  const char* rewrite = std::getenv("ZATT_REWRITE");
  const std::vector<fs::path> all = scenarios();
  REQUIRE(all.size() >= 15);
  for (const fs::path& path : all) play(path, rewrite != nullptr && *rewrite != '\0');
}

TEST_CASE("scenarios: what a text gets wrong is said") {
  const auto outcome = [](const std::string& script) {
    return ScenarioPlayer().play(script, {"1"}).front();
  };
  CHECK(outcome("elect 1") == "error: elect 1: a scenario begins with: cluster 1 2 3");
  CHECK(outcome("cluster 1; elcet 1") ==
        "error: elcet 1: unknown word \"elcet\"; README.md has them all");
  CHECK(outcome("cluster 1 2; propose 1 x") == "error: propose 1 x: 1 does not lead");
  CHECK(outcome("cluster 1; isolate 7") == "error: isolate 7: no server 7");
  CHECK(outcome("cluster 1; drop apend") ==
        "error: drop apend: no kind of message is called apend");
  CHECK(outcome("cluster 1; expect 1 leader") ==
        "error: expect 1 leader: it is: 1 follower       current_term=0 commit_index=0 "
        "last_index=1");
}

}  // namespace zatt::test
