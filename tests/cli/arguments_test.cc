// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/arguments.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zatt::cli;

namespace {

using Words = std::vector<std::string>;

Arguments good(const Words& words) {
  const Parsed parsed = parse_arguments(words);
  CHECK(parsed.wrong == "");
  return parsed.arguments;
}
std::string wrong(const Words& words) { return parse_arguments(words).wrong; }

}  // namespace

TEST_CASE("parse_arguments: a verb and its operands") {
  const Arguments set = good({"set", "k", "v"});
  CHECK(set.verb == Verb::set);
  CHECK(set.operands == Words{"k", "v"});
  CHECK(set.timeout_ms == 5000);
  CHECK(!set.servers);
  CHECK(good({"ls"}).operands.empty());
  CHECK(good({"get", ""}).operands == Words{""});
  CHECK(good({"del", "a", "b", "c"}).operands.size() == 3);
}

TEST_CASE("parse_arguments: options anywhere, in every way to write them") {
  for (const Words& words : {Words{"--timeout", "0.5", "get", "-r", "k"},
                             {"get", "k", "--timeout=0.5", "--raw"},
                             {"get", "-t", "0.5", "k", "-r"},
                             {"get", "-rt0.5", "k"},
                             {"-rt", "0.5", "get", "k"},
                             {"get", "-r", "-t.5", "--", "k"}}) {
    const Arguments arguments = good(words);
    CHECK(arguments.verb == Verb::get);
    CHECK(arguments.timeout_ms == 500);
    CHECK(arguments.timeout_given);
    CHECK(arguments.raw);
    CHECK(arguments.operands == Words{"k"});
  }
  CHECK(good({"count", "-s", "a:1,b:2"}).servers == "a:1,b:2");
}

TEST_CASE("parse_arguments: a negative number is never an option, and nothing is behind --") {
  CHECK(good({"incr", "k", "-1"}).operands == Words{"k", "-1"});
  CHECK(good({"set", "-5", "-3.5e2"}).operands == Words{"-5", "-3.5e2"});
  CHECK(good({"set", "k", "-.5"}).operands == Words{"k", "-.5"});
  CHECK(good({"set", "k", "-"}).operands == Words{"k", "-"});
  CHECK(good({"get", "--", "--json"}).operands == Words{"--json"});
  CHECK(good({"get", "--", "--"}).operands == Words{"--"});
  CHECK(good({"--", "get", "-x"}).operands == Words{"-x"});
  CHECK(good({"set", "k", "--if-value", "-x", "v"}).condition.value == "-x");
}

TEST_CASE("parse_arguments: conditions") {
  CHECK(good({"set", "k", "v"}).condition.kind == Option::help);
  CHECK(good({"set", "k", "v", "--if-absent"}).condition.kind == Option::if_absent);
  const Arguments by_rev = good({"del", "k", "--if-rev", "7"});
  CHECK(by_rev.condition.kind == Option::if_rev);
  CHECK(by_rev.condition.rev == 7);
  CHECK(good({"incr", "k", "--if-value=5"}).condition.value == "5");
  CHECK(wrong({"set", "k", "v", "--if-absent", "--if-rev", "1"}) == "one condition at a time");
  CHECK(wrong({"set", "k", "v", "--if-rev", "x"}).find("--if-rev is a revision") == 0);
  CHECK(wrong({"set", "k", "v", "--if-rev", "-1"}).find("--if-rev is a revision") == 0);
}

TEST_CASE("parse_arguments: values forced") {
  CHECK(good({"set", "k", "5"}).value_is == ValueIs::guessed);
  CHECK(good({"set", "k", "5", "--string"}).value_is == ValueIs::string);
  CHECK(good({"set", "k", "5", "--as-json"}).value_is == ValueIs::json);
  CHECK(wrong({"set", "k", "5", "--as-json", "--string"}) == "--as-json or --string, not both");
}

