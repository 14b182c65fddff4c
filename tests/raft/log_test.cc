// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/log.h"

#include <doctest/doctest.h>

#include "base/prng.h"

namespace zatt::raft {
namespace {

Log log_of(const std::vector<std::uint64_t>& terms) {
  Log log;
  for (const std::uint64_t term : terms) log.append(Term{term}, 0, EntryKind::command, "x");
  return log;
}

}  // namespace

TEST_CASE("log: empty") {
  const Log log;
  CHECK(log.last_index() == Index{0});
  CHECK(log.last_term() == Term{0});
  CHECK(log.holds(Index{0}, Term{0}));
  CHECK(!log.holds(Index{1}, Term{0}));
  CHECK(log.last_at_or_below(Index{9}, Term{9}) == Index{0});
}

TEST_CASE("log: terms are runs, also of term 0") {
  const Log log = log_of({0, 1, 1, 1, 4, 4, 9});
  const std::uint64_t terms[] = {0, 0, 1, 1, 1, 4, 4, 9};
  for (std::uint64_t i = 0; i < std::size(terms); ++i) {
    CHECK(log.term_at(Index{i}) == Term{terms[i]});
    CHECK(log.holds(Index{i}, Term{terms[i]}));
    CHECK(!log.holds(Index{i}, Term{terms[i] + 1}));
  }
  CHECK(log.last_term() == Term{9});
}

TEST_CASE("last_at_or_below: where two logs may meet") {
  const Log log = log_of({1, 1, 1, 4, 4, 5, 5, 6, 6, 6});
  struct Row {
    const char* why;
    std::uint64_t index, term, want;
  };
  const Row rows[] = {
      {"our own term there", 5, 4, 5},
      {"beyond our end", 20, 6, 10},
      {"back over whole terms above", 10, 4, 5},
      {"a term that we have not: the one below", 10, 3, 3},
      {"nothing so old", 10, 0, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(log.last_at_or_below(Index{row.index}, Term{row.term}) == Index{row.want});
  }
}

TEST_CASE("log: cut and append as a vector would") {
  Prng prng(3);
  Log log;
  std::vector<std::uint64_t> model;
  std::uint64_t term = 0;
  for (int i = 0; i < 2000; ++i) {
    if (prng.chance(1, 5)) {
      model.resize(prng.between(0, model.size()));
      log.truncate(Index{model.size()});
    }
    term = std::max(term, model.empty() ? 0 : model.back());
    if (prng.chance(1, 4)) ++term;
    model.push_back(term);
    log.append(Term{term}, 0, EntryKind::command, "b");
    REQUIRE(log.last_index() == Index{model.size()});
    const std::uint64_t at = prng.between(1, model.size());
    REQUIRE(log.term_at(Index{at}) == Term{model[at - 1]});
    REQUIRE(log.bytes_in_memory() == model.size() * cost(1));
  }
}

TEST_CASE("slice: at least one, and about max_bytes") {
  const Log log = log_of({1, 1, 1, 1});
  CHECK(log.slice(Index{2}, Index{4}, 1).size() == 1);
  CHECK(log.slice(Index{2}, Index{4}, 2 * cost(1)).size() == 2);
  const auto all = log.slice(Index{2}, Index{4}, 1 << 20);
  REQUIRE(all.size() == 3);
  CHECK(all.front().index == Index{2});
  CHECK(all.back().body == "x");
  CHECK(log.slice(Index{5}, Index{4}, 100).empty());
}

TEST_CASE("last_time_us: of the last entry, in memory or not") {
  Log log;
  CHECK(log.last_time_us() == 0);
  for (const std::uint64_t time_us : {10U, 20U, 20U, 40U})
    log.append(Term{1}, time_us, EntryKind::command, "x");
  CHECK(log.at(Index{2}).time_us == 20);
  CHECK(log.at(Index{2}).view().time_us == 20);
  CHECK(log.last_time_us() == 40);
  log.truncate(Index{3});
  CHECK(log.last_time_us() == 20);
  log.append(Term{2}, 30, EntryKind::command, "x");
  log.forget(Index{4}, 0);
  CHECK(log.last_time_us() == 30);
  log.truncate(Index{1});  // 10 is forgotten: none earlier than it may be said
  CHECK(log.last_time_us() >= 10);
  log.truncate(Index{0});
  CHECK(log.last_time_us() == 0);
}

TEST_CASE("forget: bodies go, terms stay") {
  Log log = log_of({1, 1, 2, 2});
  log.forget(Index{3}, 0);  // not above the limit
  CHECK(log.first_in_memory() == Index{4});
  CHECK(!log.in_memory(Index{3}));
  CHECK(log.term_at(Index{1}) == Term{1});
  CHECK(log.at(Index{4}).term == Term{2});
  log.forget(Index{4}, cost(1));  // room for one
  CHECK(log.in_memory(Index{4}));
  log.forget(Index{4}, 0);
  CHECK(log.first_in_memory() == Index{5});
  CHECK(log.bytes_in_memory() == 0);
  log.append(Term{2}, 0, EntryKind::command, "x");
  CHECK(log.at(Index{5}).index == Index{5});
  log.truncate(Index{2});  // below what is in memory
  CHECK(log.last_index() == Index{2});
  CHECK(log.first_in_memory() == Index{3});
  log.append(Term{3}, 0, EntryKind::command, "y");
  CHECK(log.at(Index{3}).body == "y");
}

TEST_CASE("log: one that begins after a snapshot knows its base, and nothing below") {
  Log log(Index{10}, Term{3});
  CHECK(log.first_index() == Index{11});
  CHECK(log.last_index() == Index{10});
  CHECK(log.last_term() == Term{3});
  CHECK(log.holds(Index{10}, Term{3}));
  CHECK(!log.holds(Index{10}, Term{2}));
  CHECK(!log.holds(Index{9}, Term{3}));
  CHECK(!log.holds(Index{0}, Term{0}));
  CHECK(log.first_in_memory() == Index{11});

  for (const std::uint64_t term : {3U, 3U, 5U}) log.append(Term{term}, 0, EntryKind::command, "x");
  CHECK(log.at(Index{11}).index == Index{11});
  CHECK(log.term_at(Index{12}) == Term{3});
  CHECK(log.term_at(Index{13}) == Term{5});
  CHECK(log.slice(Index{11}, Index{13}, 1 << 20).size() == 3);
  log.truncate(Index{10});
  CHECK(log.last_term() == Term{3});
  CHECK(log.bytes_in_memory() == 0);
  log.append(Term{4}, 0, EntryKind::command, "y");
  CHECK(log.at(Index{11}).body == "y");
}

TEST_CASE("last_at_or_below: down to the base, and of what lies below it nothing is known") {
  Log log(Index{10}, Term{3});
  for (const std::uint64_t term : {5U, 6U}) log.append(Term{term}, 0, EntryKind::command, "x");
  struct Row {
    const char* why;
    std::uint64_t index, term, want;
  };
  const Row rows[] = {
      {"in the log", 12, 5, 11},      {"all its terms are above: the base", 12, 4, 10},
      {"the base itself", 10, 3, 10}, {"the base's term is above, too", 12, 2, 0},
      {"below the base", 9, 9, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(log.last_at_or_below(Index{row.index}, Term{row.term}) == Index{row.want});
  }
}

}  // namespace zatt::raft
