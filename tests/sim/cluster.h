// SPDX-License-Identifier: AGPL-3.0-or-later
// A simulated cluster: whole nodes, node/ and all below it as shipped, on machines that fail when
// somebody says so: the faults of a seed (faults.h), or a scenario's script.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "codec/json_request.h"
#include "tests/sim/coverage.h"
#include "tests/sim/invariant_checker.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/sim/proposers.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/settings.h"
#include "tests/sim/workload.h"

namespace zatt::sim {

class Cluster final : public Endpoints, public Lines, public Hosts {
 public:
  Cluster(const Settings& settings, bool verbose);
  ~Cluster() override;

  const Settings& settings() const { return settings_; }
  Scheduler& scheduler() { return scheduler_; }
  Network& network() { return network_; }
  InvariantChecker& checker() { return checker_; }
  const InvariantChecker& checker() const { return checker_; }
  Workload& workload() { return workload_; }
  const Workload& workload() const { return workload_; }
  Proposers& proposers() { return proposers_; }
  Coverage& coverage() { return coverage_; }
  NodeNumber size() const { return static_cast<NodeNumber>(machines_.size()); }
  Machine& machine(NodeNumber number) { return machines_[number]; }
  const Machine& machine(NodeNumber number) const { return machines_[number]; }
  std::uint64_t now_us() const { return scheduler_.now_us(); }
  std::uint64_t longest_turn_us() const { return longest_turn_us_; }
  std::uint64_t most_held() const { return most_held_; }  // bytes, for others, of one node
  std::uint64_t wall_time(NodeNumber number) const;
  bool run_one(std::uint64_t until_us) { return scheduler_.run_one(until_us); }
  void tell(const std::string& line);  // into the trace, where there is one

  // --- processes.cc, pauses.cc: machines come and go
  // ---------------------------------------------------------
  void start(NodeNumber number);
  void start_later(NodeNumber number, std::uint64_t after_us);
  // The process ends; what its disk was at is done in part.
  void kill(NodeNumber number);
  void lose_power(NodeNumber number, test::Crash mode);
  void empty_directory(NodeNumber number);  // of one that is not running
  void stop(NodeNumber number);             // in good order, as SIGTERM does; then it starts again
  // It does nothing for a while; where its clock stands too, it does not even know.
  void pause(NodeNumber number, std::uint64_t us, bool clock_stands);
  // The same, as soon as it has asked who follows it: the answers are read late. It goes on, after
  // so long at most, when others have told somebody of what they wrote, and it is asked for that.
  void pause_in_a_round(NodeNumber number, std::uint64_t us);
  // As from now: so many millionths of true time in a second.
  void set_clock_rate(NodeNumber number, std::uint64_t ppm);

  // --- disks.cc
  // -----------------------------------------------------------------------------------
  void hang_disk(NodeNumber number);
  void free_disk(NodeNumber number);
  void limit_space(NodeNumber number, std::uint64_t more_bytes);
  void free_space(NodeNumber number);
  enum class Rot : std::uint8_t { entry, header, slot };
  // One bit of what was promised and is vouched for. False: there is nothing of the kind.
  bool rot(NodeNumber number, Rot what);
  // A whole segment of one that is not running: gone, emptied, cut, or full of something else.
  bool damage_segment(NodeNumber number);
  // From now on all is as it should be, until somebody says otherwise again.
  void mend(NodeNumber number);
  void hurry_disk(NodeNumber number);  // what it is at is done soon, unless it hangs
  void stop_random_faults() { faulty_ = false; }

  // Endpoints.
  std::uint64_t process(NodeNumber node) const override { return machines_[node].process; }
  void deliver_link_up(NodeNumber node, node::LinkId link, bool dialed, NodeNumber peer) override;
  void deliver_frame(NodeNumber node, node::LinkId link, const Frame& frame) override;
  void deliver_link_down(NodeNumber node, node::LinkId link) override;
  void deliver_link_room(NodeNumber node, node::LinkId link) override;

  // Lines.
  bool open(NodeNumber node, node::ClientId connection) override;
  void send(NodeNumber node, node::ClientId connection, std::string line) override;
  void close(NodeNumber node, node::ClientId connection) override;
  // Connections that are not the workload's, but whoever's who opened them under such a number: a
  // line of an answer, or nothing where the connection has ended.
  static constexpr node::ClientId first_own_connection{1ULL << 32};
  std::function<void(node::ClientId, std::optional<std::string_view> line)> on_own_connection;

