// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/node_world.h"

#include <algorithm>
#include <cerrno>

namespace zatt::test {

using sim::NodeNumber;

namespace {

// Of nodes N NAME=NUMBER...; null where there is none of that name.
std::uint64_t* setting_named(const std::string& name, sim::Settings& settings) {
  if (name == "seed") return &settings.seed;
  if (name == "election_ms") return &settings.election_timeout_ms;
  if (name == "segment_bytes") return &settings.segment_bytes;
  if (name == "append_bytes") return &settings.max_append_bytes;
  if (name == "in_flight_bytes") return &settings.max_in_flight_bytes;
  if (name == "log_bytes") return &settings.max_log_bytes;
  if (name == "delay_us") return &settings.delay_mean_us;
  if (name == "disk_us") return &settings.disk_mean_us;
  if (name == "think_us") return &settings.think_mean_us;
  if (name == "timeout_ms") return &settings.timeout_ms;
  return nullptr;
}

std::optional<Crash> crash_named(const std::string& name) {
  if (name == "lose") return Crash::all_lost;
  if (name == "keep") return Crash::all_kept;
  if (name == "tear") return Crash::torn_last;
  if (name == "data_lost") return Crash::data_lost;
  if (name == "names_lost") return Crash::names_lost;
  if (name == "random") return Crash::random;
  return std::nullopt;
}

bool has_outcome(const sim::Op& op) {
  using Outcome = sim::Op::Outcome;
  return op.outcome == Outcome::done || op.outcome == Outcome::condition_failed;
}

}  // namespace

std::unique_ptr<World> NodeWorld::make(Script& script, const Words& rest, bool trace) {
  sim::Settings settings;
  settings.restarts = false;
  settings.clients_wander = true;
  settings.clients = 2;
  Words timeouts;
  const auto wrong = [&](const std::string& what) {
    script.error(what);
    return nullptr;
  };
  const auto nodes = rest.empty() ? std::nullopt : number_in(rest.front());
  if (!nodes || *nodes < 1 || *nodes > 7) return wrong("nodes 1 to 7");
  settings.nodes = static_cast<std::uint32_t>(*nodes);
  for (auto word = rest.begin() + 1; word != rest.end(); ++word) {
    const Option option = option_in(*word);
    if (option.name == "timeouts")
      timeouts = split(option.value, ',');
    else if (std::uint64_t* setting = setting_named(option.name, settings);
             setting != nullptr && option.number())
      *setting = *option.number();
    else
      return wrong("unknown option " + *word);
  }
  settings.delay_min_us = std::min(settings.delay_min_us, settings.delay_mean_us);
  if (timeouts.empty()) timeouts.assign(settings.nodes, "100");
  const bool are_numbers = std::all_of(timeouts.begin(), timeouts.end(), [](const auto& word) {
    return number_in(word).value_or(0) > 0;
  });
  if (timeouts.size() != settings.nodes || !are_numbers)
    return wrong("timeouts wants a percentage for each node");
  return std::make_unique<NodeWorld>(script, settings, timeouts, trace);
}

NodeWorld::NodeWorld(Script& script, const sim::Settings& settings, const Words& timeouts,
                     bool trace)
    : script_(script), cluster_(settings, trace), scripted_clients_(script, cluster_) {
  cluster_.network().set_rule(
      [this](NodeNumber from, NodeNumber to, const sim::Frame& f) { return fate_of(from, to, f); });
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    cluster_.machine(number).timeout_percent = *number_in(timeouts[number]);
    cluster_.start(number);
  }
  if (!run_until(now_us() + 5'000'000, [this] { return is_founded(); }))
    script_.error("the cluster is not founded");
  began_ = true;
}

NodeNumber NodeWorld::number_of(const std::string& id) {
  return static_cast<NodeNumber>(*number_in(id));
}

Words NodeWorld::ids() const {
  Words all;
  for (NodeNumber number = 0; number < cluster_.size(); ++number)
    all.push_back(std::to_string(number));
  return all;
}

