// SPDX-License-Identifier: AGPL-3.0-or-later
// Resolves a node's settings: what was given over the file over defaults, all checked.
//
// zattd gives flags and environment, a host program its options; everything else, down to the
// words of an error, is the same for both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "config/config_file.h"
#include "config/raw_settings.h"
#include "node/options.h"

namespace zatt::config {

struct Inputs {
  RawSettings raw;               // wins over the file; "config" is the file's name
  std::vector<Address> remotes;  // the other members, where they are not named by a file
  ConfigFile file;
  bool wants_id = true;  // false: it may stay open which of its members this is
  std::string_view id_option = "--id";
};

struct Settings {
  node::Options node;
  Address listen;
  bool debug = false;
  std::string config;  // the file's name; empty where there is none

  struct Line {
    std::string name;
    std::string value;
    std::string from;
  };
  std::vector<Line> lines;  // each setting, for a person
};

// "node 0 of 0, 1, 2, listening on 127.0.0.1:5254, storage zatt.0.persist"
std::string summary(const Settings& settings);

// An error is one sentence for a person.
Result<Settings> resolve(Inputs sources);

}  // namespace zatt::config
