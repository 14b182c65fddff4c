// SPDX-License-Identifier: AGPL-3.0-or-later
// The simulated network between nodes: connections that delay, lose, repeat and overtake frames,
// clog, overflow, break, are read late, and are cut off from each other.
//
// A real connection does less than this (it is ordered, and loses nothing before it ends); what
// holds here holds there. A cut loses nothing by itself: what is sent into it arrives when it is
// healed, or the connection ends for want of an answer, as with TCP.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "base/types.h"
#include "node/env.h"
#include "tests/sim/coverage.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/settings.h"

namespace zatt::sim {

using NodeNumber = std::uint32_t;

struct Frame {
  std::string bytes;
  Kind kind = Kind::piece;
  Term term{};              // of a message of the core
  bool is_control = false;  // it overtakes others that still wait at the sender's
};

// Where the network delivers to. `process` numbers a node's starts: what was meant for an earlier
// one is lost.
class Endpoints {
 public:
  Endpoints() = default;
  Endpoints(const Endpoints&) = delete;
  Endpoints& operator=(const Endpoints&) = delete;
  virtual ~Endpoints() = default;

  virtual std::uint64_t process(NodeNumber node) const = 0;  // 0: not running
  virtual void deliver_link_up(NodeNumber node, node::LinkId link, bool dialed,
                               NodeNumber peer) = 0;
  virtual void deliver_frame(NodeNumber node, node::LinkId link, const Frame& frame) = 0;
  virtual void deliver_link_down(NodeNumber node, node::LinkId link) = 0;
  // What waited for this link is on its way: see node::Env::unsent_bytes.
  virtual void deliver_link_room(NodeNumber /*node*/, node::LinkId /*link*/) {}
};

class Network {
 public:
  Network(const Settings& settings, Scheduler& scheduler, Endpoints& endpoints, Coverage& coverage)
      : settings_(settings),
        scheduler_(scheduler),
        endpoints_(endpoints),
        coverage_(coverage),
        prng_(settings.seed ^ 0x9e7) {}

  // `from` wants to be connected to `to` from now on, until its process ends.
  void dial(NodeNumber from, NodeNumber to);
  void send(NodeNumber from, node::LinkId link, node::Priority priority, Frame frame);
  void close(NodeNumber from, node::LinkId link);
  void on_process_end(NodeNumber node);
  std::string to_text(NodeNumber from, node::LinkId link) const;  // "to 2: ", for the trace
  // The process at the other end, by its number, whether it has ended since or not; 0: no such
  // connection is left.
  std::uint64_t process_at_other_end(NodeNumber from, node::LinkId link) const;

  // Cuts: nothing passes from one to the other. What is sent waits for the way to be whole again;
  // after the patience of `settings` its connection ends, and with it what waited.
  void cut(NodeNumber from, NodeNumber to) { cuts_.insert({from, to}); }
  void heal();
  void heal(NodeNumber from, NodeNumber to);
  bool passes(NodeNumber from, NodeNumber to) const { return !cuts_.contains({from, to}); }
  // What is sent from one to the other waits until then; new dials too.
  void clog(NodeNumber from, NodeNumber to, std::uint64_t until_us);
  void make_perfect() { perfect_ = true; }

  // Somebody who decides for each frame; what is held back comes with release(), or is lost.
  enum class Fate : std::uint8_t { pass, drop, hold, twice };
  void set_rule(std::function<Fate(NodeNumber from, NodeNumber to, const Frame& frame)> rule) {
    rule_ = std::move(rule);
  }
  using Choose = std::function<bool(NodeNumber from, NodeNumber to, const Frame& frame)>;
  void release(const Choose& which);
  void lose_held(const Choose& which);
  // The connection between them ends. Where the second does not hear of it yet, what was held back
  // stays in the pipe; all that is held back, and then the end, comes with let_hear_of_ends().
  void reset(NodeNumber a, NodeNumber b, bool second_hears);
  void let_hear_of_ends();
  // It ends, and the next one between them is read late.
  void replace_unread(NodeNumber a, NodeNumber b);

  std::uint64_t delay();
  // How much its sender has not got rid of yet, where links are slow.
  std::uint64_t unsent_bytes(NodeNumber from, node::LinkId link) const;
  // Of frames that this node has sent and that are not delivered.
  std::uint64_t bytes_from(NodeNumber from) const { return from < sent_.size() ? sent_[from] : 0; }

