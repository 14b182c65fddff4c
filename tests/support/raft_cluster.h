// SPDX-License-Identifier: AGPL-3.0-or-later
// Several consensus cores driven by hand: every message, every disk and every clock is the test's.
//
// Nothing here happens by itself. Messages lie in the queue until they are delivered, dropped or
// held back; writes lie in the disk until they are completed, and a crash forgets those that were
// not; each server has a clock of its own, so that one timer can fire early without another's
// patience running out. After every step the whole cluster is judged: see violations().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/raft.h"
#include "tests/support/which.h"

namespace zatt::test {

// A message under way, with the bodies of its entries: the sender's views are gone by now.
struct Letter {
  MemberId from;
  MemberId to;
  raft::Message message;
  std::vector<Entry> entries;

  Letter(MemberId sender, const raft::Envelope& envelope);
  raft::Message open() const;  // its views live as long as this letter
};

// What a server's disk holds, and what it was told and has not kept yet.
struct Disk {
  struct Write {
    WriteNumber number{};
    std::optional<raft::HardState> hard_state;
    std::optional<Index> truncate;
    std::vector<Entry> append;
  };
  raft::HardState hard_state;
  std::vector<Entry> log;  // from index 1 on
  std::deque<Write> under_way;
  bool held = false;

  static void keep(const Write& write, raft::HardState& hard_state, std::vector<Entry>& log);
  bool holds(Index index, Term term) const;
  std::vector<Entry> written() const;  // durable or not
};

class RaftCluster {
 public:
  using Options = raft::Options;
  static constexpr std::uint64_t timeout_us = 600'000;

  // Founded, connected, and with the first configuration durable everywhere.
  explicit RaftCluster(const std::vector<std::string>& voters,
                       const std::vector<std::string>& learners = {}, const Options& options = {});

  // --- servers ---
  const raft::Raft& at(const std::string& id) const { return *seat(id).raft; }
  bool is_up(const std::string& id) const { return seat(id).raft != nullptr; }
  bool is_seat(const std::string& id) const { return seats_.contains(id); }
  const Disk& disk(const std::string& id) const { return seat(id).disk; }
  std::vector<std::string> ids() const;
  MemberId server(const std::string& id) const { return seat(id).self; }
  std::optional<std::string> leader() const;  // of the highest term, if it is up
  std::uint64_t terms_led() const { return leaders_.size(); }
  Index step(const std::string& id, decltype(raft::Input::event) event);  // Output::proposed

  void crash(const std::string& id);  // what was not durable is gone; its connections close
  void start(const std::string& id);
  void wipe(const std::string& id);  // of a crashed one: a new directory, another incarnation

  // --- clocks ---
  std::uint64_t now_us() const { return now_us_; }
  std::uint64_t now_us(const std::string& id) const { return now_us_ + seat(id).ahead_us; }
  // Everybody's wall clock is off by something else, and is set anew every 300 ms.
  std::uint64_t wall_us(const std::string& id) const;
  void pass(std::uint64_t us) { now_us_ += us; }  // for all, and no timer is looked at
  void fire(const std::string& id);               // its clock alone goes on to its next timer
  // All of it in time: a message takes 1 ms, a write 2 ms, and timers fire when they are due.
  void run(std::uint64_t us);

  // --- what clients do ---
  bool propose(const std::string& id, const std::vector<std::string>& bodies);
  void read(const std::string& id, std::uint64_t number, bool to_log_end = false);
  const std::vector<raft::ReadState>& reads(const std::string& id) const { return seat(id).reads; }

  // --- disks ---
  void hold_disk(const std::string& id) { seat(id).disk.held = true; }
  void release_disk(const std::string& id) { seat(id).disk.held = false; }
  bool complete_write(const std::string& id);  // the oldest under way

  // --- the network ---
  void cut(const std::string& from, const std::string& to) { cut_.insert({from, to}); }
  void isolate(const std::string& id);
  // Whole again in both directions, as a new connection.
  void mend(const std::string& a, const std::string& b);
  void heal(const std::string& id);
  bool is_cut(const std::string& from, const std::string& to) const;

  Rules& rules() { return rules_; }  // of what is sent from now on; hold: of what waits, too
  void discard(const Which& which);  // what is under way
  std::deque<Letter> under_way(const Which& which = {}) const;
  void inject(const Letter& letter) { letters_.push_back(letter); }
  std::uint64_t sent(const Which& which) const;  // lost or not, since the last restart_counters()
  void restart_counters() { sent_.clear(); }

  // Called for each message that is handed over, for whoever tells the story.
  std::function<void(const Letter& letter)> on_delivery;
  // Delivers what is under way now and not held, the oldest first; answers stay.
  void deliver(const Which& which = {});
  // Until nothing is left to deliver or to write.
  void quiesce();
  // quiesce, then one heartbeat of each leader, and quiesce again: commit_index is known.
  void settle();
  // An election timeout passes in silence, and the server's timer fires, up to three times. Whether
  // it leads in the end.
  bool elect(const std::string& id);

  // What has been broken so far, in words. Looked at after every step: one leader a term; terms
  // and commit_index never sink; nothing is said before the disk has kept what it rests on; what
  // is committed is on a majority's disks, stays, and is the same everywhere; logs match.
  std::vector<std::string> violations();

 private:
  struct Seat {
    MemberId self;
    std::unique_ptr<raft::Raft> raft;
    Disk disk;
    BootId boot_id{};
    std::uint64_t ahead_us = 0;
    Term highest_term{};
    Index applied{};
    std::vector<raft::ReadState> reads;
    std::deque<raft::Fetch> fetches;
  };
  struct Committed {
    Term term{};
    std::uint64_t time_us = 0;
    std::string body;
    friend bool operator==(const Committed&, const Committed&) = default;
  };

  Seat& seat(const std::string& id) { return seats_.at(id); }
  const Seat& seat(const std::string& id) const { return seats_.at(id); }
  void make_raft(Seat& seat);
  void meet(const std::string& a, const std::string& b);
  void part(const std::string& a, const std::string& b);
  bool has_fate(Fate fate, const Letter& letter) const;
  void post(Letter letter);
  void deliver(const Letter& letter);
  bool is_deliverable(const Letter& letter) const;
  bool work_disk(const std::string& id);
  void answer_fetches(const std::string& id);
  void take_output(const std::string& id, const raft::Output& output);

  void check_said(const Seat& seat, const raft::Envelope& envelope);
  void check_step(const std::string& id, Seat& seat);
  void check_commit(const Seat& seat);
  void check_leader(const Seat& seat);
  void check_logs();
  void report_error(const Seat& seat, const std::string& what);

  Options options_;
  std::map<std::string, Seat> seats_;
  std::deque<Letter> letters_;
  std::set<std::pair<std::string, std::string>> cut_;
  Rules rules_;
  struct Sent {
    Kind kind;
    std::string from;
    std::string to;
    Term term;
    auto operator<=>(const Sent&) const = default;
  };
  std::map<Sent, std::uint64_t> sent_;
  std::uint64_t now_us_ = 1'000'000;
  std::uint64_t starts_ = 0;
  std::map<Term, MemberId> leaders_;
  std::map<Index, Committed> committed_;
  std::vector<std::string> violations_;
};

}  // namespace zatt::test
