// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/options.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace zatt {
namespace {

using Words = std::vector<std::string>;

constexpr OptionRules of_numbers = {.numbers_are_operands = true, .values_may_be_options = true};

// Each item in a word: +operand, --name:value, or ?unknown, <missing_value, >unexpected_value.
Words taken(const Words& words, OptionRules rules = {}) {
  OptionParser parser(
      words,
      {{"--port", 'p', "N"}, {"--raw", 'r', ""}, {"--keep", 'k', ""}, {"--watch", 'w', "[N]"}},
      rules);
  Words items;
  while (const auto item = parser.next()) {
    constexpr std::string_view marks = "-+?<>";
    const char mark = marks[static_cast<std::size_t>(item->kind)];
    items.push_back((mark == '-' ? "" : std::string(1, mark)) + item->text +
                    (item->value ? ":" + *item->value : ""));
    if (mark == '-')
      CHECK(item->row == std::string_view("prkw").find(
                             item->text.substr(0, 2) == "--" ? item->text[2] : item->text[1]));
  }
  return items;
}

}  // namespace

TEST_CASE("options: every way to write one") {
  CHECK(taken({"--port", "7"}) == Words{"--port:7"});
  CHECK(taken({"--port=7"}) == Words{"--port:7"});
  CHECK(taken({"--port="}) == Words{"--port:"});
  CHECK(taken({"-p", "7"}) == Words{"-p:7"});
  CHECK(taken({"-p7"}) == Words{"-p:7"});
  CHECK(taken({"-rkp7"}) == Words{"-r", "-k", "-p:7"});
  CHECK(taken({"-rp", "7", "-k"}) == Words{"-r", "-p:7", "-k"});
  CHECK(taken({"a", "--raw", "", "b"}) == Words{"+a", "--raw", "+", "+b"});
  CHECK(taken({}) == Words{});
}

TEST_CASE("options: what is wrong is told apart") {
  CHECK(taken({"--prot", "7"}) == Words{"?--prot", "+7"});
  CHECK(taken({"--prot=7"}) == Words{"?--prot"});
  CHECK(taken({"-raw"}) == Words{"-r", "?-raw"});
  CHECK(taken({"--raw=1"}) == Words{">--raw:1"});
  CHECK(taken({"--port"}) == Words{"<--port"});
  CHECK(taken({"-p"}) == Words{"<-p"});
}

TEST_CASE("options: a -- ends them, and is the value of one that needs a value") {
  CHECK(taken({"-r", "--", "-k", "--"}) == Words{"-r", "+-k", "+--"});
  CHECK(taken({"-p", "--", "-k"}) == Words{"-p:--", "-k"});
  CHECK(taken({"-"}) == Words{"+-"});
}

TEST_CASE("options: what may be a value, and what is a number") {
  CHECK(taken({"--port", "--raw"}) == Words{"<--port", "--raw"});
  CHECK(taken({"--port", "--raw"}, of_numbers) == Words{"--port:--raw"});
  CHECK(taken({"--port", "-1"}) == Words{"--port:-1"});
  CHECK(taken({"-1", "-.5", "-.", "-x"}, of_numbers) == Words{"+-1", "+-.5", "?-.", "?-x"});
  CHECK(taken({"-1"}) == Words{"?-1"});
  CHECK(taken({"--watch"}) == Words{"--watch"});
  CHECK(taken({"--watch", ".5", "-w3", "--watch=x"}) == Words{"--watch:.5", "-w:3", "--watch:x"});
  CHECK(taken({"--watch", "x"}) == Words{"--watch", "+x"});
}

TEST_CASE("options: the nearest name") {
  const OptionParser parser({}, {{"--port", 'p', "N"}, {"--raw", 'r', ""}}, {});
  CHECK(parser.nearest_to("--prot") == "--port");
  CHECK(parser.nearest_to("-raw") == "--raw");
  CHECK(parser.nearest_to("-x") == "");
}

}  // namespace zatt
