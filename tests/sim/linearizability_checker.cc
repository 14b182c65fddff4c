// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/linearizability_checker.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/prng.h"
#include "base/text.h"

namespace zatt::sim {
namespace {

using Kind = Op::Kind;
using Outcome = Op::Outcome;
using Verdict = OrderSearchResult::Verdict;

// What one key holds, as far as answers tell.
struct State {
  const std::string* value = nullptr;  // an answer's, or in the Search's keeping; null: none
  std::uint64_t rev = 0;               // of the value; 0: written by somebody who was not told
  std::uint64_t least = 0;             // of the last effect, at least
};

bool may_be_nowhere(const Op& op) {
  return op.outcome == Outcome::unknown || op.outcome == Outcome::pending;
}

// What it saw is what there is.
std::optional<State> look(State now, const Op& op) {
  if (op.found != (now.value != nullptr)) return std::nullopt;
  if (op.found != (op.rev != 0)) return std::nullopt;
  if (!op.found) return now;
  if (op.told != *now.value) return std::nullopt;
  if (now.rev == 0 && op.rev >= now.least) now.rev = now.least = op.rev;
  if (now.rev != op.rev) return std::nullopt;
  return now;
}

State put(const State& now, const std::string* value, std::uint64_t rev) {
  return {value, rev, rev != 0 ? rev : now.least + 1};
}

std::optional<std::string> one_more(const std::string* value) {
  const auto number = to_number<std::int64_t>(value ? *value : "0");
  if (!number) return std::nullopt;
  return std::to_string(*number + 1);
}

bool looks_at(const Op& op, const std::string& value) { return op.found && op.told == value; }

bool may_change(const Op& op) {
  if (!is_write(op.kind)) return false;
  if (op.outcome == Outcome::done) return op.kind != Kind::del || op.rev != 0;
  return may_be_nowhere(op);
}

// One key's requests, and the attempts to put them into an order.
class Search {
 public:
  Search(std::vector<const Op*> ops, std::uint64_t most_steps)
      : ops_(std::move(ops)), most_steps_(most_steps), is_placed_(ops_.size()) {
    std::stable_sort(ops_.begin(), ops_.end(),
                     [](const Op* a, const Op* b) { return a->invoked_us < b->invoked_us; });
    Prng prng(1);
    for (const Op* op : ops_) {
      marks_.push_back(prng.next());
      to_place_ += !may_be_nowhere(*op);
    }
    sort_by_rev();
    find_traces();
  }

  OrderSearchResult run() {
    std::vector<Attempt> attempts;
    attempts.push_back(begin_at({}));
    while (to_place_ > 0) {
      if (++steps_ > most_steps_) return {Verdict::gave_up, {}, steps_};
      Attempt& attempt = attempts.back();
      take_back(attempt.placed);
      if (attempt.next == attempt.candidates.size()) {
        attempts.pop_back();
        if (attempts.empty()) return {Verdict::fits_not, why(), steps_};
        continue;
      }
      const std::size_t number = attempt.candidates[attempt.next++];
      if (traces_[number] == Trace::none && attempt.now.value) continue;  // for nothing
      auto then = happen(attempt.now, *ops_[number]);
      if (!then) continue;
      place(number);
      if (traces_[number] == Trace::its_own && !is_seen(*then->value)) continue;
      Attempt next = begin_at(*then);
      if (is_new(*then)) attempts.push_back(std::move(next));
    }
    return {Verdict::fits, {}, steps_};
  }

 private:
  // What shows of a set that was told nothing.
  enum class Trace : std::uint8_t {
    none,     // nobody saw its value: at most that there was one
    some,     // its value may be another's
    its_own,  // somebody saw it, and nobody else made it: so that one comes next
  };
  struct Attempt {
    State now;
    std::vector<std::size_t> candidates;  // what may come next
    std::size_t next = 0;
    std::size_t placed = 0;  // how many were, when it began
  };

