// SPDX-License-Identifier: AGPL-3.0-or-later
// What this node shall be: flags over environment over file over defaults, judged.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "node/options.h"
#include "zattd/arguments.h"

namespace zatt {

struct Settings {
  Action action = Action::run;
  node::Options node;
  Address listen;
  bool debug = false;
  std::string config;  // the file's name; empty where there is none

  struct Line {
    std::string name;
    std::string value;
    std::string from;
  };
  std::vector<Line> lines;  // for --print-config
};

using ReadFile = std::function<Result<std::string>(const std::string& name)>;

// Arguments without the program's name. An error is one sentence for a person.
Result<Settings> parse(std::span<const std::string> arguments, const Environment& environment,
                       const ReadFile& read_file);

}  // namespace zatt
