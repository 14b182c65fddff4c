// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/operations.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt::kv;

namespace {

using Kind = Condition::Kind;

// A dictionary in which "k" is "10" of revision 5.
struct World {
  World() { dictionary.put(no_ref, "k", "10", 5); }

  Decision decide(const Command& command) {
    return zatt::kv::decide(command, look_up(dictionary, command.key), 9, number);
  }

  Dictionary dictionary{0};
  std::string number;
};

}  // namespace

TEST_CASE("look_up: what a key holds, or nothing") {
  World world;
  const Current there = look_up(world.dictionary, "k");
  CHECK(there.exists());
  CHECK(there.item.key == "k");
  CHECK(there.item.value == "10");
  CHECK(there.item.rev == 5);
  const Current absent = look_up(world.dictionary, "K");
  CHECK_FALSE(absent.exists());
  CHECK(absent.item.rev == 0);
}

TEST_CASE("holds: each condition, of a key that is there and of one that is not") {
  struct Row {
    const char* why;
    Condition condition;
    bool there, absent;
  };
  const Row rows[] = {
      {"none always holds", {}, true, true},
      {"exists", {.kind = Kind::exists, .exists = true}, true, false},
      {"does not exist", {.kind = Kind::exists, .exists = false}, false, true},
      {"its revision", {.kind = Kind::rev, .rev = 5}, true, false},
      {"another revision", {.kind = Kind::rev, .rev = 4}, false, false},
      {"revision 0 means absent", {.kind = Kind::rev, .rev = 0}, false, true},
      {"its value, byte for byte", {.kind = Kind::value, .value = "10"}, true, false},
      {"the same number in other bytes", {.kind = Kind::value, .value = "10.0"}, false, false},
      {"an absent key equals no text", {.kind = Kind::value, .value = ""}, false, false},
  };
  const World world;
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(holds(row.condition, look_up(world.dictionary, "k")) == row.there);
    CHECK(holds(row.condition, look_up(world.dictionary, "absent")) == row.absent);
  }
}

TEST_CASE("decide: what becomes of the key, and the answer") {
  struct Row {
    const char* why;
    Command command;
    Effect effect;
    const char* value;
    Outcome outcome;
    bool found;
    std::uint64_t rev;
    const char* said;
  };
  const Condition fails{.kind = Kind::rev, .rev = 1};
  const Row rows[] = {
      {"set",
       {.op = Op::set, .key = "k", .value = "1"},
       Effect::put,
       "1",
       Outcome::done,
       false,
       9,
       ""},
      {"set of a new key",
       {.op = Op::set, .key = "n", .value = "[]"},
       Effect::put,
       "[]",
       Outcome::done,
       false,
       9,
       ""},
      {"delete", {.op = Op::del, .key = "k"}, Effect::erase, "", Outcome::done, true, 9, ""},
      {"delete of nothing",
       {.op = Op::del, .key = "n"},
       Effect::none,
       "",
       Outcome::done,
       false,
       0,
       ""},
      {"incr",
       {.op = Op::incr, .key = "k", .by = -11},
       Effect::put,
       "-1",
       Outcome::done,
       false,
       9,
       "-1"},
      {"incr of a new key begins at 0",
       {.op = Op::incr, .key = "n"},
       Effect::put,
       "1",
       Outcome::done,
       false,
       9,
       "1"},
      {"incr past 64 bits says what is there",
       {.op = Op::incr, .key = "k", .by = INT64_MAX},
       Effect::none,
       "",
       Outcome::out_of_range,
       true,
       5,
       "10"},
      {"a condition that fails says what is there",
       {.op = Op::del, .key = "k", .condition = fails},
       Effect::none,
       "",
       Outcome::condition_failed,
       true,
       5,
       "10"},
      {"or that nothing is",
       {.op = Op::set, .key = "n", .value = "1", .condition = fails},
       Effect::none,
       "",
       Outcome::condition_failed,
       false,
       0,
       ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    World world;
    const Decision decision = world.decide(row.command);
    CHECK(decision.effect == row.effect);
    CHECK(decision.value == row.value);
    CHECK(decision.reply.outcome == row.outcome);
    CHECK(decision.reply.found == row.found);
    CHECK(decision.reply.rev == row.rev);
    CHECK(decision.reply.value == row.said);
    CHECK(world.dictionary.size() == 1);  // nothing is changed by deciding
    CHECK(look_up(world.dictionary, "k").item.value == "10");
  }
}

TEST_CASE("decide: incr takes what JSON calls an integer, and no other value") {
  struct Row {
    const char* value;
    Outcome outcome;
  };
  const Row rows[] = {
      {"0", Outcome::done},
      {"-0", Outcome::done},
      {"-9223372036854775808", Outcome::done},
      {"9223372036854775807", Outcome::out_of_range},
      {"9223372036854775808", Outcome::out_of_range},
      {"1.0", Outcome::not_an_integer},
      {"1e3", Outcome::not_an_integer},
      {"01", Outcome::not_an_integer},
      {"-", Outcome::not_an_integer},
      {"\"1\"", Outcome::not_an_integer},
      {"null", Outcome::not_an_integer},
      {"[1]", Outcome::not_an_integer},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    World world;
    world.dictionary.put(no_ref, "n", row.value, 7);
    CHECK(world.decide({.op = Op::incr, .key = "n"}).reply.outcome == row.outcome);
  }
}
