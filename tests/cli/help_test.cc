// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/help.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "base/text.h"

using namespace zatt::cli;

TEST_CASE("help: every verb has one, with an example, and names every option it takes") {
  for (const VerbRow& verb : verb_rows()) {
    const std::string text = help_text(verb);
    CAPTURE(text);
    CHECK(help_text().find("\n  " + std::string(verb.name)) != std::string::npos);
    CHECK(text.find("zatt " + std::string(verb.name)) == 0);
    CHECK(text.find("\n    ") != std::string::npos);
    for (const Option option : verb.options)
      CHECK(
          text.find("\n  " +
                    (row_of(option).letter == 0 ? std::string()
                                                : std::string("-") + row_of(option).letter + ", ") +
                    std::string(row_of(option).name)) != std::string::npos);
    CHECK(text.back() == '\n');
  }
}

TEST_CASE("help: no line is wider than a page") {
  std::string all = help_text();
  for (const VerbRow& verb : verb_rows()) all += help_text(verb);
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(zatt::utf8_count(line) <= 100);
  }
}
