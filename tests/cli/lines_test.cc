// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/lines.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zatt::cli;

namespace {

std::vector<std::string> lines_of(LineCutter& cutter) {
  std::vector<std::string> lines;
  LineCutter::Line line;
  while (cutter.next(line)) lines.push_back(std::string(line.text) + (line.too_long ? "!" : ""));
  return lines;
}

}  // namespace

TEST_CASE("LineCutter: lines however the bytes come, the last without a newline") {
  const std::string text = "one\ntwo\r\n\nthree\nlast";
  const std::vector<std::string> want = {"one", "two", "", "three", "last"};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineCutter cutter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      cutter.add(std::string_view(text).substr(at, piece));
      for (std::string& line : lines_of(cutter)) lines.push_back(std::move(line));
    }
    CHECK(!cutter.at_end());
    cutter.end();
    for (std::string& line : lines_of(cutter)) lines.push_back(std::move(line));
    CHECK(lines == want);
    CHECK(cutter.at_end());
  }
}

TEST_CASE("LineCutter: a newline at the end begins no line") {
  LineCutter cutter;
  cutter.add("a\n");
  cutter.end();
  CHECK(lines_of(cutter) == std::vector<std::string>{"a"});
  CHECK(cutter.at_end());
}

TEST_CASE("LineCutter: a line that is too long is one line, and the next is whole") {
  LineCutter cutter;
  const std::string piece(1 << 20, 'x');
  std::vector<std::string> lines;
  for (int i = 0; i < 40; ++i) {
    cutter.add(piece);
    for (std::string& line : lines_of(cutter)) lines.push_back(std::move(line));
  }
  CHECK(lines == std::vector{std::string(200, 'x') + "!"});
  cutter.add("x\nnext\n");
  CHECK(lines_of(cutter) == std::vector<std::string>{"next"});
}
