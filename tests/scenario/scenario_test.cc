// SPDX-License-Identifier: AGPL-3.0-or-later
// Every *.txt in this folder is a test: what happens, ----, and what is seen then.
// ZATT_REWRITE=1 in the environment writes what was seen into the files, to be read and committed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/scenario/player.h"
#include "tests/scenario/text.h"

namespace zatt::test {
namespace {

namespace fs = std::filesystem;

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

std::string outcome(const std::string& script) {
  const auto lines = ScenarioPlayer().play(script, {"1"});
  return lines.empty() ? "" : lines.front();
}

}  // namespace

TEST_CASE("scenarios: each text plays as it says") {
  const char* rewrite = std::getenv("ZATT_REWRITE");
  const std::vector<fs::path> all = scenarios();
  REQUIRE(all.size() >= 60);
  for (const fs::path& path : all) {
    const Played played = play_file(path.string(), rewrite != nullptr && *rewrite != '\0', false);
    CHECK_MESSAGE(played.as_expected, path.filename().string(), ": - expected, + seen\n",
                  played.difference);
  }
}

TEST_CASE("scenarios: what a text gets wrong is said") {
  CHECK(outcome("elect 1") == "error: elect 1: a scenario begins with: cluster 1 2 3, or: nodes 3");
  CHECK(outcome("cluster 1; elcet 1") ==
        "error: elcet 1: unknown word \"elcet\"; README.md has them all");
  CHECK(outcome("cluster 1 2; propose 1 x") == "error: propose 1 x: 1 does not lead");
  CHECK(outcome("cluster 1; isolate 7") == "error: isolate 7: no server 7");
  CHECK(outcome("cluster 1; drop apend") ==
        "error: drop apend: no kind of message is called apend");
  CHECK(outcome("cluster 1; drop append@x") == "error: drop append@x: which term?");
  CHECK(outcome("cluster 1; expect 1 leader") ==
        "error: expect 1 leader: it is: 1 follower       current_term=0 commit_index=0 "
        "last_index=1");
}

TEST_CASE("scenarios: of whole nodes, too") {
  CHECK(outcome("nodes 9") == "error: nodes 9: nodes 1 to 7");
  CHECK(outcome("nodes 3 timeouts=100") ==
        "error: nodes 3 timeouts=100: timeouts wants a percentage for each node");
  CHECK(outcome("nodes 3; propose 1 x") ==
        "error: propose 1 x: unknown word \"propose\"; README.md has them all");
  CHECK(outcome("nodes 3; client c at 3") == "error: client c at 3: no server 3");
  CHECK(outcome("nodes 1; client c at 0; c set k; expect c ok") ==
        "error: c set k: CLIENT get K|set K V|delete K|incr K [N]|count|say LINE [timeout=MS]");
  CHECK(outcome("nodes 1; client c at 0; expect c ok") ==
        "error: expect c ok: it has asked nothing more");
  CHECK(outcome("nodes 1; client c at 0; c get k; expect c ok found=true within 2000") ==
        "error: expect c ok found=true within 2000: to {\"op\":\"get\",\"key\":\"k\"}: "
        "ok found=false");
  CHECK(outcome("nodes 3; elect 1; expect never 1 leader within 10")
            .starts_with("error: expect never 1 leader within 10: it is so at"));
  CHECK(outcome("nodes 3; elect 1; expect terms<=0") ==
        "error: expect terms<=0: it is: writes=0 writes_percent=0 leader_changes=1 terms=1");
  CHECK(outcome("nodes 3; expect teams<=0") == "error: expect teams<=0: there is no teams<=0");
}

}  // namespace zatt::test
