// SPDX-License-Identifier: AGPL-3.0-or-later
// One simulated machine: a disk that survives, and a node's process that comes and goes on it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/machine.h"
#include "node/node.h"
#include "node/service.h"
#include "tests/sim/host_list.h"
#include "tests/support/durable_log.h"
#include "tests/support/sim_disk.h"

namespace zatt::sim {

// The shipped store, with somebody looking over its shoulder.
class WatchedStore final : public StateMachine {
 public:
  explicit WatchedStore(std::uint64_t hash_seed) : store(hash_seed) {}

  std::function<void(Index, std::uint64_t time_us, std::string_view command)> on_apply;
  kv::Machine store;

  void apply(Index index, std::uint64_t time_us, std::string_view command,
             std::string& reply) override {
    store.apply(index, time_us, command, reply);
    on_apply(index, time_us, command);
  }
  void begin_snapshot() override { store.begin_snapshot(); }
  bool next_slice(std::size_t max_bytes, std::string& out) override {
    return store.next_slice(max_bytes, out);
  }
  void end_snapshot() override { store.end_snapshot(); }
  void begin_restore() override { store.begin_restore(); }
  Status restore_slice(std::string_view slice) override { return store.restore_slice(slice); }
  Status end_restore() override { return store.end_restore(); }
};

// The dictionary as clients see it, with its commands watched.
class WatchedService final : public node::Service {
 public:
  explicit WatchedService(std::uint64_t hash_seed) : watched(hash_seed) {}

  WatchedStore watched;

  StateMachine& machine() override { return watched; }
  std::string_view refusal_of(const codec::Operation& operation) const override {
    return dictionary_.refusal_of(operation);
  }
  codec::Response answer(const codec::Read& read) const override {
    return dictionary_.answer(read);
  }
  std::uint64_t answer_bytes(const codec::Operation& operation, std::uint64_t most) const override {
    return dictionary_.answer_bytes(operation, most);
  }
  bool changed_nothing(std::string_view reply) const override {
    return dictionary_.changed_nothing(reply);
  }
  std::uint64_t keys() const override { return dictionary_.keys(); }

 private:
  node::DictionaryService dictionary_{watched.store};
};

struct Connection {  // of a client
  bool wanted = true;
  std::uint64_t unread_bytes = 0;  // of replies on their way to it
  std::deque<std::string> held;    // arrived and not wanted yet; with slack behind each
  std::uint64_t last_line_us = 0, last_reply_us = 0;
  std::uint64_t read_on_us = 0;          // its client had more unread than it may, until then
  std::deque<std::uint64_t> line_bytes;  // of the lines that it is owed an answer, in order
  std::uint64_t bytes = 0;               // held for it: these, and its unread replies
  std::deque<std::uint64_t> due_us;      // by the node's clock, of the lines that it owes an answer
};

// Where a process hears something from. What comes from one of these keeps its order.
struct Source {
  enum class Kind : std::uint8_t { host, disk, reads, link, client };
  Kind kind = Kind::host;
  std::uint64_t number = 0;  // of a link or client
  friend auto operator<=>(const Source&, const Source&) = default;
};

struct Event {
  Source source;
  std::function<void(node::Node&)> what;
};

struct Machine {
  std::unique_ptr<test::SimDisk> disk;
  std::unique_ptr<test::DurableLog> durable;  // what the disk would still hold after a power loss
  MemberId self;                              // of the process that ran last
  // Its own settings.
  std::uint64_t timeout_percent = 100;
  std::uint64_t segment_bytes = 0;
  std::uint64_t max_log_bytes = 0;
  std::uint64_t hash_seed = 0;
  std::uint64_t clock_rate_ppm = 1'000'000;  // how far it runs in a true second
  std::uint64_t clock_offset_us = 0;
  // What its disk is in for.
  bool hung = false;  // batches are not carried out
  std::uint64_t hung_since_us = 0;
  bool may_fail_to_start = false;  // an error or a full disk is in its way
  std::optional<int> next_error;   // of a call of the next batch
  bool errors_for_good = false;    // and of every call behind that
  bool next_sync_fails = false;    // of the next batch that has one
  bool short_of_space = false;
  bool may_be_unreadable = false;  // a failed sync has left sectors that can't be read
  bool is_stopping = false;        // in good order
  bool may_rot = false;            // the budget of damage is spent on these
  bool has_rotted = false;         // since its directory was made
  // What it held before a bit rotted and does not hold now, until it holds that again: the last
  // entry with its term, since an older branch of the log may come back in its place.
  Index in_doubt_from{};
  Index in_doubt_up_to{};
  Term in_doubt_term{};
  bool is_gone = false;      // is never started again
  bool is_unusable = false;  // refuses to start: its directory is to be emptied

  // The process; gone with it. Declared so that the node goes first.
  std::uint64_t process = 0;  // its number; 0: not running
  std::unique_ptr<node::Env> env;
  std::unique_ptr<Instrumentation> instrumentation;
  std::unique_ptr<HostList> list;  // what it replicates: a machine of the host's own,
  WatchedStore* store = nullptr;   // or this, which is the service's
  std::unique_ptr<node::Service> service;
  std::unique_ptr<node::Node> node;
  std::optional<storage::Batch> batch;  // with the disk now
  std::uint64_t batch_number = 0;
  bool batch_waits = false;                  // for the disk to answer again
  std::vector<std::uint64_t> sync_times_us;  // when its syncs are finished
  std::uint64_t syncs_before = 0;            // of earlier batches
  std::deque<storage::Batch> reads;          // beside it, in order; the first is being carried out
  bool read_waits = false;
  std::map<node::ClientId, Connection> connections;
  std::uint64_t client_bytes = 0;           // held for all of these
  std::optional<node::StopReason> stopped;  // by itself, for this
  std::optional<int> disk_failure;          // what a call said that it is told of in this event
  std::uint64_t paused_until_us = 0;
  std::uint64_t went_on_us = 0;           // after its last pause
  std::uint64_t pause_in_a_round_us = 0;  // for so long, once it has asked who follows it,
  std::uint64_t ask_until_us = 0;         // by then
  std::uint64_t round_before = 0;         // in a later one than this
  bool asked_before_pause = false;        // for a round of answers, which wait now
  bool clock_stands = false;              // while it is paused
  std::uint64_t unread_bytes = 0;         // by all its clients
  bool room_is_wanted = false;            // it waits until some of that is read
  std::uint64_t unread_factor = 1;        // how much each unread byte counts for
  std::deque<Event> deferred;             // came while the process stood still
  std::uint64_t turn_ns = 0;              // computed in this turn, by simulated time
  std::uint64_t busy_until_us = 0;        // with the turn before
  std::uint64_t wake_at_us = UINT64_MAX;  // the wake-up that is scheduled

  std::uint64_t state_hash() const { return list ? list->state_hash() : store->store.state_hash(); }
};

}  // namespace zatt::sim
