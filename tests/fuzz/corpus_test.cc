// SPDX-License-Identifier: AGPL-3.0-or-later
// Every input that a fuzzer began with, or once found, through its target.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

namespace fs = std::filesystem;

fs::path corpus() {
  const fs::path here("tests/fuzz/corpus");
  return fs::is_directory(here) ? here : fs::path(__FILE__).parent_path() / "corpus";
}

std::vector<fs::path> inputs_of(const char* target) {
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(corpus() / target))
    inputs.push_back(entry.path());
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

}  // namespace

TEST_CASE("fuzz: the corpus") {
  for (const Target& target : targets) {
    const std::vector<fs::path> inputs = inputs_of(target.name);
    CAPTURE(target.name);
    CHECK(inputs.size() >= 2);
    for (const fs::path& input : inputs) {
      const std::string name = input.string();
      CAPTURE(name);
      std::ifstream file(input, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
      CHECK(target.run(data, bytes.size()) == 0);  // aborts where a promise is broken
      for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 8)
        CHECK(target.run(data, cut) == 0);
    }
  }
}

TEST_CASE("fuzz: every folder of the corpus has its target") {
  for (const auto& entry : fs::directory_iterator(corpus())) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK(std::any_of(std::begin(targets), std::end(targets),
                      [&name](const Target& target) { return target.name == name; }));
  }
}

}  // namespace zatt::fuzz
