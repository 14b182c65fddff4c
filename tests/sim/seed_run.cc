// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/seed_run.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/linearizability_checker.h"

namespace zatt::sim {

namespace {
constexpr std::uint64_t most_frames_a_second = 50'000;  // the busiest seconds see 4,000
constexpr std::uint64_t most_search_steps = 10'000;     // of a key
}  // namespace

SeedRun::SeedRun(std::uint64_t seed, const Choice& choice, bool verbose)
    : settings_(draw_settings(seed, choice)),
      verbose_(verbose),
      cluster_(settings_, verbose),
      fault_schedule_(cluster_, settings_),
      began_us_(cluster_.now_us()) {}

std::optional<Violation> SeedRun::run() {
  auto wrong = check_phases();
  const bool is_told = wrong && (wrong->invariant == Invariant::linearizable ||
                                 wrong->invariant == Invariant::session_order);
  if (is_told && verbose_) {
    for (const Op& op : cluster_.workload().ops()) std::printf("%s\n", to_string(op).c_str());
    for (const Ask& ask : cluster_.proposers().asks()) std::printf("%s\n", to_string(ask).c_str());
  }
  return wrong;
}

std::optional<Violation> SeedRun::check_phases() {
  Prng prng(settings_.seed ^ 0x57a7);
  for (NodeNumber number = 0; number < cluster_.size(); ++number)
    cluster_.start_later(number, prng.below(300'000));
  fault_schedule_.begin();
  cluster_.workload().start();
  run_until(cluster_.now_us() + settings_.faults_us);
  fault_schedule_.end();
  cluster_.stop_random_faults();
  cluster_.tell("the faults are over");
  choose_core();
  mend_core();
  if (settings_.beyond) {
    run_until(cluster_.now_us() + settings_.faults_us / 4);
    stop_asking();
    run_until(cluster_.now_us() + 1000 * settings_.timeout_ms + 1'000'000);
  } else {
    live();
  }
  if (cluster_.checker().violation()) return cluster_.checker().violation();
  return check_answers();
}

void SeedRun::calm_down() {
  cluster_.workload().calm_down();
  cluster_.proposers().calm_down();
}

void SeedRun::stop_asking() {
  cluster_.workload().stop_asking();
  cluster_.proposers().stop_asking();
}

void SeedRun::probe(NodeNumber number) {
  if (settings_.has_proposers())
    cluster_.proposers().probe(number, cluster_.machine(number).process);
  else
    cluster_.workload().probe(number);
}

bool SeedRun::probes_are_done() {
  return cluster_.workload().probes_are_done() && cluster_.proposers().probes_are_done();
}

bool SeedRun::is_at_rest() {
  return cluster_.workload().is_at_rest() && cluster_.proposers().is_at_rest();
}

std::optional<Violation> SeedRun::check_answers() {
  for (const std::string& problem : {cluster_.workload().problem(), cluster_.proposers().problem()})
    if (!problem.empty()) return Violation{Invariant::linearizable, problem};
  const Ledger& ledger = cluster_.checker().ledger();
  if (settings_.has_proposers()) return check_proposals(cluster_.proposers().asks(), ledger);
  const std::uint64_t without_room = cluster_.coverage().of(CoveragePoint::reply_without_room);
  if (auto wrong = check_history(cluster_.workload().ops(), ledger, without_room)) return wrong;
  const OrderSearchResult second = search_order(cluster_.workload().ops(), most_search_steps);
  if (second.verdict == OrderSearchResult::Verdict::fits_not)
    return Violation{Invariant::linearizable, second.why};
  if (second.verdict == OrderSearchResult::Verdict::fits)
    cluster_.coverage().count(Action::order_found);
  return std::nullopt;
}

void SeedRun::run_until(std::uint64_t us) {
  while (!cluster_.checker().violation() && step(us)) {
  }
}

bool SeedRun::step(std::uint64_t until_us) {
  if (!cluster_.run_one(until_us)) return false;
  watch_for_storms();
  return true;
}

// A chain reaction: messages that make more of their kind, over and over.
void SeedRun::watch_for_storms() {
  const std::uint64_t second = cluster_.now_us() / 1'000'000;
  const std::uint64_t frames = cluster_.checker().frames();
  if (second != second_) {
    second_ = second;
    frames_before_it_ = frames;
  } else if (frames - frames_before_it_ >= most_frames_a_second) {
    cluster_.checker().fail(
        Invariant::liveness,
        "a storm: " + std::to_string(most_frames_a_second) + " messages in a second");
  }
}

bool SeedRun::await(const char* what, std::uint64_t us, const std::function<bool()>& is_so) {
  const std::uint64_t end = cluster_.now_us() + us;
  while (!cluster_.checker().violation() && !is_so()) {
    if (step(end)) continue;
    cluster_.checker().fail(
        Invariant::liveness,
        std::string(what) + " not within " + std::to_string(us / 1000) + " ms:" + why_not());
  }
  return !cluster_.checker().violation();
}

std::string SeedRun::why_not() const {
  std::string text;
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    const Machine& machine = cluster_.machine(number);
    const bool in_core = std::find(core_.begin(), core_.end(), number) != core_.end();
    text += " " + std::to_string(number) + (in_core ? "" : ", outside");
    if (!machine.node) {
      text += " (down)";
      continue;
    }
    const raft::Raft& raft = machine.node->raft();
    text += " (term " + std::to_string(raw(raft.current_term())) + " commit " +
            std::to_string(raw(raft.commit_index())) + " applied " +
            std::to_string(raw(machine.node->last_applied())) + (raft.is_leader() ? " leads" : "") +
            (raft.is_below_floor() ? " below its floor" : "") +
            (raft.leader() ? "" : ": " + machine.node->why_no_leader()) + ")";
  }
  return text;
}

// --- who is well in the end ----------------------------------------------------------------------

// Everybody, or a bare majority of those whose directories are whole. Before the cluster is
// founded it needs all its members.
void SeedRun::choose_core() {
  Prng prng(settings_.seed ^ 0xc03e);
  std::vector<NodeNumber> whole;
  bool has_acted = false;
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    const Machine& machine = cluster_.machine(number);
    core_.push_back(number);
    if (!machine.has_rotted && !machine.is_unusable && machine.self.incarnation != 0)
      whole.push_back(number);
    has_acted = has_acted || (machine.node && machine.node->raft().current_term() > Term{0});
  }
  const std::size_t majority = cluster_.size() / 2 + 1;
  const bool wiped = settings_.wipes > 0 || fault_schedule_.has_wiped();
  if (!settings_.split_core || settings_.beyond || wiped || !has_acted || whole.size() < majority)
    return;
  while (whole.size() > majority)
    whole.erase(whole.begin() + static_cast<std::ptrdiff_t>(prng.below(whole.size())));
  core_ = whole;
}

void SeedRun::mend_core() {
  Prng prng(settings_.seed ^ 0x3e4d);
  cluster_.network().heal();
  cluster_.network().make_perfect();
  std::vector<NodeNumber> outside;
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    if (std::find(core_.begin(), core_.end(), number) == core_.end()) {
      outside.push_back(number);
      continue;
    }
    cluster_.mend(number);
    // A person does as the message says.
    if (cluster_.machine(number).is_unusable && !settings_.beyond) cluster_.empty_directory(number);
    if (cluster_.machine(number).process == 0) cluster_.start_later(number, prng.below(100'000));
  }
  fault_schedule_.break_for_good(outside, core_);
}

// --- what they owe -------------------------------------------------------------------------------

bool SeedRun::leads_well() const {
  std::optional<MemberId> leader;
  for (const NodeNumber number : core_) {
    const Machine& machine = cluster_.machine(number);
    if (!machine.node) return false;
    const auto known = machine.node->raft().leader();
    if (!known || (leader && *leader != *known)) return false;
    leader = known;
  }
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    const Machine& machine = cluster_.machine(number);
    if (machine.self == *leader) return machine.node && machine.node->raft().is_leader();
  }
  return false;
}

// One that can't store what it was given, or could be given, is to be replaced, and may take its
// time.
bool SeedRun::is_stuck_leader(const Machine& machine) {
  if (!machine.node || !machine.node->raft().is_leader()) return false;
  const raft::Raft& raft = machine.node->raft();
  return raft.own_room() != DiskSpace::enough ||
         (machine.hung && raft.durable_index() < raft.log().last_index());
}

bool SeedRun::has_room() const {
  return std::all_of(core_.begin(), core_.end(), [&](NodeNumber number) {
    const Machine& machine = cluster_.machine(number);
    return !machine.node || machine.node->raft().own_room() == DiskSpace::enough;
  });
}

// All of the core have applied all that there is.
bool SeedRun::is_level() const {
  Index last{};
  for (const NodeNumber number : core_) {
    const Machine& machine = cluster_.machine(number);
    if (!machine.node) return false;
    last = std::max(last, machine.node->raft().log().last_index());
  }
  return std::all_of(core_.begin(), core_.end(), [&](NodeNumber number) {
    return cluster_.machine(number).node->last_applied() == last;
  });
}

bool SeedRun::has_nothing_left() const {
  return std::all_of(core_.begin(), core_.end(), [&](NodeNumber number) {
    const Machine& machine = cluster_.machine(number);
    return machine.node && machine.node->backlog() == 0;
  });
}

// What those behind need for what they have missed: a round trip for every message that a window
// lets through, and as many reads from a log on disk.
std::uint64_t SeedRun::catch_up_us() const {
  std::uint64_t first = UINT64_MAX, last = 0;
  for (const NodeNumber number : core_) {
    const Machine& machine = cluster_.machine(number);
    const std::uint64_t index = machine.node
                                    ? std::min(raw(machine.node->raft().log().last_index()),
                                               raw(machine.node->last_applied()))
                                    : 0;
    first = std::min(first, index);
    if (machine.node) last = std::max(last, raw(machine.node->raft().log().last_index()));
  }
  const bool small_windows =
      settings_.max_append_bytes < 10'000 || settings_.max_in_flight_bytes < 20'000;
  const std::uint64_t trips = last <= first   ? 0
                              : small_windows ? last - first
                                              : (last - first) / 50;
  return 3 * trips * 2 * (settings_.delay_mean_us + settings_.disk_mean_us);
}

void SeedRun::live() {
  calm_down();
  // The longest timeout of the core, and the mean time from a node's word to the other's answer.
  std::uint64_t timeout_us = 0;
  for (const NodeNumber number : core_)
    timeout_us = std::max(timeout_us, 2000 * settings_.election_timeout_ms *
                                          cluster_.machine(number).timeout_percent / 100);
  const std::uint64_t delay_us = settings_.delay_mean_us + settings_.disk_mean_us;
  // Processes start; a leader outside whose disk hangs is left in place for so long.
  const std::uint64_t slack_us = 500'000 + std::max<std::uint64_t>(5 * timeout_us, 3'000'000);
  // A disk that was full is tried again once a minute at least.
  if (!await("room on the disks of the core: ", 61'000'000, [this] { return has_room(); })) return;
  const std::uint64_t began = cluster_.now_us();
  if (!await("a leader whom all of the core know: ", 10 * timeout_us + 20 * delay_us + slack_us,
             [this] { return leads_well(); }))
    return;
  was_quick_ = cluster_.now_us() - began <= 3 * timeout_us + 10 * delay_us + 100'000;
  for (const NodeNumber number : core_) probe(number);
  const std::uint64_t write_us = 30 * timeout_us + 60 * delay_us + slack_us + catch_up_us();
  if (!await("a write and a read at each node of the core: ",
             write_us + 3000 * std::max<std::uint64_t>(settings_.timeout_ms, 3'000),
             [this] { return probes_are_done(); }))
    return;
  stop_asking();
  if (!await("an answer to every client: ",
             20 * timeout_us + 40 * delay_us + 1000 * settings_.timeout_ms,
             [this] { return is_at_rest(); }))
    return;
  be_quiet(write_us, 10 * timeout_us + slack_us);
  if (settings_.load != Settings::Load::none && !settings_.has_proposers() &&
      !cluster_.checker().violation())
    bear_load();
}

// Nobody asks anything. Who reads only now, as a new leader for another, what had rotted long
// before, ends, is started again, and the quiet begins anew: once for each machine at most.
void SeedRun::be_quiet(std::uint64_t level_us, std::uint64_t leader_us) {
  const std::uint64_t most_stops = cluster_.checker().stops() + cluster_.size();
  for (;;) {
    if (!await("one state on all of the core: ", level_us, [this] { return is_level(); })) return;
    if (!await("a leader whose disk works", leader_us, [this] {
          for (NodeNumber number = 0; number < cluster_.size(); ++number)
            if (is_stuck_leader(cluster_.machine(number))) return false;
          return leads_well();
        }))
      return;
    const std::uint64_t stops = cluster_.checker().stops();
    const std::uint64_t terms = cluster_.checker().terms_led();
    const std::uint64_t frames = cluster_.checker().frames();
    run_until(cluster_.now_us() + settings_.quiet_us);
    if (cluster_.checker().violation()) return;
    if (cluster_.checker().stops() == stops || cluster_.checker().stops() > most_stops)
      return check_quiet(terms, frames);
  }
}

void SeedRun::check_quiet(std::uint64_t terms_before, std::uint64_t frames_before) {
  if (!leads_well() || cluster_.checker().terms_led() != terms_before)
    return cluster_.checker().fail(Invariant::liveness, "the leader does not stay:" + why_not());
  // Heartbeats and their answers, five a timeout and link, and as much again for each other word.
  const std::uint64_t links = cluster_.size() * (cluster_.size() - 1);
  const std::uint64_t beats =
      links * (2 + 5 * settings_.quiet_us / (1000 * settings_.election_timeout_ms));
  if (cluster_.checker().frames() - frames_before > 5 * beats)
    return cluster_.checker().fail(
        Invariant::liveness,
        std::to_string(cluster_.checker().frames() - frames_before) + " messages in a quiet time");
  if (!has_nothing_left())
    cluster_.checker().fail(Invariant::nothing_left_behind, "requests are kept that nobody made");
}

std::string SeedRun::summary() {
  const Workload& workload = cluster_.workload();
  const Proposers& proposers = cluster_.proposers();
  return std::to_string(workload.ops().size() + proposers.asks().size()) + " requests, " +
         std::to_string(workload.acknowledged() + proposers.acknowledged()) + " done, " +
         std::to_string(cluster_.checker().committed()) + " entries, " +
         std::to_string(cluster_.checker().terms_led()) + " leaders, " +
         std::to_string(simulated_us() / 1'000'000) + " s, longest turn " +
         std::to_string(cluster_.longest_turn_us() / 1000) + " ms, held " +
         std::to_string(cluster_.most_held() >> 10) + " KiB, lag " +
         std::to_string(most_lag_us_ / 1000) + " ms";
}

}  // namespace zatt::sim
