// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/text.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/scenario/player.h"

namespace zatt::test {
namespace {

constexpr const char* separator = "----\n";

// Words only: how many spaces lie between them is free.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n'))
    if (const Words words = words_of(line); !words.empty()) lines.push_back(join(words));
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// The servers whose state ends the file: `2 follower ...`.
std::vector<std::string> servers_at_end(const std::vector<std::string>& expected) {
  static const Words roles = {"follower", "pre_candidate", "candidate", "leader", "down"};
  std::vector<std::string> ids;
  for (auto line = expected.rbegin(); line != expected.rend(); ++line) {
    const Words words = words_of(*line);
    const bool is_state =
        words.size() > 1 && std::find(roles.begin(), roles.end(), words[1]) != roles.end();
    if (!is_state || (!ids.empty() && words[0] >= ids.back())) break;
    ids.push_back(words[0]);
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

}  // namespace

Played play_file(const std::string& path, bool rewrite, bool trace) {
  std::ifstream file(path);
  if (!file) return {false, "  " + path + " can't be read\n"};
  std::ostringstream contents;
  contents << file.rdbuf();
  const std::string text = contents.str();
  const std::size_t end = text.find(separator);
  const std::string script = text.substr(0, end);
  const std::vector<std::string> expected =
      lines_of(end == std::string::npos ? "" : text.substr(end + std::string(separator).size()));

  const std::vector<std::string> outcome =
      ScenarioPlayer(trace).play(script, servers_at_end(expected));
  const std::vector<std::string> seen = lines_of(joined(outcome));
  const bool went_wrong = std::any_of(
      seen.begin(), seen.end(), [](const std::string& line) { return line.starts_with("error:"); });
  if (rewrite && !went_wrong) {
    std::ofstream(path) << script << (outcome.empty() ? "" : separator) << joined(outcome);
    return {true, ""};
  }
  return {!went_wrong && seen == expected, difference(expected, seen)};
}

int run_scenario(const std::string& path, bool trace) {
  const Played played = play_file(path, false, trace);
  if (played.as_expected)
    std::printf("%s: as expected\n", path.c_str());
  else
    std::printf("%s: - expected, + seen\n%s", path.c_str(), played.difference.c_str());
  return played.as_expected ? 0 : 1;
}

}  // namespace zatt::test
