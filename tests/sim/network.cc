// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/network.h"

#include <algorithm>

namespace zatt::sim {
namespace {

constexpr std::uint64_t most_stuck_bytes = 8 << 20;  // before a cut; then the sender gives up
constexpr std::size_t most_past = 8;                 // frames that are remembered, of each way

}  // namespace

std::uint64_t Network::delay() {
  const std::uint64_t spread = settings_.delay_mean_us - settings_.delay_min_us;
  // Two draws: short delays are common, long ones are not rare.
  const std::uint64_t a = prng_.below(2 * spread + 1);
  const std::uint64_t b = prng_.below(2 * spread + 1);
  const bool is_late = prng_.chance(1, 50);
  const std::uint64_t usual = settings_.delay_min_us + std::min(a, b);
  // Raft serves where a message takes much less than an election timeout (paper 5.6).
  if (perfect_) return std::min(usual, 1000 * settings_.election_timeout_ms / 8);
  return usual + (is_late ? 4 * spread : 0);
}

void Network::dial(NodeNumber from, NodeNumber to) { try_dial(from, to, endpoints_.process(from)); }

void Network::try_dial(NodeNumber from, NodeNumber to, std::uint64_t process) {
  if (endpoints_.process(from) != process) return;
  const std::uint64_t at = std::max(scheduler_.now_us() + delay(), clogged_until(from, to));
  scheduler_.at(at, [=, this] { connect(from, to, process); });
}

void Network::connect(NodeNumber from, NodeNumber to, std::uint64_t process) {
  if (endpoints_.process(from) != process) return;
  const bool there = endpoints_.process(to) != 0 && passes(from, to) && passes(to, from);
  if (!there) {
    const std::uint64_t wait = prng_.between(20'000, 300'000);
    scheduler_.in(wait, [=, this] { try_dial(from, to, process); });
    return;
  }
  Connection c;
  c.dialer = from;
  c.answerer = to;
  c.dialer_link = ++last_link_;
  c.answerer_link = ++last_link_;
  c.dialer_process = process;
  c.answerer_process = endpoints_.process(to);
  c.patience_us = settings_.cut_patience_us / 2 + prng_.below(settings_.cut_patience_us + 1);
  const std::uint64_t number = ++last_connection_;
  connections_[number] = c;
  by_link_[{from, c.dialer_link}] = number;
  by_link_[{to, c.answerer_link}] = number;
  const bool is_next = late_next_.erase(std::minmax(from, to)) > 0;
  if (!perfect_ && (prng_.chance(settings_.late_permille, 1000) || is_next)) leave_unread(number);
  stray(number, true);
  stray(number, false);
  endpoints_.deliver_link_up(to, c.answerer_link, false, from);
  endpoints_.deliver_link_up(from, c.dialer_link, true, to);
}

// Accepted, and not read yet: whoever dialled it has heard the other's hello and speaks, and may
// have given it up, and speak over another, when this one is read at last.
void Network::leave_unread(std::uint64_t number) {
  coverage_.count(Action::read_late);
  const std::uint64_t length = 1000 + prng_.below(2'000 * settings_.election_timeout_ms);
  connections_.at(number).to_answerer.unread_us = scheduler_.now_us() + length;
  const bool ends = prng_.chance(3, 4);
  const std::uint64_t after = prng_.below(length);
  if (!ends) return;
  scheduler_.in(after, [=, this] {
    if (!perfect_ && connections_.contains(number)) break_connection(number);
  });
}

// What was sent by, or to, an earlier process of one of the two comes over their new connection.
void Network::stray(std::uint64_t number, bool to_dialer) {
  if (perfect_ || settings_.stray_permille == 0) return;
  const Connection& c = connections_.at(number);
  const NodeNumber from = to_dialer ? c.answerer : c.dialer;
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  const std::uint64_t from_process = to_dialer ? c.answerer_process : c.dialer_process;
  const std::uint64_t to_process = to_dialer ? c.dialer_process : c.answerer_process;
  for (const Past& past : past_[{from, to}]) {
    if (past.from_process == from_process && past.to_process == to_process) continue;
    scheduler_.in(prng_.below(prng_.chance(1, 2) ? 50'000 : 2'000'000),
                  [=, this, frame = past.frame] {
                    const auto it = connections_.find(number);
                    if (perfect_ || it == connections_.end()) return;
                    if (!it->second.way(to_dialer).greeted || !passes(from, to)) return;
                    coverage_.count(Action::strayed);
                    deliver(it->second, to_dialer, frame);
                  });
  }
}

void Network::note_past(const Connection& c, bool to_dialer, const Frame& frame) {
  if (perfect_ || !prng_.chance(settings_.stray_permille, 1000)) return;
  auto& past = past_[to_dialer ? std::pair(c.answerer, c.dialer) : std::pair(c.dialer, c.answerer)];
  if (past.size() < most_past) past.emplace_back();
  past[prng_.below(past.size())] = {frame, to_dialer ? c.answerer_process : c.dialer_process,
                                    to_dialer ? c.dialer_process : c.answerer_process};
}

// --- frames --------------------------------------------------------------------------------------

void Network::send(NodeNumber from, node::LinkId link, node::Priority priority, Frame frame) {
  frame.is_control = priority == node::Priority::control;
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return;
  const std::uint64_t number = it->second;
  Connection& c = connections_.at(number);
  if (!c.open) return;
  const bool to_dialer = c.answerer_link == link;
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  note_past(c, to_dialer, frame);
  switch (rule_ ? rule_(from, to, frame) : Fate::pass) {
    case Fate::drop:
      return coverage_.count_dropped(frame.kind);
    case Fate::hold:
      held_.push_back({number, to_dialer, std::move(frame)});
      return;
    case Fate::twice:
      pass_on(number, to_dialer, frame);
      break;
    case Fate::pass:
      break;
  }
  if (!perfect_ && prng_.chance(settings_.reset_permyriad, 10'000)) {
    coverage_.count(Action::reset);  // in the middle of this frame
    break_connection(number);
    return;
  }
  if (!perfect_ && prng_.chance(settings_.loss_permille, 1000))
    return coverage_.count_dropped(frame.kind);
  if (!perfect_ && settings_.capacity > 0 && c.way(to_dialer).under_way >= settings_.capacity) {
    coverage_.count(Action::over_capacity);
    return coverage_.count_dropped(frame.kind);
  }
  pass_on(number, to_dialer, std::move(frame));
}

void Network::pass_on(std::uint64_t number, bool to_dialer, Frame frame) {
  Connection& c = connections_.at(number);
  Direction& way = c.way(to_dialer);
  const NodeNumber from = to_dialer ? c.answerer : c.dialer;
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  const bool overtakes = !perfect_ && prng_.chance(settings_.reorder_permille, 1000);
  const std::uint64_t waits_us = settings_.link_bytes_per_ms > 0 ? pass_slowly(way, frame) : 0;
  if (waits_us * settings_.link_bytes_per_ms > 1000 * node::Env::max_unsent_bytes) {
    coverage_.count(Action::link_overrun);
    return break_connection(number, from);
  }
  if (unsent_bytes(way) >= node::Env::crowded_link_bytes && !std::exchange(way.crowded, true))
    tell_of_room(number, to_dialer);
  std::uint64_t at = std::max(scheduler_.now_us() + waits_us + delay(), clogged_until(from, to));
  if (!perfect_) at = std::max(at, way.unread_us);
  if (!overtakes) {
    const bool is_apart = frame.is_control && settings_.link_bytes_per_ms > 0;
    std::uint64_t& last_us = is_apart ? way.last_control_us : way.last_us;
    at = std::max(at, last_us);
    last_us = at;
  }
  if (!perfect_ && prng_.chance(settings_.replay_permille, 1000)) {
    coverage_.count_doubled(frame.kind);
    const std::uint64_t age = prng_.below(10);
    const std::uint64_t again = at + prng_.below(age == 0  ? 60'000'000
                                                 : age < 3 ? 2'000'000
                                                           : 20'000);
    ++way.under_way;
    add_bytes(from, way, frame);
    scheduler_.at(again, [=, this, copy = frame] {
      if (!perfect_) deliver(number, to_dialer, copy);
    });
  }
  ++way.under_way;
  add_bytes(from, way, frame);
  deliver_later(number, to_dialer, std::move(frame), at);
}

void Network::add_bytes(NodeNumber from, Direction& way, const Frame& frame) {
  if (from >= sent_.size()) sent_.resize(from + 1);
  sent_[from] += frame.bytes.size();
  way.bytes += frame.bytes.size();
}

void Network::take_bytes(NodeNumber from, Direction& way, std::uint64_t bytes) {
  if (bytes == 0) return;
  sent_[from] -= bytes;
  way.bytes -= bytes;
}

void Network::deliver_later(std::uint64_t number, bool to_dialer, Frame frame,
                            std::uint64_t at_us) {
  scheduler_.at(at_us, [=, this, f = std::move(frame)] { deliver(number, to_dialer, f); });
}

void Network::deliver(std::uint64_t number, bool to_dialer, const Frame& frame) {
  const auto it = connections_.find(number);
  if (it == connections_.end()) return;
  Connection& c = it->second;
  Direction& way = c.way(to_dialer);
  --way.under_way;
  const NodeNumber from = to_dialer ? c.answerer : c.dialer;
  take_bytes(from, way, frame.bytes.size());
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  if (way.stuck.empty() && passes(from, to))
    deliver(c, to_dialer, frame);
  else
    jam(number, to_dialer, frame);
}

void Network::deliver(Connection& c, bool to_dialer, const Frame& frame) {
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  const node::LinkId link = to_dialer ? c.dialer_link : c.answerer_link;
  const std::uint64_t process = to_dialer ? c.dialer_process : c.answerer_process;
  if (endpoints_.process(to) != process || !by_link_.contains({to, link})) return;
  if (frame.kind == Kind::hello) c.way(to_dialer).greeted = true;
  endpoints_.deliver_frame(to, link, frame);
}

// --- cuts ----------------------------------------------------------------------------------------

// Sent into a cut: tried again until it passes, or until the sender gives its connection up.
void Network::jam(std::uint64_t number, bool to_dialer, const Frame& frame) {
  Connection& c = connections_.at(number);
  Direction& way = c.way(to_dialer);
  const NodeNumber sender = to_dialer ? c.answerer : c.dialer;
  coverage_.count(Action::stuck);
  way.stuck.push_back(frame);
  way.stuck_bytes += frame.bytes.size();
  add_bytes(sender, way, frame);
  if (way.stuck_bytes > most_stuck_bytes) return break_connection(number, sender);
  if (way.stuck.size() > 1) return;
  scheduler_.in(c.patience_us, [=, this, jam = ++way.jams] {
    const auto it = connections_.find(number);
    if (it == connections_.end()) return;
    const Direction& now = it->second.way(to_dialer);
    if (now.stuck.empty() || now.jams != jam) return;
    coverage_.count(Action::given_up_after_a_cut);
    break_connection(number, sender);
  });
}

void Network::unjam(std::uint64_t number, bool to_dialer) {
  while (true) {
    const auto it = connections_.find(number);
    if (it == connections_.end()) return;
    Connection& c = it->second;
    Direction& way = c.way(to_dialer);
    const bool whole = to_dialer ? passes(c.answerer, c.dialer) : passes(c.dialer, c.answerer);
    if (way.stuck.empty() || !whole) return;
    const Frame frame = std::move(way.stuck.front());
    way.stuck.pop_front();
    way.stuck_bytes -= frame.bytes.size();
    take_bytes(to_dialer ? c.answerer : c.dialer, way, frame.bytes.size());
    coverage_.count(Action::arrived_after_a_cut);
    deliver(c, to_dialer, frame);
  }
}

void Network::heal() {
  for (const auto& [from, to] : std::exchange(cuts_, {})) {
    cuts_.insert({from, to});
    heal(from, to);
  }
}

void Network::heal(NodeNumber from, NodeNumber to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& [number, c] : connections_) {
    const bool to_dialer = c.answerer == from && c.dialer == to;
    if (!to_dialer && !(c.dialer == from && c.answerer == to)) continue;
    if ((to_dialer ? c.to_dialer : c.to_answerer).stuck.empty()) continue;
    scheduler_.in(delay(), [=, this, n = number] { unjam(n, to_dialer); });
  }
}

void Network::release(const Choose& which) {
  for (Held& held : take_held(which))
    if (connections_.contains(held.connection))
      pass_on(held.connection, held.to_dialer, std::move(held.frame));
}

void Network::lose_held(const Choose& which) { take_held(which); }

// What lies in a connection whose end is not heard of stays there.
std::vector<Network::Held> Network::take_held(const Choose& which) {
  std::vector<Held> taken, kept;
  for (Held& held : std::exchange(held_, {})) {
    const auto it = connections_.find(held.connection);
    if (it == connections_.end()) continue;
    const Connection& c = it->second;
    const NodeNumber from = held.to_dialer ? c.answerer : c.dialer;
    const NodeNumber to = held.to_dialer ? c.dialer : c.answerer;
    const bool hears = held.to_dialer ? c.dialer_hears : c.answerer_hears;
    (hears && which(from, to, held.frame) ? taken : kept).push_back(std::move(held));
  }
  held_ = std::move(kept);
  return taken;
}

void Network::clog(NodeNumber from, NodeNumber to, std::uint64_t until_us) {
  std::uint64_t& until = clogs_[{from, to}];
  until = std::max(until, until_us);
}

std::uint64_t Network::clogged_until(NodeNumber from, NodeNumber to) const {
  const auto it = clogs_.find({from, to});
  return it == clogs_.end() || perfect_ ? 0 : it->second;
}

std::string Network::to_text(NodeNumber from, node::LinkId link) const {
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return "to nobody: ";
  const Connection& c = connections_.at(it->second);
  return "to " + std::to_string(c.dialer == from ? c.answerer : c.dialer) +
         (c.open ? "" : " (closed)") + ": ";
}

std::uint64_t Network::process_at_other_end(NodeNumber from, node::LinkId link) const {
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return 0;
  const Connection& c = connections_.at(it->second);
  return c.dialer_link == link ? c.answerer_process : c.dialer_process;
}

// --- ends ----------------------------------------------------------------------------------------

void Network::close(NodeNumber from, node::LinkId link) {
  const auto it = by_link_.find({from, link});
  if (it != by_link_.end()) break_connection(it->second, from);
}

// By what lies between the two.
void Network::break_connection(std::uint64_t number) {
  const Connection& c = connections_.at(number);
  break_connection(number, prng_.chance(1, 2) ? c.dialer : c.answerer);
}

void Network::break_connection(std::uint64_t number, NodeNumber closer) {
  Connection& c = connections_.at(number);
  if (!c.open) return;
  c.open = false;
  // Each end hears of it in its own time, behind what was on its way; who ended it, in any case.
  const std::uint64_t now = scheduler_.now_us();
  const std::uint64_t to_dialer = std::max(c.to_dialer.last(), now) - now + delay();
  const std::uint64_t to_answerer = std::max(c.to_answerer.last(), now) - now + delay();
  end_later(number, true, to_dialer, c.dialer == closer ? 0 : c.patience_us);
  end_later(number, false, to_answerer, c.answerer == closer ? 0 : c.patience_us);
}

// From behind a cut an end is heard of when it is healed, or after that patience without an answer.
void Network::end_later(std::uint64_t number, bool dialer_side, std::uint64_t after_us,
                        std::uint64_t patience_us) {
  scheduler_.in(after_us, [=, this] {
    const auto it = connections_.find(number);
    if (it == connections_.end()) return;
    const Connection c = it->second;
    const NodeNumber node = dialer_side ? c.dialer : c.answerer;
    const NodeNumber other = dialer_side ? c.answerer : c.dialer;
    const node::LinkId link = dialer_side ? c.dialer_link : c.answerer_link;
    const std::uint64_t process = dialer_side ? c.dialer_process : c.answerer_process;
    const bool hears = dialer_side ? c.dialer_hears : c.answerer_hears;
    if (endpoints_.process(node) == process && !hears) return;
    if (endpoints_.process(node) == process && !passes(other, node) && patience_us > 0) {
      const std::uint64_t wait = std::min<std::uint64_t>(patience_us, 200'000);
      end_later(number, dialer_side, wait, patience_us - wait);
      return;
    }
    unjam(number, dialer_side);
    by_link_.erase({node, link});
    if (!by_link_.contains({other, dialer_side ? c.answerer_link : c.dialer_link})) {
      Connection& last = connections_.at(number);
      take_bytes(c.answerer, last.to_dialer, last.to_dialer.bytes);
      take_bytes(c.dialer, last.to_answerer, last.to_answerer.bytes);
      connections_.erase(number);
    }
    if (endpoints_.process(node) != process) return;
    endpoints_.deliver_link_down(node, link);
    if (dialer_side) try_dial(c.dialer, c.answerer, process);
  });
}

void Network::reset(NodeNumber a, NodeNumber b, bool second_hears) {
  for (auto& [number, c] : connections_) {
    const bool between = (c.dialer == a && c.answerer == b) || (c.dialer == b && c.answerer == a);
    if (!between || !c.open) continue;
    (c.dialer == b ? c.dialer_hears : c.answerer_hears) = second_hears;
    break_connection(number);
  }
}

void Network::replace_unread(NodeNumber a, NodeNumber b) {
  late_next_.insert(std::minmax(a, b));
  reset(a, b, true);
}

void Network::let_hear_of_ends() {
  std::vector<std::pair<std::uint64_t, bool>> unheard;
  for (auto& [number, c] : connections_) {
    if (!std::exchange(c.dialer_hears, true)) unheard.push_back({number, true});
    if (!std::exchange(c.answerer_hears, true)) unheard.push_back({number, false});
  }
  release([](NodeNumber, NodeNumber, const Frame&) { return true; });
  for (const auto& [number, dialer_side] : unheard) {
    const Connection& c = connections_.at(number);
    const std::uint64_t last_us = dialer_side ? c.to_dialer.last() : c.to_answerer.last();
    end_later(number, dialer_side, std::max(last_us, scheduler_.now_us()) - scheduler_.now_us() + 1,
              c.patience_us);
  }
}

void Network::on_process_end(NodeNumber node) {
  for (auto& [number, c] : connections_)
    if (c.dialer == node || c.answerer == node) break_connection(number, node);
}

}  // namespace zatt::sim
