// SPDX-License-Identifier: AGPL-3.0-or-later
// A judge of histories that never condemns is worth nothing: each kind of lie, told once.
#include "tests/sim/history.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kv/command.h"

namespace zatt::sim {
namespace {

using Kind = Op::Kind;
using Outcome = Op::Outcome;

std::string set_body(const std::string& key, const std::string& value) {
  kv::Command command;
  command.key = key;
  command.value = value;
  std::string body;
  kv::encode(command, body);
  return body;
}

// Entries 2 and 4 are sets, 1 and 3 are not commands.
Ledger two_writes() {
  return {{1, ""}, {2, set_body("k", "10")}, {3, ""}, {4, set_body("k", "20")}};
}

Op write(const std::string& value, std::uint64_t rev, std::uint64_t from, std::uint64_t to) {
  Op op;
  op.kind = Kind::set;
  op.key = "k";
  op.value = value;
  op.rev = rev;
  op.invoked_us = from;
  op.completed_us = to;
  op.answer = to;
  op.connection = from;  // one of its own
  op.outcome = Outcome::done;
  return op;
}

Op read(const std::string& value, std::uint64_t rev, std::uint64_t from, std::uint64_t to) {
  Op op = write("", rev, from, to);
  op.kind = Kind::get;
  op.found = rev != 0;
  op.told = value;
  return op;
}

std::string verdict(const std::vector<Op>& ops, const Ledger& ledger = two_writes()) {
  const auto wrong = check_history(ops, ledger);
  return wrong ? wrong->what.substr(0, wrong->what.find(':')) : "";
}

}  // namespace

TEST_CASE("history: what one dictionary could have said is believed") {
  CHECK(verdict({write("10", 2, 10, 20), read("10", 2, 30, 40), write("20", 4, 50, 90),
                 read("10", 2, 55, 60), read("20", 4, 65, 70), read("20", 4, 100, 110)}) == "");
}

TEST_CASE("history: an acknowledged write that is not there") {
  CHECK(verdict({write("30", 4, 10, 20)}) ==
        "acknowledged, and it is not in the log at its revision");
  CHECK(verdict({write("20", 2, 10, 20)}) ==
        "acknowledged, and it is not in the log at its revision");
}

TEST_CASE("history: a failed write that is there, and one that is there twice") {
  Op failed = write("10", 0, 10, 20);
  failed.outcome = Outcome::failed;
  CHECK(verdict({failed}).starts_with("said to have failed, and it is in the log at 2"));
  Op unknown = failed;
  unknown.outcome = Outcome::unknown;
  CHECK(verdict({unknown}) == "");
  Ledger twice = two_writes();
  twice[5] = set_body("k", "10");
  CHECK(verdict({unknown}, twice) == "carried out twice");
}

TEST_CASE("history: a failed delete that is there, and one that is there twice") {
  kv::Command command;
  command.op = kv::Op::del;
  command.key = "k";
  std::string body;
  kv::encode(command, body);
  Ledger one = two_writes();
  one[5] = body;
  Ledger two = one;
  two[6] = body;  // finds nothing
  Op del = write("", 0, 10, 20);
  del.kind = Kind::del;
  del.outcome = Outcome::failed;
  CHECK(verdict({del}) == "");
  CHECK(verdict({del}, one) == "key k");
  Op other = del;
  for (const Outcome outcome : {Outcome::unknown, Outcome::pending}) {
    other.outcome = outcome;
    CHECK(verdict({other}) == "");
    CHECK(verdict({del, other}, one) == "");
    CHECK(verdict({del, other}, two) == "key k");
  }
  other.outcome = Outcome::done;
  other.rev = 5;
  other.found = true;
  other.invoked_us = 30;
  other.completed_us = other.answer = 40;
  CHECK(verdict({other}, one) == "");
  CHECK(verdict({del, other}, two) == "key k");
  CHECK(verdict({other, other}, one) == "key k");
}

TEST_CASE("history: a read of the past, and one of what never was") {
  CHECK(verdict({write("20", 4, 10, 20), read("10", 2, 30, 40)}).starts_with("fits nowhere"));
  CHECK(verdict({read("11", 2, 30, 40)}).starts_with("fits nowhere"));
  CHECK(verdict({read("20", 4, 10, 20), read("", 0, 30, 40)}).starts_with("fits nowhere"));
}

TEST_CASE("history: a read from a state that was over, though its key has not changed since") {
  Ledger ledger = two_writes();
  ledger[5] = set_body("other", "50");
  Op other = write("50", 5, 50, 60);
  other.key = "other";
  Op late = read("20", 4, 70, 80);
  late.applied = 5;
  CHECK(verdict({other, late}, ledger) == "");
  late.applied = 4;
  CHECK(verdict({other, late}, ledger).starts_with("answered from a state at 4, behind 5"));
  late.invoked_us = 55;
  CHECK(verdict({other, late}, ledger) == "");
  late.invoked_us = 70;
  late.kind = Kind::stale_get;
  CHECK(verdict({other, late}, ledger) == "");
}

TEST_CASE("history: a stale read may be late, and does not run backwards on its connection") {
  Op new_one = read("20", 4, 30, 40);
  Op old_one = read("10", 2, 50, 60);
  new_one.kind = old_one.kind = Kind::stale_get;
  new_one.connection = old_one.connection = 1;
  CHECK(verdict({write("20", 4, 10, 20), old_one}) == "");
  CHECK(verdict({new_one, old_one}) == "a stale read runs backwards");
  old_one.connection = 7;
  CHECK(verdict({new_one, old_one}) == "");
}

TEST_CASE("history: a scan shows one revision, whole") {
  Op scan;
  scan.kind = Kind::scan;
  scan.limit = 10;
  scan.rev = 4;
  scan.outcome = Outcome::done;
  scan.invoked_us = 10;
  scan.completed_us = 20;
  scan.items = {{"k", "20", 4}};
  CHECK(verdict({scan}) == "");
  scan.items = {{"k", "10", 2}};
  CHECK(verdict({scan}).starts_with("fits nowhere"));
  scan.items = {};
  CHECK(verdict({scan}).starts_with("fits nowhere"));
}

}  // namespace zatt::sim
