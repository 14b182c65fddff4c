// SPDX-License-Identifier: AGPL-3.0-or-later
// The simulated clients: they speak the protocol's lines, pipeline, move between nodes, and note
// down what they asked and what they were told.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "node/env.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/settings.h"

namespace zatt::sim {

// What carries lines to nodes, and says whether they can be reached.
class Lines {
 public:
  Lines() = default;
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  virtual ~Lines() = default;
  // False where the node is not there.
  virtual bool open(NodeNumber node, node::ClientId connection) = 0;
  virtual void send(NodeNumber node, node::ClientId connection, std::string line) = 0;
  virtual void close(NodeNumber node, node::ClientId connection) = 0;
};

class Workload {
 public:
  Workload(const Settings& settings, Scheduler& scheduler, Lines& lines);

  void start();
  void stop_asking() { asking_ = false; }
  bool is_at_rest() const;  // every question was answered

  void on_reply(node::ClientId connection, std::string_view line);
  void on_closed(node::ClientId connection);

  const std::vector<Op>& ops() const { return ops_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::string problem() const { return problem_; }  // a reply that breaks the protocol

 private:
  struct Customer {
    node::ClientId connection = 0;  // 0: none
    NodeNumber node = 0;
    std::deque<std::size_t> asked;  // ops_ under way, in the order sent
    bool due = false;               // an act() is scheduled
    std::uint64_t write_percent = 55;
    std::uint64_t stays = 30;  // moves on after one in so many answers, about
  };
  void act(std::size_t number);
  void act_later(std::size_t number);
  void connect(Customer& customer);
  void ask(Customer& customer);
  std::string make_request(Op& op, std::uint64_t write_percent);
  std::string make_write(Op& op, std::uint64_t dice);
  void give_up(Customer& customer);
  void read_reply(Op& op, std::string_view line);

  const Settings& settings_;
  Scheduler& scheduler_;
  Lines& lines_;
  Prng prng_;
  std::vector<Customer> customers_;
  std::map<node::ClientId, std::size_t> by_connection_;
  std::vector<Op> ops_;
  std::map<std::string, std::pair<std::uint64_t, std::string>> last_seen_;  // for conditions
  node::ClientId last_connection_ = 0;
  std::uint64_t last_value_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool asking_ = true;
  std::string problem_;
};

}  // namespace zatt::sim