  // What the key holds behind `op`; nothing where it cannot have happened here.
  std::optional<State> happen(const State& now, const Op& op) {
    if (!may_change(op)) return look(now, op);
    const bool told = !may_be_nowhere(op);
    if (told && op.rev <= now.least) return std::nullopt;
    const std::uint64_t rev = told ? op.rev : 0;
    if (op.kind == Kind::set) return put(now, &op.value, rev);
    if (op.kind == Kind::del)
      return now.value ? std::optional(put(now, nullptr, rev)) : std::nullopt;
    const auto sum = one_more(now.value);
    if (!sum || (told && *sum != op.told)) return std::nullopt;
    return put(now, &*sums_.insert(*sum).first, rev);
  }

  void sort_by_rev() {
    places_.resize(ops_.size());
    for (std::size_t i = 0; i < ops_.size(); ++i)
      if (has_rev(i)) by_rev_.push_back(i);
    std::stable_sort(by_rev_.begin(), by_rev_.end(),
                     [this](std::size_t a, std::size_t b) { return ops_[a]->rev < ops_[b]->rev; });
    for (std::size_t i = 0; i < by_rev_.size(); ++i) places_[by_rev_[i]] = i;
  }

  bool has_rev(std::size_t number) const {
    return !may_be_nowhere(*ops_[number]) && ops_[number]->rev != 0;
  }

  void find_traces() {
    std::unordered_map<std::string_view, std::size_t> makers;
    std::unordered_set<std::string_view> seen;
    bool has_sums = false;
    for (const Op* op : ops_) {
      if (op->kind == Kind::set) ++makers[op->value];
      if (!may_be_nowhere(*op) && !may_change(*op) && op->found) seen.insert(op->told);
      has_sums = has_sums || op->kind == Kind::incr;
    }
    for (const Op* op : ops_) {
      const bool is_alone = op->kind == Kind::set && makers[op->value] == 1 && !has_sums;
      traces_.push_back(!may_be_nowhere(*op) || !is_alone ? Trace::some
                        : seen.contains(op->value)        ? Trace::its_own
                                                          : Trace::none);
    }
  }

  // Revisions only grow: of those who were told one, the lowest comes next.
  std::uint64_t next_rev() {
    while (first_by_rev_ < by_rev_.size() && is_placed_[by_rev_[first_by_rev_]]) ++first_by_rev_;
    return first_by_rev_ == by_rev_.size() ? UINT64_MAX : ops_[by_rev_[first_by_rev_]]->rev;
  }

  // Those not placed that were asked before any of them was answered: who was told first, first,
  // and last who was told nothing; of these, where two do the same, only the first.
  std::vector<std::size_t> candidates() {
    while (first_ < ops_.size() && is_placed_[first_]) ++first_;
    std::uint64_t answered_us = UINT64_MAX;
    std::vector<std::size_t> found;
    for (std::size_t i = first_; i < ops_.size() && ops_[i]->invoked_us <= answered_us; ++i) {
      if (is_placed_[i]) continue;
      found.push_back(i);
      answered_us = std::min(answered_us, answered(i));
    }
    const std::uint64_t rev = next_rev();
    std::set<std::pair<Kind, std::string_view>> actions;
    std::erase_if(found, [&](std::size_t i) {
      const Op& op = *ops_[i];
      if (op.invoked_us > answered_us || (has_rev(i) && op.rev != rev)) return true;
      if (!may_be_nowhere(op)) return false;
      return !actions.emplace(op.kind, traces_[i] == Trace::none ? std::string_view() : op.value)
                  .second;
    });
    std::stable_sort(found.begin(), found.end(),
                     [&](std::size_t a, std::size_t b) { return answered(a) < answered(b); });
    return found;
  }

  std::uint64_t answered(std::size_t number) const {
    return may_be_nowhere(*ops_[number]) ? UINT64_MAX : ops_[number]->completed_us;
  }

  // Who only looks, and sees just what there is, is placed without a thought of elsewhere: that
  // takes nothing from anybody.
  Attempt begin_at(const State& now) {
    while (true) {
      std::vector<std::size_t> next = candidates();
      const std::size_t before = placed_.size();
      for (const std::size_t number : next) {
        const Op& op = *ops_[number];
        if (may_change(op) || !look(now, op)) continue;
        if (op.found && now.rev == 0) continue;  // it would tell the value's revision
        place(number);
      }
      if (placed_.size() > before) continue;
      if (stuck_on_ == nullptr || before > furthest_) remember(now, next);
      return {now, std::move(next), 0, before};
    }
  }

