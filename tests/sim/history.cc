// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/history.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "kv/command.h"

namespace zatt::sim {
namespace {

using Kind = Op::Kind;
using Outcome = Op::Outcome;

constexpr const char* empty_value = "\"\"";

struct Version {
  std::uint64_t rev = 0;
  std::optional<std::string> value;
};

// The dictionary's whole past, told by a model that shares nothing with the store but the bytes of
// its commands.
class Past {
 public:
  Past(const Ledger& ledger, bool only_effects) : only_effects_(only_effects) {
    for (const auto& [index, body] : ledger)
      if (!body.empty()) apply(index, body);
  }

  const std::vector<Version>& versions(const std::string& key) {
    auto& versions = versions_[key];
    if (versions.empty()) versions.push_back({});
    return versions;
  }
  // Indexes at which a set of this value stands in the log, whether its condition held or not;
  // with only_effects, where it held.
  const std::vector<std::uint64_t>& places(const std::string& value) { return places_[value]; }
  // What a scan shows at a revision, but for its limit.
  std::vector<Op::Item> list_at(std::uint64_t rev, const Op& scan) const {
    std::vector<Op::Item> items;
    for (auto it = versions_.lower_bound(scan.key); it != versions_.end(); ++it) {
      if (!it->first.starts_with(scan.key)) break;
      if (scan.after && it->first <= *scan.after) continue;
      const auto behind = std::upper_bound(
          it->second.begin(), it->second.end(), rev,
          [](std::uint64_t at, const Version& version) { return at < version.rev; });
      const Version& version = *std::prev(behind);
      if (version.value)
        items.push_back({it->first, scan.keys_only ? "" : *version.value, version.rev});
    }
    return items;
  }
  bool took_effect(std::uint64_t index) const { return counts_.contains(index); }
  std::uint64_t increments(const std::string& key) { return increments_[key]; }
  // In the log, whether there was anything to delete or not.
  std::uint64_t deletes(const std::string& key) { return deletes_[key]; }
  std::uint64_t count_at(std::uint64_t rev) const {
    const auto behind = counts_.upper_bound(rev);
    return behind == counts_.begin() ? 0 : std::prev(behind)->second;
  }
  std::uint64_t next_effect(std::uint64_t rev) const {
    const auto behind = counts_.upper_bound(rev);
    return behind == counts_.end() ? UINT64_MAX : behind->first;
  }

 private:
  void apply(std::uint64_t index, const std::string& body) {
    const auto command = kv::decode_command(body);
    if (!command) return;
    const std::string key(command->key);
    auto& versions = versions_[key];
    if (versions.empty()) versions.push_back({});
    const Version now = versions.back();
    const bool has_effect = holds(command->condition, now);
    if (command->op == kv::Op::set && (has_effect || !only_effects_))
      places_[std::string(command->value)].push_back(index);
    if (command->op == kv::Op::del) ++deletes_[key];
    if (!has_effect) return;
    if (command->op == kv::Op::set) {
      put(key, index, std::string(command->value));
    } else if (command->op == kv::Op::del) {
      if (now.value) put(key, index, std::nullopt);
    } else {
      const auto number = to_number<std::int64_t>(now.value.value_or("0"));
      if (!number) return;
      put(key, index, std::to_string(*number + command->by));
      ++increments_[key];
    }
  }

  static bool holds(const kv::Condition& condition, const Version& now) {
    switch (condition.kind) {
      case kv::Condition::Kind::none:
        return true;
      case kv::Condition::Kind::exists:
        return condition.exists == now.value.has_value();
      case kv::Condition::Kind::rev:
        return condition.rev == (now.value ? now.rev : 0);
      case kv::Condition::Kind::value:
        return now.value && *now.value == condition.value;
    }
    return false;
  }

  void put(const std::string& key, std::uint64_t rev, std::optional<std::string> value) {
    if (value)
      present_.insert(key);
    else
      present_.erase(key);
    versions_[key].push_back({rev, std::move(value)});
    counts_[rev] = present_.size();
  }

  const bool only_effects_;
  std::map<std::string, std::vector<Version>> versions_;
  std::map<std::string, std::vector<std::uint64_t>> places_;
  std::map<std::string, std::uint64_t> increments_, deletes_;
  std::set<std::string> present_;
  std::map<std::uint64_t, std::uint64_t> counts_;  // keys there are, after each effect
};

class Checker {
 public:
  Checker(const std::vector<Op>& ops, const Ledger& ledger, std::uint64_t without_room)
      : ops_(ops), past_(ledger, without_room > 0), without_room_(without_room) {}

  std::optional<Violation> check() {
    if (auto wrong = check_effects()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_deletes()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_increments()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_order()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_stale_reads()) return Violation{Invariant::session_order, *wrong};
    return std::nullopt;
  }

