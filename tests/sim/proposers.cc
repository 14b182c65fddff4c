// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/proposers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace zatt::sim {
namespace {

using codec::ErrorCode;
using Outcome = Ask::Outcome;

// What a refusal means; nothing where no node may say it.
std::optional<Outcome> outcome_of(ErrorCode refusal, Ask::Kind kind) {
  const bool proposal = kind == Ask::Kind::proposal;
  switch (refusal) {
    case ErrorCode::outcome_unknown:
      if (proposal) return Outcome::unknown;
      return std::nullopt;
    case ErrorCode::storage_full:
      if (proposal) return Outcome::refused;
      return std::nullopt;
    case ErrorCode::unavailable:
      if (!proposal) return Outcome::refused;
      return std::nullopt;
    case ErrorCode::no_leader:
    case ErrorCode::overloaded:
    case ErrorCode::shutting_down:
      return Outcome::refused;
    default:
      return std::nullopt;
  }
}

}  // namespace

Proposers::Proposers(const Settings& settings, Scheduler& scheduler, Hosts& hosts,
                     Coverage& coverage)
    : settings_(settings),
      scheduler_(scheduler),
      hosts_(hosts),
      coverage_(coverage),
      prng_(settings.seed ^ 0x9209053),
      proposers_(settings.proposers) {
  // Some seldom propose: what is under way would make their barriers ask for more than they need.
  static constexpr std::uint64_t mixes[] = {5, 10, 20, 20, 50, 95};
  for (Proposer& proposer : proposers_) {
    proposer.node = static_cast<NodeNumber>(prng_.below(settings.nodes));
    proposer.barrier_percent = mixes[prng_.below(std::size(mixes))];
  }
}

bool Proposers::is_at_rest() const {
  return std::all_of(proposers_.begin(), proposers_.end(),
                     [](const Proposer& proposer) { return proposer.asked.empty(); });
}

void Proposers::probe(NodeNumber node, std::uint64_t process) {
  Proposer& proposer = proposers_.emplace_back();
  proposer.node = node;
  proposer.probes = true;
  begin(proposers_.size() - 1, process);
}

bool Proposers::probes_are_done() const {
  return std::all_of(proposers_.begin(), proposers_.end(), [](const Proposer& proposer) {
    return !proposer.probes || (proposer.proposed && proposer.passed);
  });
}

// --- a process's life ----------------------------------------------------------------------------

void Proposers::on_process_start(NodeNumber node, std::uint64_t process) {
  for (std::size_t i = 0; i < proposers_.size(); ++i)
    if (proposers_[i].node == node) begin(i, process);
}

void Proposers::begin(std::size_t number, std::uint64_t process) {
  proposers_[number].process = process;
  if (process != 0) act_later(number);
}

void Proposers::on_process_end(NodeNumber node) {
  for (Proposer& proposer : proposers_) {
    if (proposer.node != node) continue;
    leave(proposer);
    proposer.process = 0;
  }
}

void Proposers::open(std::size_t number, node::Node& node) {
  Proposer& proposer = proposers_[number];
  proposer.client = ++last_client_;
  proposer.wanted = true;
  by_client_[proposer.client] = number;
  node.on_client_open(proposer.client);
}

// He will be told no more.
void Proposers::leave(Proposer& proposer) {
  for (const std::size_t ask : proposer.asked) {
    asks_[ask].answered = ++last_moment_;
    asks_[ask].outcome = Outcome::unknown;
    if (asks_[ask].kind == Ask::Kind::proposal) coverage_.count(Action::proposal_unknown);
  }
  proposer.asked.clear();
  by_client_.erase(proposer.client);
  proposer.client = {};
}

// --- what a proposer does ------------------------------------------------------------------------

