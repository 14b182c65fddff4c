// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/proposals.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace zatt::sim {
namespace {

using Kind = Ask::Kind;
using Outcome = Ask::Outcome;

struct Place {
  std::uint64_t index = 0;   // in the log
  std::uint64_t number = 0;  // in the list: 1 is the first
};

class Checker {
 public:
  Checker(const std::vector<Ask>& asks, const Ledger& ledger) : asks_(asks) {
    std::uint64_t number = 0;
    for (const auto& [index, command] : ledger) places_[command].push_back({index, ++number});
  }

  std::optional<Violation> check() {
    if (auto wrong = check_effects()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_strangers()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_time()) return Violation{Invariant::linearizable, *wrong};
    if (auto wrong = check_order()) return Violation{Invariant::session_order, *wrong};
    return std::nullopt;
  }

 private:
  const Place* place_of(const Ask& ask) const {
    const auto it = places_.find(ask.command);
    return ask.kind == Kind::barrier || it == places_.end() ? nullptr : &it->second.front();
  }

  // Refused ones are nowhere, none is there twice, those that are done are where they were said to
  // be, and got their own reply.
  std::optional<std::string> check_effects() const {
    for (const Ask& ask : asks_) {
      if (ask.kind != Kind::proposal) continue;
      const Place* place = place_of(ask);
      if (place != nullptr && places_.at(ask.command).size() > 1)
        return "carried out twice: " + to_string(ask);
      if (ask.outcome == Outcome::refused && place != nullptr)
        return "refused, and it is in the log at " + std::to_string(place->index) + ": " +
               to_string(ask);
      if (ask.outcome != Outcome::done) continue;
      if (place == nullptr || place->index != ask.index)
        return "done, and it is not in the log at its index: " + to_string(ask);
      if (ask.reply != std::to_string(place->number))
        return "done, and the list replied " + std::to_string(place->number) + ": " +
               to_string(ask);
    }
    return std::nullopt;
  }

  std::optional<std::string> check_strangers() const {
    std::map<std::string_view, bool> asked;
    for (const Ask& ask : asks_)
      if (ask.kind == Kind::proposal) asked[ask.command] = true;
    for (const auto& [command, places] : places_)
      if (!asked.contains(command))
        return "in the log at " + std::to_string(places.front().index) +
               ", and nobody proposed it: " + std::string(command.substr(0, 40));
    return std::nullopt;
  }

  // A sweep over time: what is asked after something was answered stands behind it.
  std::optional<std::string> check_time() const {
    std::vector<std::pair<std::uint64_t, const Ask*>> moments;
    for (const Ask& ask : asks_) {
      moments.emplace_back(ask.asked, &ask);
      if (ask.outcome == Outcome::done) moments.emplace_back(ask.answered, &ask);
    }
    std::sort(moments.begin(), moments.end());  // none is there twice
    std::uint64_t floor = 0;                    // all up to this number has been seen by somebody
    std::map<const Ask*, std::uint64_t> floor_when_asked;
    for (const auto& [moment, ask] : moments) {
      const Place* place = place_of(*ask);
      if (moment == ask->asked) {
        if (place != nullptr && place->number <= floor)
          return "stands before number " + std::to_string(floor) +
                 ", which was told before it was asked: " + to_string(*ask);
        floor_when_asked[ask] = floor;
      } else if (ask->kind == Kind::barrier) {
        if (ask->held < floor_when_asked[ask])
          return "a barrier is done before its node holds number " +
                 std::to_string(floor_when_asked[ask]) +
                 ", which was told before it was asked: " + to_string(*ask);
        floor = std::max(floor, ask->held);
      } else {
        floor = std::max(floor, place->number);
      }
    }
    return std::nullopt;
  }

  // What one asks takes effect in the order asked; and a barrier settles what stands before it: it
  // is there by then, or will never be.
  std::optional<std::string> check_order() const {
    std::map<node::ClientId, std::uint64_t> last;  // number, of each proposer's
    for (const Ask& ask : asks_) {
      std::uint64_t& before = last[ask.proposer];
      if (ask.kind == Kind::barrier) {
        if (ask.outcome == Outcome::done && ask.held < before)
          return "a barrier is done, and number " + std::to_string(before) +
                 ", asked for before it, comes later: " + to_string(ask);
      } else if (const Place* place = place_of(ask)) {
        if (place->number < before) return "overtook what was asked before it: " + to_string(ask);
        before = place->number;
      }
    }
    return std::nullopt;
  }

  const std::vector<Ask>& asks_;
  std::map<std::string_view, std::vector<Place>> places_;
};

}  // namespace

std::optional<Violation> check_proposals(const std::vector<Ask>& asks, const Ledger& ledger) {
  return Checker(asks, ledger).check();
}

std::string to_string(const Ask& ask) {
  static constexpr const char* outcomes[] = {"pending", "done", "refused", "unknown"};
  const bool barrier = ask.kind == Kind::barrier;
  std::string text = barrier ? "barrier" : "proposal " + ask.command.substr(0, 20);
  text += " of proposer " + std::to_string(raw(ask.proposer)) + ", moments " +
          std::to_string(ask.asked) + ".." + std::to_string(ask.answered) + ": " +
          outcomes[static_cast<int>(ask.outcome)];
  if (ask.outcome != Outcome::done) return text;
  if (barrier) return text + " with " + std::to_string(ask.held) + " in its machine";
  return text + " at " + std::to_string(ask.index) + ", reply " + ask.reply.substr(0, 40);
}

}  // namespace zatt::sim