TEST_CASE("parse_arguments: what is wrong is named") {
  struct Row {
    Words words;
    const char* sentence;
  };
  const Row rows[] = {
      {{"gett", "k"}, "unknown verb \"gett\"; did you mean get?"},
      {{"rm", "k"}, "unknown verb \"rm\"; did you mean del?"},
      {{"frobnicate"}, "unknown verb \"frobnicate\"; see zatt help"},
      {{"\xff"}, "unknown verb \"?\"; see zatt help"},
      {{"get"}, "get needs KEY...; see zatt help get"},
      {{"set", "k"}, "set needs KEY VALUE...; see zatt help set"},
      {{"count", "a", "b"}, "count takes [PREFIX]: \"b\" is one too many"},
      {{"set", "k", "hello", "world"},
       "set takes pairs of KEY VALUE: \"world\" has no value; a value with spaces wants quotes"},
      {{"set", "a", "-", "b", "-"},
       "standard input can be the value of one key only: - stands for two here"},
      {{"GET", "a"}, "unknown verb \"GET\"; did you mean get?"},
      {{"Put", "a", "1"}, "unknown verb \"Put\"; did you mean set?"},
      {{"keys"}, "unknown verb \"keys\"; did you mean ls?"},
      {{"status", "x"}, "status takes no operands: \"x\" is one too many"},
      {{"get", "--jsn", "k"}, "unknown option \"--jsn\"; did you mean --json?"},
      {{"get", "-json", "k"}, "unknown option \"-json\"; did you mean --json?"},
      {{"get", "-x", "k"}, "unknown option \"-x\"; see zatt help get; a -- ends the options"},
      {{"get", "k", "--if-absent"}, "get takes no --if-absent; see zatt help get"},
      {{"del", "k", "--if-absent"}, "del takes no --if-absent; see zatt help del"},
      {{"get", "k", "--timeout"}, "--timeout needs SECONDS"},
      {{"get", "k", "-t", "0"}, "-t is a number of seconds, from 0.001 to 600"},
      {{"get", "k", "--raw=1"}, "--raw takes no value"},
      {{"ls", "--limit", "0"}, "--limit is a number, 1 or more"},
      {{"incr", "k", "1.5"}, "BY must be a 64-bit integer, not \"1.5\""},
      {{"incr", "k", "9223372036854775808"},
       "BY must be a 64-bit integer, not \"9223372036854775808\""},
      {{"get", "caf\xe9"}, "operand 1 of get is not UTF-8 text"},
      {{"set", "k", "caf\xe9"}, "operand 2 of set is not UTF-8 text"},
      {{"set", "@\xe9", "v"}, "operand 1 of set is not UTF-8 text"},
      {{"set", "k", "v", "--if-value", "\xe9"}, "--if-value is not UTF-8 text"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.sentence);
    CHECK(wrong(row.words) == row.sentence);
  }
  CHECK(wrong({"set", "k", "@caf\xe9"}) == "");  // a file's name may be any bytes
}

TEST_CASE("parse_arguments: help and version, whatever else is wrong") {
  CHECK(good({"--help"}).help);
  CHECK(good({"--version"}).version);
  CHECK(good({"get", "--help"}).verb == Verb::get);
  CHECK(good({"get", "-h"}).help);
  CHECK(good({"help", "set"}).operands == Words{"set"});
}

TEST_CASE("verbs: each option of the table has a verb that takes it, each verb a summary") {
  for (const OptionRow& option : option_rows()) {
    CAPTURE(option.name);
    bool taken = false;
    for (const VerbRow& verb : verb_rows()) taken = taken || takes(verb, option.option);
    CHECK(taken);
    CHECK(row_of(option.option).name == option.name);
  }
  for (const VerbRow& verb : verb_rows()) {
    CHECK(!verb.summary.empty());
    CHECK(verb.least <= verb.most);
    CHECK(find_verb(verb.name) == &row_of(verb.verb));
  }
  CHECK(nearest_verb("delete") == "del");
}

TEST_CASE("parse_arguments: del takes keys or a prefix") {
  const Arguments del = good({"del", "--prefix", "user:", "-y"});
  CHECK(del.prefix == "user:");
  CHECK(del.yes);
  CHECK(good({"del", "-p", ""}).prefix == "");
  CHECK(wrong({"del"}) == "del needs KEY... or --prefix PREFIX; see zatt help del");
  CHECK(wrong({"del", "k", "--yes"}).find("--yes goes with --prefix") == 0);
  CHECK(wrong({"del", "k", "--prefix", "p"}).find("keys or --prefix, not both") == 0);
  CHECK(wrong({"del", "--prefix", "p", "--if-rev", "1"}) == "--prefix takes no condition");
  CHECK(wrong({"get", "k", "--prefix", "p"}).find("get takes no --prefix") == 0);
}

TEST_CASE("parse_arguments: how often to watch may be left out") {
  CHECK(good({"status"}).watch_ms == 0);
  CHECK(good({"status", "--watch"}).watch_ms == 2000);
  CHECK(good({"status", "--watch", "--json"}).watch_ms == 2000);
  CHECK(good({"status", "--watch", "0.5"}).watch_ms == 500);
  CHECK(good({"status", "--watch=3"}).watch_ms == 3000);
  CHECK(good({"-w3", "status"}).watch_ms == 3000);
  CHECK(wrong({"status", "--watch=x"}) == "--watch is a number of seconds, from 0.1 to 600");
  CHECK(wrong({"status", "--watch", "0.01"}) == "--watch is a number of seconds, from 0.1 to 600");
  CHECK(wrong({"status", "--watch", "x"}).find("status takes no operands") == 0);
  CHECK(wrong({"members", "--watch"}).find("members takes no --watch") == 0);
}

TEST_CASE("parse_arguments: without a verb there is a prompt, and what all verbs take") {
  CHECK(good({}).bare);
  CHECK(good({"-s", "a:1", "-t", "2", "--json"}).bare);
  CHECK(!good({"get", "k"}).bare);
  CHECK(wrong({"--raw"}) == "which verb? see zatt help");
  CHECK(good({"-", "--keep-going"}).verb == Verb::lines);
  CHECK(good({"-k", "-"}).keep_going);
}