// In a turn of his node's loop: where that stands still, so does he.
void Proposers::act_later(std::size_t number) {
  const Proposer& proposer = proposers_[number];
  std::uint64_t think_us = settings_.think_mean_us;
  if (calm_) think_us = std::max<std::uint64_t>(think_us, 100'000 * proposers_.size());
  if (proposer.probes) think_us = 10'000;
  scheduler_.in(prng_.below(2 * think_us) + 1, [this, number, process = proposer.process] {
    hosts_.enter(proposers_[number].node, process,
                 [this, number](node::Node& node) { act(number, node); });
  });
}

void Proposers::act(std::size_t number, node::Node& node) {
  if (!asking_) return;
  Proposer& proposer = proposers_[number];
  if (proposer.client == node::ClientId{}) open(number, node);
  if (proposer.probes) {
    if (proposer.proposed && proposer.passed) return;
    if (proposer.asked.empty() && proposer.wanted) ask(proposer, node);
  } else if (is_idle_time()) {
    // nobody asks for a while
  } else if (!proposer.asked.empty() && prng_.chance(1, 300)) {
    coverage_.count(Action::request_abandoned);
    const node::ClientId left = proposer.client;
    leave(proposer);
    node.on_client_closed(left);
  } else {
    const bool bursts = prng_.chance(1, 3) && !calm_;
    const std::uint64_t burst = bursts ? prng_.between(1, settings_.depth) : 1;
    for (std::uint64_t i = 0; i < burst && proposer.asked.size() < settings_.depth; ++i)
      if (proposer.wanted) ask(proposer, node);
  }
  act_later(number);
}

bool Proposers::is_idle_time() const {
  return settings_.idle_every_us > 0 && scheduler_.now_us() / settings_.idle_every_us % 2 == 1;
}

void Proposers::ask(Proposer& proposer, node::Node& node) {
  Ask ask;
  const bool barrier =
      proposer.probes ? proposer.proposed : prng_.below(100) < proposer.barrier_percent;
  if (barrier)
    ask.kind = Ask::Kind::barrier;
  else
    ask.command = make_command();
  ask.proposer = proposer.client;
  ask.asked = ++last_moment_;
  proposer.asked.push_back(asks_.size());
  asks_.push_back(ask);
  const std::uint32_t timeout_ms = draw_timeout_ms(proposer);
  if (barrier) return node.on_request(ask.proposer, test::barrier(timeout_ms));
  coverage_.count(Action::proposed);
  node.on_request(ask.proposer, test::proposal(std::move(ask.command), timeout_ms));
}

// A probe is patient: what it finds out is whether an answer comes at all.
std::uint32_t Proposers::draw_timeout_ms(const Proposer& proposer) {
  std::uint64_t timeout_ms = settings_.timeout_ms;
  if (prng_.chance(1, 4)) timeout_ms = prng_.between(1, timeout_ms);
  if (proposer.probes) timeout_ms = std::max<std::uint64_t>(settings_.timeout_ms, 3'000);
  return static_cast<std::uint32_t>(timeout_ms);
}

// Any bytes are a command.
std::string Proposers::make_command() {
  std::string command = std::to_string(++last_command_) + ".";
  for (std::uint64_t left = prng_.below(8); left > 0; --left)
    command += static_cast<char>(prng_.below(256));
  if (!prng_.chance(settings_.large_permille, 1000)) return command;
  const bool most = prng_.chance(1, 4);
  const std::uint64_t bytes = most ? settings_.large_bytes : prng_.below(settings_.large_bytes);
  return command + std::string(bytes, 'x');
}

// --- answers -------------------------------------------------------------------------------------

void Proposers::want_more(node::ClientId client, bool wanted) {
  const auto it = by_client_.find(client);
  if (it != by_client_.end()) proposers_[it->second].wanted = wanted;
}

// It does not say whose answer it is: it is the one that comes next. One that came out of order
// would name another's kind, index or reply.
void Proposers::on_answer(node::ClientId client, const test::Answer& answer, std::uint64_t held) {
  const auto it = by_client_.find(client);
  if (it == by_client_.end() || proposers_[it->second].asked.empty()) {
    problem_ = "an answer that nobody asked for: " + answer.text;
    return;
  }
  Proposer& proposer = proposers_[it->second];
  Ask& ask = asks_[proposer.asked.front()];
  proposer.asked.pop_front();
  ask.answered = ++last_moment_;
  if (!read_answer(ask, answer, held))
    problem_ = "an answer that does not belong here: " +
               (answer.refusal ? std::string(codec::to_string(*answer.refusal)) : "done") + " " +
               answer.text + " to " + to_string(ask);
  if (!proposer.probes || ask.outcome != Outcome::done) return;
  (ask.kind == Ask::Kind::proposal ? proposer.proposed : proposer.passed) = true;
}

// False where no node may say it.
bool Proposers::read_answer(Ask& ask, const test::Answer& answer, std::uint64_t held) {
  const bool proposal = ask.kind == Ask::Kind::proposal;
  if (answer.refusal) {
    const auto outcome = outcome_of(*answer.refusal, ask.kind);
    if (!outcome) return false;
    ask.outcome = *outcome;
    count(answer);
    if (proposal)
      coverage_.count(ask.outcome == Outcome::unknown ? Action::proposal_unknown
                                                      : Action::proposal_refused);
    return answer.index == Index{0};
  }
  ask.outcome = Outcome::done;
  ask.index = raw(answer.index);
  ask.reply = answer.text;
  ++acknowledged_;
  if (proposal) return ask.index != 0;
  ask.held = held;
  coverage_.count(Action::barrier_done);
  return ask.index == 0 && ask.reply.empty();
}

void Proposers::count(const test::Answer& answer) {
  if (answer.refusal == ErrorCode::no_leader) coverage_.count(Action::no_leader_told);
  if (answer.refusal == ErrorCode::storage_full) coverage_.count(Action::storage_full_told);
  if (answer.refusal == ErrorCode::overloaded) coverage_.count(Action::overloaded_told);
}

}  // namespace zatt::sim
