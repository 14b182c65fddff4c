// SPDX-License-Identifier: AGPL-3.0-or-later
// Messages between servers by kind, sender, receiver and term, and what shall become of them.
//
// Whoever drives servers by hand or by script says "appends from 1 to 3 are held back" in these.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/types.h"
#include "raft/message.h"

namespace zatt::test {

enum class Kind : std::uint8_t {
  hello,
  refused,
  bootstrap_state,
  pre_vote,
  pre_vote_reply,
  request_vote,
  vote_reply,
  append,
  append_reply,
  heartbeat,
  heartbeat_reply,
  timeout_now,
  forward,
  forward_reply,
  read_index,
  read_index_reply,
  piece,  // of a large message
  count_
};
Kind kind_of(const raft::Message& message);
const char* name_of(Kind kind);
std::optional<Kind> kind_named(std::string_view name);

// Which messages are meant; what is left empty is free.
struct Which {
  std::optional<Kind> kind = std::nullopt;
  std::string from = {};
  std::string to = {};
  std::optional<Term> term = std::nullopt;

  friend bool operator==(const Which&, const Which&) = default;
};
bool is_meant(const Which& which, Kind kind, std::string_view from, std::string_view to, Term term);

enum class Fate : std::uint8_t { hold, drop, twice, every_second };

// What was said of messages to come, and is not taken back yet.
class Rules {
 public:
  void add(Fate fate, Which which, std::uint64_t percent = 100);
  void clear(const Which& which);  // those for exactly this; for Which{}: all

  // Asked once of each message that is sent: is it lost? A random part of some are.
  bool loses(Kind kind, std::string_view from, std::string_view to, Term term);
  bool has(Fate fate, Kind kind, std::string_view from, std::string_view to, Term term) const;

 private:
  struct Rule {
    Fate fate;
    Which which;
    std::uint64_t percent = 100;
    std::uint64_t seen = 0;
  };
  std::vector<Rule> rules_;
  Prng prng_{1};
};

}  // namespace zatt::test
