// SPDX-License-Identifier: AGPL-3.0-or-later
// Parses the command line of zatt into Arguments, or says in one sentence what is wrong with it.
//
// Options may stand anywhere, a "--" ends them. What begins with '-' and a digit is a number, never
// an option: `zatt incr k -1`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/verbs.h"

namespace zatt::cli {

enum class ValueIs : std::uint8_t { guessed, json, string };

// Of a write; at most one.
struct Condition {
  Option kind = Option::help;  // help: none
  std::uint64_t rev = 0;
  std::string value;  // as it was typed
};

struct Arguments {
  Verb verb = Verb::help;
  std::vector<std::string> operands;
  std::optional<std::string> servers;
  int timeout_ms = 5'000;
  bool timeout_given = false;
  bool json = false;
  bool help = false;
  bool version = false;
  bool raw = false;
  bool stale = false;
  std::uint64_t limit = 0;  // 0: none
  std::optional<std::string> prefix;
  bool yes = false;
  bool keep_going = false;
  int watch_ms = 0;   // 0: once
  bool bare = false;  // no verb: a prompt where there is a person
  ValueIs value_is = ValueIs::guessed;
  Condition condition;
};

struct Parsed {
  Arguments arguments;
  std::string wrong;  // a sentence, or "": all is well
};

Parsed parse_arguments(std::span<const std::string> given);

}  // namespace zatt::cli
