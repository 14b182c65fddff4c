// SPDX-License-Identifier: AGPL-3.0-or-later
// What clients asked and were told, and whether one dictionary could have said it.
//
// The committed log is the witness order: every write has its place there (its revision), every
// read must fit between two of them. Checked against a model of its own: strict serializability,
// the order within a connection, nothing that failed ever taking effect, nothing taking effect
// twice.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/invariants.h"

namespace zatt::sim {

struct Op {
  enum class Kind : std::uint8_t { set, del, incr, get, stale_get, count, scan, ask };
  enum class Outcome : std::uint8_t { pending, done, condition_failed, failed, unknown };
  Kind kind = Kind::get;
  std::uint64_t connection = 0;  // ops of one connection are answered in the order sent
  std::string key;
  std::string value;  // set: JSON text, unlike every other's
  std::uint64_t invoked_us = 0;
  std::uint64_t completed_us = 0;
  std::uint64_t answer = 0;  // of all answers, in the order they came
  Outcome outcome = Outcome::pending;
  bool found = false;
  std::string told;          // value in the reply
  std::uint64_t rev = 0;     // in the reply; of count and scan: `at`
  std::uint64_t number = 0;  // of count
  // How far the node that answered had applied the log then; 0: nobody looked. Of a write it may
  // be behind: the leader has told it the outcome.
  std::uint64_t applied = 0;

  // Of a scan; its prefix is in `key`.
  struct Item {
    std::string key;
    std::string value;
    std::uint64_t rev = 0;
    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<Item> items;
  std::optional<std::string> after;
  std::uint32_t limit = 0;
  bool keys_only = false;
  bool more = false;
};

bool is_write(Op::Kind kind);

// One committed entry: the body of a command, or empty.
using Ledger = std::map<std::uint64_t, std::string>;

// What does not fit, for a person; nothing where all does. So many writes whose condition did not
// hold were said to have failed, since there was no room to say why: they are in the log.
std::optional<Violation> check_history(const std::vector<Op>& ops, const Ledger& ledger,
                                       std::uint64_t without_room = 0);

std::string to_string(const Op& op);

}  // namespace zatt::sim
