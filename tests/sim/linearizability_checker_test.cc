// SPDX-License-Identifier: AGPL-3.0-or-later
// Held against every order there is, of small histories that are true, and that are made up.
#include "tests/sim/linearizability_checker.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"

namespace zatt::sim {
namespace {

using Kind = Op::Kind;
using Outcome = Op::Outcome;
using Verdict = OrderSearchResult::Verdict;

constexpr std::uint64_t plenty = 100'000;

// One key, and the whole truth about it.
struct Truth {
  std::optional<std::string> value;
  std::uint64_t rev = 0;
};

std::string sum(const Truth& now) {
  return std::to_string(std::stoll(now.value.value_or("0")) + 1);
}

// `op` happens at `rev`, and is told what it should be.
void carry_out(Op& op, Truth& now, std::uint64_t rev) {
  op.found = now.value.has_value();
  op.told.clear();
  op.rev = 0;
  if (op.kind == Kind::set) now = {op.value, op.rev = rev};
  if (op.kind == Kind::incr) now = {op.told = sum(now), op.rev = rev};
  if (op.kind == Kind::del && now.value) now = {std::nullopt, op.rev = rev};
  if (op.kind == Kind::get && now.value) op.told = *now.value, op.rev = now.rev;
}

Op make(Kind kind, std::uint64_t from, std::uint64_t to) {
  Op op;
  op.kind = kind;
  op.key = "k";
  op.invoked_us = from;
  op.completed_us = to;
  op.outcome = Outcome::done;
  return op;
}

// A few requests that overlap. In truth each happens at some moment of its own time; those who were
// told nothing happen later than that, or never.
std::vector<Op> make_history(Prng& prng) {
  static constexpr Kind kinds[] = {Kind::set, Kind::set, Kind::get,
                                   Kind::get, Kind::del, Kind::incr};
  const std::uint64_t kinds_drawn = prng.between(5, 6);  // with increments, or without
  const bool unlike = prng.chance(1, 2);                 // no two sets of the same
  struct Moment {
    std::uint64_t at_us;
    std::size_t op;
  };
  std::vector<Op> ops;
  std::vector<Moment> moments;
  const std::size_t size = prng.between(2, 6);
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t from = prng.below(20), to = from + prng.below(10);
    Op op = make(kinds[prng.below(kinds_drawn)], from, to);
    if (op.kind == Kind::set) op.value = std::to_string(10 * (unlike ? i + 1 : prng.between(1, 3)));
    if (op.kind != Kind::get && prng.chance(1, 3)) op.outcome = Outcome::unknown;
    const bool is_unknown = op.outcome == Outcome::unknown;
    if (!is_unknown || prng.chance(1, 2))
      moments.push_back({is_unknown ? prng.between(from, 40) : prng.between(from, to), i});
    ops.push_back(op);
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at_us < b.at_us; });
  Truth now;
  std::uint64_t rev = 1;
  for (const Moment& moment : moments) carry_out(ops[moment.op], now, ++rev);
  return ops;
}

// One answer that is another.
void make_up(std::vector<Op>& ops, Prng& prng) {
  Op& op = ops[prng.below(ops.size())];
  switch (prng.below(3)) {
    case 0:
      op.rev = prng.below(8);
      break;
    case 1:
      op.told = std::to_string(prng.between(1, 4) * 10);
      break;
    default:
      op.found = !op.found;
  }
}

// Every order, every choice of who is nowhere, and every revision that nobody was told.
class EveryOrder {
 public:
  explicit EveryOrder(const std::vector<Op>& ops) : ops_(ops), used_(ops.size()) {}
  bool fits() { return fits({}, 0); }

 private:
  static constexpr std::uint64_t most_revs = 12;

