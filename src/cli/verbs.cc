// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/verbs.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "base/text.h"

namespace zatt::cli {
namespace {

constexpr std::size_t any = SIZE_MAX;

constexpr OptionRow options[] = {
    {{"--servers", 's', "HOST:PORT,..."}, Option::servers},
    {{"--timeout", 't', "SECONDS"}, Option::timeout},
    {{"--json", 0, ""}, Option::json},
    {{"--help", 'h', ""}, Option::help},
    {{"--version", 0, ""}, Option::version},
    {{"--raw", 'r', ""}, Option::raw},
    {{"--as-json", 0, ""}, Option::as_json},
    {{"--string", 0, ""}, Option::string},
    {{"--if-absent", 0, ""}, Option::if_absent},
    {{"--if-exists", 0, ""}, Option::if_exists},
    {{"--if-rev", 0, "N"}, Option::if_rev},
    {{"--if-value", 0, "JSON"}, Option::if_value},
    {{"--stale", 0, ""}, Option::stale},
    {{"--limit", 'n', "N"}, Option::limit},
    {{"--prefix", 'p', "PREFIX"}, Option::prefix},
    {{"--yes", 'y', ""}, Option::yes},
    {{"--keep-going", 'k', ""}, Option::keep_going},
    {{"--watch", 'w', "[SECONDS]"}, Option::watch},
};

constexpr Option common[] = {Option::servers, Option::timeout, Option::json, Option::help,
                             Option::version};

constexpr Option of_get[] = {Option::raw, Option::stale};
constexpr Option of_set[] = {Option::as_json,   Option::string, Option::if_absent,
                             Option::if_exists, Option::if_rev, Option::if_value};
constexpr Option of_write[] = {Option::if_absent, Option::if_exists, Option::if_rev,
                               Option::if_value};
constexpr Option of_del[] = {Option::if_rev, Option::if_value, Option::prefix, Option::yes};
constexpr Option of_list[] = {Option::limit, Option::stale};
constexpr Option of_read[] = {Option::stale};
constexpr Option of_import[] = {Option::if_absent};
constexpr Option of_lines[] = {Option::keep_going};
constexpr Option of_status[] = {Option::watch};

constexpr VerbRow verbs[] = {
    {Verb::get, "get", "KEY...", 1, any, of_get, "print the value of a key, or of several"},
    {Verb::set, "set", "KEY VALUE...", 2, any, of_set, "set a key to a value, or several"},
    {Verb::del, "del", "KEY...", 0, any, of_del, "delete keys, or all below a prefix"},
    {Verb::incr, "incr", "KEY [BY]", 1, 2, of_write, "add to a number, and print the sum"},
    {Verb::ls, "ls", "[PREFIX]", 0, 1, of_list, "list keys"},
    {Verb::scan, "scan", "[PREFIX]", 0, 1, of_list, "list keys and values"},
    {Verb::count, "count", "[PREFIX]", 0, 1, of_read, "say how many keys there are"},
    {Verb::export_keys, "export", "[PREFIX]", 0, 1, of_read, "write keys and values as JSON lines"},
    {Verb::import, "import", "[FILE]", 0, 1, of_import, "read what export wrote"},
    {Verb::raw, "raw", "", 0, 0, {}, "pass lines of the protocol on, and replies back"},
    {Verb::status, "status", "", 0, 0, of_status, "say how each member of the cluster is"},
    {Verb::members, "members", "", 0, 0, {}, "list the members of the cluster"},
    {Verb::wait, "wait", "", 0, 0, {}, "wait until there is a leader"},
    {Verb::lines, "-", "", 0, 0, of_lines, "read commands from standard input, a line each"},
    {Verb::help, "help", "[VERB]", 0, 1, {}, "say more, with examples"},
};

struct OtherWord {
  std::string_view word;
  std::string_view verb;
};
constexpr OtherWord other_words[] = {
    {"delete", "del"},    {"rm", "del"},         {"remove", "del"},      {"unset", "del"},
    {"put", "set"},       {"write", "set"},      {"read", "get"},        {"cat", "get"},
    {"list", "ls"},       {"keys", "ls"},        {"dir", "ls"},          {"items", "scan"},
    {"dump", "export"},   {"backup", "export"},  {"load", "import"},     {"restore", "import"},
    {"inc", "incr"},      {"increment", "incr"}, {"add", "incr"},        {"info", "status"},
    {"health", "status"}, {"nodes", "members"},  {"cluster", "members"}, {"size", "count"},
    {"len", "count"},     {"nc", "raw"},         {"man", "help"},        {"drop", "del"},
    {"store", "set"},     {"mget", "get"},       {"mset", "set"},        {"fetch", "get"},
    {"ping", "wait"},
};

}  // namespace

std::span<const OptionRow> option_rows() { return options; }
std::span<const VerbRow> verb_rows() { return verbs; }

const OptionRow& row_of(Option option) {
  const auto* const row =
      std::find_if(std::begin(options), std::end(options),
                   [option](const auto& each) { return each.option == option; });
  if (row == std::end(options)) std::abort();
  return *row;
}

const VerbRow& row_of(Verb verb) {
  const auto* const row = std::find_if(std::begin(verbs), std::end(verbs),
                                       [verb](const auto& each) { return each.verb == verb; });
  if (row == std::end(verbs)) std::abort();
  return *row;
}

const VerbRow* find_verb(std::string_view name) {
  const auto* const row = std::find_if(std::begin(verbs), std::end(verbs),
                                       [name](const auto& each) { return each.name == name; });
  return row == std::end(verbs) ? nullptr : row;
}

bool takes(const VerbRow& verb, Option option) {
  const auto in = [option](std::span<const Option> list) {
    return std::find(list.begin(), list.end(), option) != list.end();
  };
  return in(common) || in(verb.options);
}

std::string_view nearest_verb(std::string_view typed) {
  const std::string name = lowered(typed);  // GET, as in other stores' shells
  if (const VerbRow* row = find_verb(name)) return row->name;
  for (const OtherWord& other : other_words)
    if (other.word == name) return other.verb;
  std::vector<std::string_view> names;
  for (const VerbRow& row : verbs) names.push_back(row.name);
  return nearest(name, names);
}

}  // namespace zatt::cli
