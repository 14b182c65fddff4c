// SPDX-License-Identifier: AGPL-3.0-or-later
// The simulated clients: the shipped one, with a network and a clock made of the seed. They
// pipeline, give up in the middle, move between nodes, and note down what they asked and were told.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "client/client.h"
#include "node/env.h"
#include "tests/sim/coverage.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/request_maker.h"
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

// Where a node is, in every configuration of the simulator.
Address address_of(NodeNumber node);

class Workload {
 public:
  Workload(const Settings& settings, Scheduler& scheduler, Lines& lines, Coverage& coverage);

  void start();
  void stop_asking() { asking_ = false; }
  void calm_down();         // a few requests a second from now on
  bool is_at_rest() const;  // every question was answered
  // Another customer who stays with this node, writes and reads until both were done once.
  void probe(NodeNumber node);
  bool probes_are_done() const;
  // Many more customers, who ask what settings.load says from now on.
  void begin_load();
  // One of two who are sent around goes to this node, and writes; the other stays there if it is
  // there already, whatever it waits for, and reads.
  void visit(NodeNumber node, bool writes);
  // Up to here in the log somebody has been told of what others have to show from now on.
  std::uint64_t last_told() const { return last_told_; }
  // Of the questions that wait: how long the longest has waited beyond its time.
  std::uint64_t overdue_us() const;

  // From a node that has applied the log up to `applied`.
  void on_reply(node::ClientId connection, std::string_view line, std::uint64_t applied);
  void on_closed(node::ClientId connection);

  const std::vector<Op>& ops() const { return ops_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t answered() const { return last_answer_; }
  std::string problem() const { return problem_; }  // an answer that does not belong there

 private:
  // Somebody with a client. Some stay with one node, so that those who do not lead are asked too;
  // the others find the leader.
  struct Customer {
    std::unique_ptr<client::Client> client;
    std::uint64_t client_number = 0;  // of all clients there were
    node::ClientId connection{};      // 0: none
    std::uint64_t number = 0;         // the connection's, as the client counts them
    NodeNumber node = 0;              // of the connection
    std::uint64_t wake_at_us = never_us;
    std::map<client::Token, std::size_t> asked;  // of ops_
    bool due = false;                            // an act() is scheduled
    bool wanders = false;
    bool visits = false;               // where it is sent, and asks nothing by itself
    std::optional<NodeNumber> probes;  // this node
    bool wrote = false, read = false;  // of a probe
    bool loads = false;
    std::uint64_t write_percent = 55;
    std::uint64_t stays = 30;  // moves on after one in so many answers, about
  };
  void act(std::size_t number);
  void act_later(std::size_t number);
  void ask(Customer& customer, std::uint64_t write_percent);
  void ask(Customer& customer, Op op, client::Request request);
  void ask_load(Customer& customer);
  bool is_idle_time() const;
  std::uint64_t timeout_us(const Customer& customer) const;
  void renew(Customer& customer, std::optional<NodeNumber> node = std::nullopt);

  // What follows from anything that a client was told, by a node that has applied the log so far:
  // its wishes, its words, its answers.
  void process_ready(std::size_t number, std::uint64_t applied = 0);
  void follow(std::size_t number);
  void connect(std::size_t number);
  void leave(Customer& customer);
  void send(Customer& customer);
  void collect(Customer& customer, std::uint64_t applied);
  void wake_later(std::size_t number);
  void read_reply(Op& op, const client::Reply& reply);
  void count(const client::Reply& reply);

  const Settings& settings_;
  Scheduler& scheduler_;
  Lines& lines_;
  Coverage& coverage_;
  Prng prng_;
  RequestMaker requests_;
  std::vector<Customer> customers_;
  std::optional<std::size_t> visitors_;  // the first of two
  std::map<node::ClientId, std::size_t> by_connection_;
  std::vector<Op> ops_;
  node::ClientId last_connection_{};
  std::uint64_t last_client_ = 0;
  std::uint64_t last_answer_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t last_told_ = 0;
  bool asking_ = true;
  bool calm_ = false;
  std::string problem_;
};

}  // namespace zatt::sim