std::vector<std::string> NodeWorld::violations() {
  const auto& violation = cluster_.checker().violation();
  if (!violation || violation_told_) return {};
  violation_told_ = true;
  return {to_string(*violation)};
}

// --- time ----------------------------------------------------------------------------------------

bool NodeWorld::run_one(std::uint64_t until_us) {
  return !cluster_.checker().violation() && cluster_.run_one(until_us);
}

bool NodeWorld::run_until(std::uint64_t until_us, const std::function<bool()>& is_so) {
  while (!is_so())
    if (!run_one(until_us)) return is_so();
  return true;
}

bool NodeWorld::is_founded() const {
  for (NodeNumber a = 0; a < cluster_.size(); ++a) {
    const sim::Machine& machine = cluster_.machine(a);
    if (machine.node->raft().configuration().empty()) return false;
    for (NodeNumber b = 0; b < cluster_.size(); ++b)
      if (a != b && !machine.node->raft().is_connected(cluster_.machine(b).self)) return false;
  }
  return true;
}

// Meanwhile nobody else asks for votes, and who leads is not heard: it steps down.
bool NodeWorld::elect(const std::string& id) {
  if (!is_up(id)) return false;
  const NodeNumber number = number_of(id);
  std::uint64_t longest = 100;
  for (NodeNumber n = 0; n < cluster_.size(); ++n)
    longest = std::max(longest, cluster_.machine(n).timeout_percent);
  const std::uint64_t timeout_us = 10 * longest * cluster_.settings().election_timeout_ms;
  favourite_ = number;
  const bool leads =
      run_until(now_us() + 20 * timeout_us, [&] { return is_up(id) && raft(id).is_leader(); });
  favourite_.reset();
  if (leads) run_until(now_us() + timeout_us / 2, [&] { return all_follow(number); });
  return leads && raft(id).is_leader();
}

// All who can talk to it have its word of the term, and know that it is committed.
bool NodeWorld::all_follow(NodeNumber leader) const {
  const sim::Machine& m = cluster_.machine(leader);
  if (!m.node || !m.node->raft().is_leader()) return true;
  const Index noop = std::get<raft::Leader>(m.node->raft().role()).noop_index;
  for (NodeNumber n = 0; n < cluster_.size(); ++n) {
    const sim::Machine& other = cluster_.machine(n);
    if (!other.node || !m.node->raft().is_connected(other.self)) continue;
    if (other.node->raft().leader() != m.self || other.node->raft().commit_index() < noop)
      return false;
  }
  return m.node->raft().commit_index() >= noop;
}

// --- the network ---------------------------------------------------------------------------------

// Until the script begins nobody is elected, and later somebody may be favoured.
bool NodeWorld::is_silenced(NodeNumber from, const sim::Frame& frame) const {
  const bool asks = frame.kind == Kind::pre_vote || frame.kind == Kind::request_vote;
  if (!began_) return asks;
  if (!favourite_ || from == *favourite_) return false;
  return asks || frame.kind == Kind::heartbeat || frame.kind == Kind::append;
}

sim::Network::Fate NodeWorld::fate_of(NodeNumber from, NodeNumber to, const sim::Frame& frame) {
  using NetworkFate = sim::Network::Fate;
  ++sent_[{frame.kind, from, to, frame.term}];
  if (is_silenced(from, frame)) return NetworkFate::drop;
  const std::string a = std::to_string(from), b = std::to_string(to);
  if (rules_.loses(frame.kind, a, b, frame.term)) return NetworkFate::drop;
  if (rules_.has(Fate::hold, frame.kind, a, b, frame.term)) return NetworkFate::hold;
  const bool twice = rules_.has(Fate::twice, frame.kind, a, b, frame.term);
  return twice ? NetworkFate::twice : NetworkFate::pass;
}

sim::Network::Choose NodeWorld::choose(const Which& which) const {
  return [which](NodeNumber from, NodeNumber to, const sim::Frame& frame) {
    return is_meant(which, frame.kind, std::to_string(from), std::to_string(to), frame.term);
  };
}

void NodeWorld::deliver(const Which& which) { cluster_.network().release(choose(which)); }