  bool fits(const Truth& now, std::uint64_t last_rev) {
    bool all = true;
    for (std::size_t i = 0; i < ops_.size(); ++i)
      all = all && (used_[i] || ops_[i].outcome == Outcome::unknown);
    if (all) return true;
    for (std::size_t i = 0; i < ops_.size(); ++i)
      if (!used_[i] && is_free(i) && fits_behind(i, now, last_rev)) return true;
    return false;
  }
  // Nobody was answered before it was asked.
  bool is_free(std::size_t number) const {
    for (std::size_t i = 0; i < ops_.size(); ++i)
      if (!used_[i] && ops_[i].outcome != Outcome::unknown &&
          ops_[i].completed_us < ops_[number].invoked_us)
        return false;
    return true;
  }
  bool fits_behind(std::size_t number, const Truth& now, std::uint64_t last_rev) {
    used_[number] = true;
    bool found = false;
    for (std::uint64_t rev = last_rev + 1; rev <= most_revs && !found; ++rev) {
      Op op = ops_[number];
      Truth then = now;
      carry_out(op, then, rev);
      const bool changed = then.rev == rev;
      if (op.outcome == Outcome::unknown || is_same(op, ops_[number]))
        found = fits(then, changed ? rev : last_rev);
      if (!changed) break;
    }
    used_[number] = false;
    return found;
  }
  static bool is_same(const Op& a, const Op& b) {
    if (a.rev != b.rev) return false;
    if (a.kind == Kind::set) return true;
    if (a.kind == Kind::incr) return a.told == b.told;
    if (a.kind == Kind::del) return a.rev != 0 || a.found == b.found;
    return a.found == b.found && (!a.found || a.told == b.told);
  }

  const std::vector<Op>& ops_;
  std::vector<bool> used_;
};

std::string verdict(const std::vector<Op>& ops) {
  const OrderSearchResult opinion = search_order(ops, plenty);
  return opinion.verdict == Verdict::fits       ? "fits"
         : opinion.verdict == Verdict::fits_not ? opinion.why
                                                : "gave up";
}

}  // namespace

TEST_CASE("linearizability checker: what happened is always explained") {
  Prng prng(7);
  for (int i = 0; i < 5000; ++i) {
    const auto ops = make_history(prng);
    CAPTURE(i);
    CHECK(verdict(ops) == "fits");
  }
}

TEST_CASE("linearizability checker: it says what trying every order says") {
  Prng prng(8);
  int fits = 0, fits_not = 0;
  for (int i = 0; i < 5000; ++i) {
    auto ops = make_history(prng);
    make_up(ops, prng);
    CAPTURE(i);
    const bool expected = EveryOrder(ops).fits();
    CHECK((search_order(ops, plenty).verdict == Verdict::fits) == expected);
    ++(expected ? fits : fits_not);
  }
  CHECK(fits > 500);
  CHECK(fits_not > 500);
}

TEST_CASE("linearizability checker: a read of the past is explained by no order, and says which") {
  Op w1 = make(Kind::set, 10, 20), w2 = make(Kind::set, 30, 40), r = make(Kind::get, 50, 60);
  w1.value = r.told = "1";
  w2.value = "2";
  w1.rev = r.rev = 2;
  w2.rev = 3;
  r.found = true;
  CHECK(verdict({w1, w2, r}).find("get k on connection 0, 50..60 us: done found 1 rev=2") !=
        std::string::npos);
  r.invoked_us = 35;
  CHECK(verdict({w1, w2, r}) == "fits");
}

TEST_CASE("linearizability checker: who was told nothing may come late, and once") {
  Op w1 = make(Kind::incr, 10, 20), w2 = make(Kind::incr, 30, 40), w3 = make(Kind::incr, 50, 60);
  w1.outcome = Outcome::unknown;
  w2.told = "1", w2.rev = 2;
  w3.told = "3", w3.rev = 5;
  CHECK(verdict({w1, w2, w3}) == "fits");
  w3.told = "4";
  CHECK(verdict({w1, w2, w3}).starts_with("no order explains"));
  w1.outcome = Outcome::failed;
  w3.told = "3";
  CHECK(verdict({w1, w2, w3}).starts_with("no order explains"));
}

TEST_CASE("linearizability checker: it gives up, and says so, rather than search for ever") {
  std::vector<Op> ops;
  for (int i = 0; i < 12; ++i) {
    ops.push_back(make(Kind::incr, 0, 10));
    ops.back().outcome = Outcome::unknown;
  }
  Op r = make(Kind::get, 20, 30);
  r.found = true;
  r.told = "13";
  r.rev = 20;
  ops.push_back(r);
  CHECK(search_order(ops, 10).verdict == Verdict::gave_up);
}

}  // namespace zatt::sim
