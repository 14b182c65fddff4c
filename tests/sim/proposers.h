// SPDX-License-Identifier: AGPL-3.0-or-later
// Programs that embed a node with a machine of their own (host_list.h), and ask it in process:
// proposals and barriers, several in flight, each answered once and in the order asked.
//
// A proposer stays at one node and lives in its process: when that ends, so does he, and what he
// had asked and was not told is unknown. The next process has him again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/prng.h"
#include "node/node.h"
#include "tests/sim/coverage.h"
#include "tests/sim/network.h"
#include "tests/sim/proposals.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/settings.h"
#include "tests/support/host_requests.h"

namespace zatt::sim {

// Where proposers live.
class Hosts {
 public:
  Hosts() = default;
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;
  virtual ~Hosts() = default;
  // A turn of the node's loop; never, where that process has ended.
  virtual void enter(NodeNumber node, std::uint64_t process,
                     std::function<void(node::Node&)> what) = 0;
};

class Proposers {
 public:
  Proposers(const Settings& settings, Scheduler& scheduler, Hosts& hosts, Coverage& coverage);

  void stop_asking() { asking_ = false; }
  void calm_down() { calm_ = true; }  // a few requests a second from now on
  bool is_at_rest() const;            // every question was answered
  // Another one at this node, whose process may be 0, who proposes and asks for a barrier until
  // both were done once.
  void probe(NodeNumber node, std::uint64_t process);
  bool probes_are_done() const;

  void on_process_start(NodeNumber node, std::uint64_t process);
  void on_process_end(NodeNumber node);
  // `held`: so many commands the node's own machine has applied.
  void on_answer(node::ClientId client, const test::Answer& answer, std::uint64_t held);
  void want_more(node::ClientId client, bool wanted);

  const std::vector<Ask>& asks() const { return asks_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::string problem() const { return problem_; }  // an answer that does not belong there

 private:
  struct Proposer {
    NodeNumber node = 0;
    std::uint64_t barrier_percent = 20;
    bool probes = false;
    bool proposed = false, passed = false;  // of a probe: what was done once
    // Gone with the process.
    std::uint64_t process = 0;  // 0: none
    node::ClientId client{};    // 0: none
    bool wanted = true;         // the node takes more
    std::deque<std::size_t> asked;
  };
  void begin(std::size_t number, std::uint64_t process);
  void act_later(std::size_t number);
  void act(std::size_t number, node::Node& node);
  bool is_idle_time() const;
  void open(std::size_t number, node::Node& node);
  void leave(Proposer& proposer);
  void ask(Proposer& proposer, node::Node& node);
  std::uint32_t draw_timeout_ms(const Proposer& proposer);
  std::string make_command();
  bool read_answer(Ask& ask, const test::Answer& answer, std::uint64_t held);
  void count(const test::Answer& answer);

  const Settings& settings_;
  Scheduler& scheduler_;
  Hosts& hosts_;
  Coverage& coverage_;
  Prng prng_;
  std::vector<Proposer> proposers_;
  std::map<node::ClientId, std::size_t> by_client_;
  std::vector<Ask> asks_;
  node::ClientId last_client_{};
  std::uint64_t last_moment_ = 0;
  std::uint64_t last_command_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool asking_ = true;
  bool calm_ = false;
  std::string problem_;
};

}  // namespace zatt::sim
