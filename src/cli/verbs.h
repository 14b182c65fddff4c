// SPDX-License-Identifier: AGPL-3.0-or-later
// What the command can do: the verbs, and which operands and options each takes.
//
// The one list that the parser, the help and the tests of the completions go by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/options.h"

namespace zatt::cli {

enum class Verb : std::uint8_t {
  get,
  set,
  del,
  incr,
  ls,
  scan,
  count,
  import,
  export_keys,  // "export", which is a word of the language
  raw,
  status,
  members,
  wait,
  lines,  // "-"
  help,
};

enum class Option : std::uint8_t {
  servers,
  timeout,
  json,
  help,
  version,
  raw,
  as_json,
  string,
  if_absent,
  if_exists,
  if_rev,
  if_value,
  stale,
  limit,
  prefix,
  yes,
  keep_going,
  watch,
};

struct OptionRow : OptionName {
  Option option;
};

struct VerbRow {
  Verb verb;
  std::string_view name;
  std::string_view operands;  // as the help shows them
  std::size_t least;
  std::size_t most;
  std::span<const Option> options;  // besides those that all take
  std::string_view summary;
};

std::span<const OptionRow> option_rows();
std::span<const VerbRow> verb_rows();

const OptionRow& row_of(Option option);
const VerbRow& row_of(Verb verb);
const VerbRow* find_verb(std::string_view name);
bool takes(const VerbRow& verb, Option option);

// "del" for "rm": the words of other stores. "" where nothing is near.
std::string_view nearest_verb(std::string_view name);

}  // namespace zatt::cli