 private:
  // Failed sets are nowhere, no set is twice, acknowledged ones are where they were said to be.
  std::optional<std::string> check_effects() {
    for (const Op& op : ops_) {
      if (op.kind != Kind::set || op.value == empty_value) continue;  // that one is often said
      const auto& places = past_.places(op.value);
      if (places.size() > 1) return "carried out twice: " + to_string(op);
      if (op.outcome == Outcome::failed && !places.empty())
        return "said to have failed, and it is in the log at " + std::to_string(places[0]) + ": " +
               to_string(op);
      if (op.outcome == Outcome::done && (places.empty() || places[0] != op.rev))
        return "acknowledged, and it is not in the log at its revision: " + to_string(op);
      if (op.outcome == Outcome::done && !past_.took_effect(op.rev))
        return "acknowledged, and its condition did not hold: " + to_string(op);
    }
    return std::nullopt;
  }

  // What can't be told from others of its key is counted: what failed is not there, what is unknown
  // is there once or never.
  struct Bound {
    std::uint64_t least = 0, most = 0;
  };
  std::optional<std::string> check_bound(const std::string& key, const Bound& bound,
                                         std::uint64_t n, const char* what) {
    if (n >= bound.least && n <= bound.most) return std::nullopt;
    return "key " + key + ": " + std::to_string(n) + " " + what + " in the log, and between " +
           std::to_string(bound.least) + " and " + std::to_string(bound.most) + " may be there";
  }

  // A delete whose condition did not hold, or that found nothing, is in the log all the same.
  std::optional<std::string> check_deletes() {
    std::map<std::string, Bound> bounds;
    for (const Op& op : ops_) {
      if (op.kind != Kind::del) continue;
      Bound& bound = bounds[op.key];
      if (op.outcome == Outcome::done || op.outcome == Outcome::condition_failed) ++bound.least;
      if (op.outcome != Outcome::failed) ++bound.most;
    }
    for (auto& [key, bound] : bounds) {
      bound.most += without_room_;
      if (auto wrong = check_bound(key, bound, past_.deletes(key), "deletes")) return wrong;
    }
    return std::nullopt;
  }

  std::optional<std::string> check_increments() {
    std::map<std::string, Bound> bounds;
    for (const Op& op : ops_) {
      if (op.kind != Kind::incr) continue;
      Bound& bound = bounds[op.key];
      if (op.outcome == Outcome::done) ++bound.least, ++bound.most;
      if (op.outcome == Outcome::unknown || op.outcome == Outcome::pending) ++bound.most;
    }
    for (const auto& [key, bound] : bounds)
      if (auto wrong = check_bound(key, bound, past_.increments(key), "increments")) return wrong;
    return std::nullopt;
  }

  // A sweep over time: whatever is asked after something was answered stands behind it.
  struct Event {
    std::uint64_t at_us;
    bool completes;
    std::size_t op;
  };
  // At one moment, invocations first: what overlaps is free.
  std::vector<Event> events() const {
    std::vector<Event> events;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      events.push_back({ops_[i].invoked_us, false, i});
      const bool answered = ops_[i].outcome != Outcome::pending;
      if (answered) events.push_back({ops_[i].completed_us, true, i});
    }
    std::stable_sort(events.begin(), events.end(), [this](const Event& a, const Event& b) {
      if (a.at_us != b.at_us) return a.at_us < b.at_us;
      if (!a.completes || !b.completes) return a.completes < b.completes;
      return ops_[a.op].answer < ops_[b.op].answer;
    });
    return events;
  }

  std::optional<std::string> check_order() {
    std::vector<std::uint64_t> floor_at_invocation(ops_.size(), 0);
    std::map<std::uint64_t, std::uint64_t> of_connection;
    std::uint64_t floor = 0;
    for (const Event& event : events()) {
      const Op& op = ops_[event.op];
      std::uint64_t& told = floor_at_invocation[event.op];
      if (!event.completes)
        told = floor;
      else if (auto wrong = check_completion(op, told, of_connection[op.connection], floor))
        return wrong;
    }
    return std::nullopt;
  }

  // `told`: what anybody had been told of when it was asked. `connection` and `floor`, of all, rise
  // to where it took effect.
  std::optional<std::string> check_completion(const Op& op, std::uint64_t told,
                                              std::uint64_t& connection, std::uint64_t& floor) {
    if (op.outcome == Outcome::unknown) {  // not told, but bound by what was sent before it
      const auto& places = past_.places(op.value);
      if (op.kind != Kind::set || op.value == empty_value || places.empty()) return std::nullopt;
      if (places[0] < connection) return "overtook what was sent before it: " + to_string(op);
      connection = places[0];
      return std::nullopt;
    }
    if (op.outcome == Outcome::failed || op.kind == Kind::stale_get || op.kind == Kind::ask)
      return std::nullopt;
    // Its key may not have changed since: then nobody could tell, but for us.
    if (!is_write(op.kind) && op.applied != 0 && op.applied < told)
      return "answered from a state at " + std::to_string(op.applied) + ", behind " +
             std::to_string(told) + ", which somebody had been told of before: " + to_string(op);
    std::uint64_t least = std::max(told, connection);
    const auto point = place(op, least);
    if (!point) return "fits nowhere at or behind " + std::to_string(least) + ": " + to_string(op);
    connection = std::max(connection, *point);
    floor = std::max(floor, *point);
    return std::nullopt;
  }