 private:
  struct Direction {
    std::uint64_t last_us = 0;                  // arrival of the last frame that was not overtaken
    std::uint64_t last_control_us = 0;          // where these overtake others
    std::uint64_t bulk_us = 0, control_us = 0;  // when what was given to a slow link is through
    std::uint64_t unread_us = 0;                // nothing is read before this
    std::uint64_t under_way = 0;
    std::deque<Frame> stuck;  // before a cut
    std::uint64_t stuck_bytes = 0;
    std::uint64_t jams = 0;   // how often something got stuck
    bool greeted = false;     // a hello has arrived
    bool crowded = false;     // its sender is told when there is room again
    std::uint64_t bytes = 0;  // sent, and not delivered
    std::uint64_t last() const { return std::max(last_us, last_control_us); }
  };
  struct Connection {
    NodeNumber dialer = 0, answerer = 0;
    node::LinkId dialer_link{}, answerer_link{};
    std::uint64_t dialer_process = 0, answerer_process = 0;
    Direction to_dialer, to_answerer;
    bool open = true;
    bool dialer_hears = true, answerer_hears = true;  // of its end
    std::uint64_t patience_us = 0;  // how long an end waits for an answer from behind a cut
    Direction& way(bool is_to_dialer) { return is_to_dialer ? to_dialer : to_answerer; }
  };
  // What once went from one to another, and between which of their processes.
  struct Past {
    Frame frame;
    std::uint64_t from_process = 0, to_process = 0;
  };
  struct Held {
    std::uint64_t connection = 0;
    bool to_dialer = false;
    Frame frame;
  };
  void try_dial(NodeNumber from, NodeNumber to, std::uint64_t process);
  void connect(NodeNumber from, NodeNumber to, std::uint64_t process);
  void pass_on(std::uint64_t number, bool to_dialer, Frame frame);
  void leave_unread(std::uint64_t number);
  void note_past(const Connection& c, bool to_dialer, const Frame& frame);
  void stray(std::uint64_t number, bool to_dialer);
  void break_connection(std::uint64_t number);
  void break_connection(std::uint64_t number, NodeNumber closer);
  std::vector<Held> take_held(const Choose& which);
  void end_later(std::uint64_t number, bool dialer_side, std::uint64_t after_us,
                 std::uint64_t patience_us);
  void deliver_later(std::uint64_t number, bool to_dialer, Frame frame, std::uint64_t at_us);
  void deliver(std::uint64_t number, bool to_dialer, const Frame& frame);
  void deliver(Connection& c, bool to_dialer, const Frame& frame);
  void jam(std::uint64_t number, bool to_dialer, const Frame& frame);
  void unjam(std::uint64_t number, bool to_dialer);
  void add_bytes(NodeNumber from, Direction& way, const Frame& frame);
  void take_bytes(NodeNumber from, Direction& way, std::uint64_t bytes);
  std::uint64_t pass_slowly(Direction& way, const Frame& frame);
  std::uint64_t unsent_bytes(const Direction& way) const;
  void tell_of_room(std::uint64_t number, bool to_dialer);
  std::uint64_t clogged_until(NodeNumber from, NodeNumber to) const;

  const Settings& settings_;
  Scheduler& scheduler_;
  Endpoints& endpoints_;
  Coverage& coverage_;
  Prng prng_;
  std::map<std::uint64_t, Connection> connections_;
  std::map<std::pair<NodeNumber, node::LinkId>, std::uint64_t> by_link_;
  std::set<std::pair<NodeNumber, NodeNumber>> cuts_;
  std::map<std::pair<NodeNumber, NodeNumber>, std::uint64_t> clogs_;
  std::map<std::pair<NodeNumber, NodeNumber>, std::vector<Past>> past_;
  std::function<Fate(NodeNumber, NodeNumber, const Frame&)> rule_;
  std::vector<Held> held_;
  std::set<std::pair<NodeNumber, NodeNumber>> late_next_;  // the lower number first
  std::vector<std::uint64_t> sent_;  // bytes that are not delivered, by the sender
  std::uint64_t last_connection_ = 0;
  node::LinkId last_link_{};
  bool perfect_ = false;
};

}  // namespace zatt::sim