void NodeWorld::lose(const Which& which) { cluster_.network().lose_held(choose(which)); }

void NodeWorld::on_rules_cleared(bool all) {
  if (all) return cluster_.network().let_hear_of_ends();
  cluster_.network().release([this](NodeNumber from, NodeNumber to, const sim::Frame& frame) {
    return !rules_.has(Fate::hold, frame.kind, std::to_string(from), std::to_string(to),
                       frame.term);
  });
}

std::uint64_t NodeWorld::sent(const Which& which) const {
  std::uint64_t count = 0;
  for (const auto& [sent, n] : sent_)
    if (is_meant(which, sent.kind, std::to_string(sent.from), std::to_string(sent.to), sent.term))
      count += n;
  return count;
}

void NodeWorld::cut(const std::string& from, const std::string& to) {
  cluster_.network().cut(number_of(from), number_of(to));
}

void NodeWorld::mend(const std::string& a, const std::string& b) {
  cluster_.network().heal(number_of(a), number_of(b));
  cluster_.network().heal(number_of(b), number_of(a));
}

// --- statements of this world --------------------------------------------------------------------

bool NodeWorld::perform(const Words& words) {
  const std::string& verb = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (verb == "power_loss")
    power_loss(rest);
  else if (verb == "reset")
    reset(rest);
  else if (verb == "load")
    load(rest);
  else
    return perform_on_machine(verb, rest) || scripted_clients_.perform(words);
  return true;
}

bool NodeWorld::perform_on_machine(const std::string& verb, const Words& rest) {
  if (verb != "disk" && verb != "clock" && verb != "pause" && verb != "suspend") return false;
  if (rest.empty() || !script_.is_server(rest.front())) {
    script_.error("which server?");
  } else if (verb == "disk") {
    disk(rest.front(), Words(rest.begin() + 1, rest.end()));
  } else if (verb == "clock") {
    clock(rest);
  } else {
    const auto ms = rest.size() == 2 ? number_in(rest[1]) : std::nullopt;
    if (!ms) script_.error("for how many ms?");
    cluster_.pause(number_of(rest[0]), ms.value_or(0) * 1000, verb == "suspend");
  }
  return true;
}

// power_loss 1 lose, power_loss 0 1 2 random; lose where no word says what becomes of the unsynced
void NodeWorld::power_loss(const Words& rest) {
  Words ids = rest;
  Crash mode = Crash::all_lost;
  if (const auto named = rest.empty() ? std::nullopt : crash_named(rest.back()); named) {
    mode = *named;
    ids.pop_back();
  }
  if (!script_.are_servers(ids)) return;
  for (const std::string& id : ids) {
    if (mode == Crash::all_lost)  // all of it: the batch under way has not begun
      cluster_.machine(number_of(id)).batch.reset();
    cluster_.lose_power(number_of(id), mode);
  }
}

void NodeWorld::disk(const std::string& id, const Words& rest) {
  const NodeNumber number = number_of(id);
  const std::string verb = rest.empty() ? "" : rest.front();
  const std::string last = rest.size() == 2 ? rest.back() : "";
  const auto amount = number_in(last);
  using Rot = sim::Cluster::Rot;
  if (verb == "hang" && rest.size() == 1) {
    cluster_.hang_disk(number);
  } else if (verb == "free" && rest.size() == 1) {
    cluster_.free_disk(number);
  } else if (verb == "stall" && amount) {
    cluster_.hang_disk(number);
    cluster_.scheduler().in(*amount * 1000, [this, number] { cluster_.free_disk(number); });
  } else if (verb == "eio" && rest.size() == 1) {
    cluster_.machine(number).next_error = EIO;
  } else if (verb == "fail_sync" && rest.size() == 1) {
    cluster_.machine(number).next_sync_fails = true;
  } else if (verb == "full" && amount) {
    cluster_.limit_space(number, *amount);
  } else if (verb == "room" && rest.size() == 1) {
    cluster_.free_space(number);
  } else if (verb == "rot" && (last == "entry" || last == "header" || last == "slot")) {
    const Rot rot = last == "entry" ? Rot::entry : last == "header" ? Rot::header : Rot::slot;
    if (!cluster_.rot(number, rot)) script_.error("there is nothing that was promised");
  } else {
    script_.error(
        "disk SERVER hang|free|stall MS|eio|fail_sync|full BYTES|room|rot entry|header|slot");
  }
}