  // A stale read may be late, but it shows what once was, and on one connection time does not run
  // backwards: not behind an earlier stale read, nor behind an answer it was asked after.
  std::optional<std::string> check_stale_reads() {
    std::vector<const Op*> answered;
    for (const Op& op : ops_)
      if (op.outcome == Outcome::done && !is_write(op.kind) && op.kind != Kind::ask)
        answered.push_back(&op);
    std::sort(answered.begin(), answered.end(),
              [](const Op* a, const Op* b) { return a->answer < b->answer; });
    struct Seen {
      std::uint64_t stale = 0;
      std::vector<std::pair<std::uint64_t, std::uint64_t>> reads;  // when answered, place at least
    };
    std::map<std::uint64_t, Seen> of_connection;
    for (const Op* op : answered) {
      Seen& seen = of_connection[op->connection];
      std::uint64_t least = 0;
      if (op->kind == Kind::stale_get) {
        least = seen.stale;
        for (auto read = seen.reads.rbegin(); read != seen.reads.rend(); ++read) {
          if (read->first >= op->invoked_us) continue;
          least = std::max(least, read->second);
          break;
        }
      }
      const auto point = place(*op, least);
      if (!point) return "a stale read runs backwards: " + to_string(*op);
      if (op->kind == Kind::stale_get)
        seen.stale = *point;
      else
        seen.reads.emplace_back(
            op->completed_us, std::max(*point, seen.reads.empty() ? 0 : seen.reads.back().second));
    }
    return std::nullopt;
  }

  std::optional<std::uint64_t> place_scan(const Op& op, std::uint64_t least) {
    const std::vector<Op::Item> all = past_.list_at(op.rev, op);
    if (op.items.size() > op.limit || op.items.size() > all.size()) return std::nullopt;
    if (op.more != (op.items.size() < all.size())) return std::nullopt;
    if (!std::equal(op.items.begin(), op.items.end(), all.begin())) return std::nullopt;
    if (past_.next_effect(op.rev) <= least) return std::nullopt;
    return std::max(op.rev, least);
  }

  // The earliest place in the log at or behind `least` where the answer is true.
  std::optional<std::uint64_t> place(const Op& op, std::uint64_t least) {
    if (op.kind == Kind::count) {
      if (past_.count_at(op.rev) != op.number || past_.next_effect(op.rev) <= least)
        return std::nullopt;
      return std::max(op.rev, least);
    }
    if (op.kind == Kind::scan) return place_scan(op, least);
    const auto& versions = past_.versions(op.key);
    if (is_write(op.kind) && op.outcome == Outcome::done && op.rev != 0) {
      const bool there = std::any_of(versions.begin(), versions.end(), [&](const Version& v) {
        return v.rev == op.rev && (op.kind != Kind::incr || v.value == op.told);
      });
      if (!there || op.rev <= least) return std::nullopt;
      return op.rev;
    }
    for (std::size_t i = 0; i < versions.size(); ++i) {  // it saw the key in some state
      const Version& version = versions[i];
      const bool same = op.found == version.value.has_value() &&
                        (!op.found || (version.rev == op.rev && *version.value == op.told));
      const std::uint64_t ends = i + 1 < versions.size() ? versions[i + 1].rev : UINT64_MAX;
      if (same && ends > least) return std::max(version.rev, least);
    }
    return std::nullopt;
  }

  const std::vector<Op>& ops_;
  Past past_;
  const std::uint64_t without_room_;
};

}  // namespace

bool is_write(Op::Kind kind) {
  return kind == Op::Kind::set || kind == Op::Kind::del || kind == Op::Kind::incr;
}

std::optional<Violation> check_history(const std::vector<Op>& ops, const Ledger& ledger,
                                       std::uint64_t without_room) {
  return Checker(ops, ledger, without_room).check();
}

std::string to_string(const Op& op) {
  static constexpr const char* kinds[] = {"set",       "delete", "incr", "get",
                                          "stale get", "count",  "scan", "ask"};
  static constexpr const char* outcomes[] = {"pending", "done", "condition_failed", "failed",
                                             "unknown"};
  std::string text = kinds[static_cast<int>(op.kind)];
  text += " " + op.key + (op.value.empty() ? "" : "=" + op.value.substr(0, 40)) +
          " on connection " + std::to_string(op.connection) + ", " + std::to_string(op.invoked_us) +
          ".." + std::to_string(op.completed_us) + " us: " + outcomes[static_cast<int>(op.outcome)];
  if (op.outcome == Outcome::done || op.outcome == Outcome::condition_failed)
    text += std::string(op.found ? " found " : " ") + op.told.substr(0, 40) +
            " rev=" + std::to_string(op.rev) + " n=" + std::to_string(op.number);
  return text;
}

}  // namespace zatt::sim