 private:
  friend class MachineEnv;
  friend class MachineInstrumentation;

  // processes.cc
  node::Options options_of(NodeNumber number);
  Result<std::unique_ptr<node::Node>> open_node(NodeNumber number);
  void end_process(NodeNumber number);
  void stop_process(NodeNumber number);
  void on_stopped(NodeNumber number);
  void on_start_failed(NodeNumber number, const Error& error);
  void look_again(Machine& machine);
  static std::vector<Term> held_by(const Machine& machine);
  static void doubt_what_is_gone(Machine& machine, const std::vector<Term>& before);
  void enter(NodeNumber number, std::uint64_t process,
             std::function<void(node::Node&)> what) override {
    enter(number, process, {{}, std::move(what)});
  }
  void enter(NodeNumber number, std::uint64_t process, Event event);
  void end_turn(NodeNumber number);
  // turns.cc
  bool computes() const { return settings_.cpu_item_us > 0; }
  void charge(NodeNumber number, std::uint64_t items, std::uint64_t bytes);
  bool turn_is_over(NodeNumber number) const;
  std::uint64_t turn_us(NodeNumber number) const { return machines_[number].turn_ns / 1000; }
  // Now, as it is for a node that has computed in this turn.
  std::uint64_t now_of(NodeNumber number) const { return scheduler_.now_us() + turn_us(number); }
  void when_computed(NodeNumber number, std::function<void()> what);
  void be_busy(NodeNumber number);
  void run_turn(NodeNumber number, std::uint64_t process);
  void pause_if_in_a_round(NodeNumber number);
  void await_others(NodeNumber number, std::uint64_t process, Term visited);
  std::optional<NodeNumber> leader_after(Term term) const;
  void mix(std::deque<Event>& events, bool clients_first);
  void go_on(NodeNumber number, std::uint64_t process);
  void schedule_wake(NodeNumber number);
  std::uint64_t node_time(NodeNumber number, std::uint64_t us) const;
  std::uint64_t true_time(NodeNumber number, std::uint64_t node_us) const;
  // How long a process stays down: in the end somebody sees to it at once.
  std::uint64_t down_us() {
    const std::uint64_t drawn = prng_.below(2 * settings_.down_mean_us) + 1;
    return faulty_ ? drawn : std::min<std::uint64_t>(drawn, 50'000);
  }
  void log(NodeNumber number, std::string_view line);

  // disks.cc
  void submit(NodeNumber number, storage::Batch batch);
  std::uint64_t time_of(const storage::Batch& batch,
                        std::vector<std::uint64_t>* sync_times = nullptr);
  std::uint64_t finished_syncs(NodeNumber number) const;
  void read(NodeNumber number, storage::Batch batch);
  void begin_read(NodeNumber number);
  void finish_read(NodeNumber number, std::uint64_t process);
  void check_untouched(const Machine& machine);
  void finish_batch(NodeNumber number, std::uint64_t process, std::uint64_t batch_number);
  void arm_errors(Machine& machine);
  void break_off_batch(Machine& machine);

  // clients.cc
  void respond(NodeNumber number, node::ClientId client, const codec::Request& request,
               const codec::Response& response);
  void reply(NodeNumber number, node::ClientId client, std::string_view line);
  void deliver_reply(NodeNumber number, std::uint64_t process, node::ClientId client,
                     std::string_view line, std::uint64_t applied);
  void answer(NodeNumber number, node::ClientId client, const test::Answer& answer);
  void want_requests(NodeNumber number, node::ClientId client, bool wanted);
  void hand_lines(NodeNumber number, node::ClientId connection);
  void hold(NodeNumber number, Connection& connection, std::uint64_t bytes);
  void release(NodeNumber number, Connection& connection, std::uint64_t bytes);
  void check_memory(NodeNumber number);
  void check_due(NodeNumber number, const Connection& connection);
  void close_connections(NodeNumber number);
  void hear(node::ClientId client, std::optional<std::string_view> line, std::uint64_t applied);

  const Settings settings_;
  const bool verbose_;
  Coverage coverage_;
  Scheduler scheduler_;
  Prng prng_;
  std::vector<Machine> machines_;
  InvariantChecker checker_;
  Network network_;
  Workload workload_;
  Proposers proposers_;
  std::uint64_t last_process_ = 0;
  std::uint64_t longest_turn_us_ = 0, most_held_ = 0;
  bool faulty_ = true;
  codec::JsonRequestParser parser_;
};

}  // namespace zatt::sim