// clock 1 rate -500: so many millionths slower than the true time
void NodeWorld::clock(const Words& rest) {
  const bool slow = rest.size() == 3 && rest[2].starts_with('-');
  const auto ppm = rest.size() == 3 ? number_in(rest[2].substr(slow ? 1 : 0)) : std::nullopt;
  if (!ppm || rest[1] != "rate" || *ppm > 900'000) return script_.error("clock SERVER rate PPM");
  cluster_.set_clock_rate(number_of(rest[0]), slow ? 1'000'000 - *ppm : 1'000'000 + *ppm);
}

// reset 1 2: both hear of it; reset 1>2: 1 does, and 2 when all is released
void NodeWorld::reset(const Words& rest) {
  const bool one_way = rest.size() == 1;
  const Words ends = one_way ? split(rest[0], '>') : rest;
  if (ends.size() != 2) return script_.error("reset A B, or reset A>B");
  if (script_.are_servers(ends))
    cluster_.network().reset(number_of(ends[0]), number_of(ends[1]), !one_way);
}

void NodeWorld::load(const Words& rest) {
  if (rest == Words{"on"} && !is_loaded_) {
    is_loaded_ = true;
    cluster_.workload().start();
  } else if (rest == Words{"off"} && is_loaded_) {
    cluster_.workload().stop_asking();
  } else {
    script_.error("load on, once, or load off");
  }
}

// --- what is seen --------------------------------------------------------------------------------

std::string NodeWorld::more_about(const std::string& id) const {
  const node::Node& node = *machine(id).node;
  std::string text;
  if (node.last_applied() < node.raft().commit_index())
    text += " applied_index=" + std::to_string(raw(node.last_applied()));
  if (node.raft().is_below_floor()) text += " below_floor";
  return text;
}

std::optional<std::string> NodeWorld::why_not(const Words& condition) {
  if (!scripted_clients_.knows(condition.front())) return std::nullopt;
  return scripted_clients_.why_not(condition);
}

void NodeWorld::on_expected(const Words& condition) {
  if (scripted_clients_.knows(condition.front())) scripted_clients_.on_expected(condition);
}

// Of the load's writes that are over: how many took effect, and how many in a hundred.
Words NodeWorld::counters() const {
  const std::vector<sim::Op>& ops = cluster_.workload().ops();
  std::uint64_t done = 0, over = 0;
  for (std::size_t i = counted_from_; i < ops.size(); ++i) {
    if (!is_write(ops[i].kind) || ops[i].outcome == sim::Op::Outcome::pending) continue;
    ++over;
    if (has_outcome(ops[i])) ++done;
  }
  return {"writes=" + std::to_string(done),
          "writes_percent=" + std::to_string(over == 0 ? 0 : 100 * done / over)};
}

void NodeWorld::restart_counters() {
  counted_from_ = cluster_.workload().ops().size();
  sent_.clear();
}

// All answers must fit what was committed.
void NodeWorld::on_end() {
  if (cluster_.checker().violation()) return;
  sim::Workload& workload = cluster_.workload();
  workload.stop_asking();
  run_until(now_us() + 1000 * cluster_.settings().timeout_ms + 1'000'000,
            [&] { return workload.is_at_rest(); });
  for (const std::string& violation : violations()) script_.error(violation);
  if (!workload.problem().empty()) script_.error(workload.problem());
  std::vector<sim::Op> ops = workload.ops();
  for (sim::Op& op : scripted_clients_.ops()) ops.push_back(std::move(op));
  if (const auto wrong = sim::check_history(ops, cluster_.checker().ledger()))
    script_.error(to_string(*wrong));
}

}  // namespace zatt::test