  // One that may come next looks at it.
  bool is_seen(const std::string& value) {
    const auto next = candidates();
    return std::any_of(next.begin(), next.end(), [&](std::size_t number) {
      return !may_change(*ops_[number]) && looks_at(*ops_[number], value);
    });
  }

  // The furthest that an attempt came, for whoever is told that none came to an end.
  void remember(const State& now, const std::vector<std::size_t>& next) {
    if (to_place_ == 0) return;
    furthest_ = placed_.size();
    stuck_on_ = ops_[next.empty() ? by_rev_[first_by_rev_] : next.front()];
    stuck_at_ = now;
  }

  std::string why() const {
    return "no order explains, with " + std::to_string(furthest_) +
           " others of its key placed and " +
           (stuck_at_.value ? stuck_at_.value->substr(0, 40) : "nothing") +
           " rev=" + std::to_string(stuck_at_.rev) + " there: " + to_string(*stuck_on_);
  }

  void place(std::size_t number) {
    is_placed_[number] = true;
    placed_.push_back(number);
    set_mark_ ^= marks_[number];
    to_place_ -= !may_be_nowhere(*ops_[number]);
  }

  void take_back(std::size_t size) {
    while (placed_.size() > size) {
      const std::size_t number = placed_.back();
      placed_.pop_back();
      is_placed_[number] = false;
      set_mark_ ^= marks_[number];
      to_place_ += !may_be_nowhere(*ops_[number]);
      first_ = std::min(first_, number);
      if (has_rev(number)) first_by_rev_ = std::min(first_by_rev_, places_[number]);
    }
  }

  // The same requests placed, and the same left behind: what follows was tried.
  bool is_new(const State& now) {
    std::uint64_t mark = set_mark_ ^ (now.rev * 0x9e3779b97f4a7c15) ^ (now.least << 32);
    mark ^= now.value ? std::hash<std::string>{}(*now.value) : 0;
    return tried_.insert(mark).second;
  }

  std::vector<const Op*> ops_;
  std::uint64_t most_steps_;
  std::uint64_t steps_ = 0;
  std::vector<bool> is_placed_;
  std::vector<std::size_t> placed_;           // in order
  std::size_t first_ = 0;                     // all before it are placed
  std::size_t to_place_ = 0;                  // of those that happened for certain
  std::vector<std::size_t> by_rev_, places_;  // who was told one, and where each stands there
  std::size_t first_by_rev_ = 0;
  std::vector<Trace> traces_;
  std::vector<std::uint64_t> marks_;  // a random number for each
  std::uint64_t set_mark_ = 0;        // of those placed, together
  std::unordered_set<std::uint64_t> tried_;
  std::set<std::string> sums_;
  std::size_t furthest_ = 0;
  const Op* stuck_on_ = nullptr;
  State stuck_at_;
};

bool is_of_one_key(const Op& op) { return is_write(op.kind) || op.kind == Kind::get; }

// Whether its answer says anything, or its effect may be seen.
bool counts(const Op& op) {
  if (op.outcome == Outcome::failed) return false;
  return is_write(op.kind) || !may_be_nowhere(op);
}

}  // namespace

OrderSearchResult search_order(const std::vector<Op>& ops, std::uint64_t most_steps) {
  std::map<std::string, std::vector<const Op*>> of_key;
  for (const Op& op : ops)
    if (is_of_one_key(op) && counts(op)) of_key[op.key].push_back(&op);
  OrderSearchResult all;
  for (auto& [key, its_ops] : of_key) {
    const OrderSearchResult one = Search(std::move(its_ops), most_steps).run();
    all.steps += one.steps;
    if (one.verdict == Verdict::fits) continue;
    all.verdict = one.verdict;
    all.why = one.why;
    if (one.verdict == Verdict::fits_not) return all;
  }
  return all;
}

}  // namespace zatt::sim
