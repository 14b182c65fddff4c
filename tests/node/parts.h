// SPDX-License-Identifier: AGPL-3.0-or-later
// The parts of a node on their own, without a Node: a cluster of one, its core, disk, connections
// and clients, whose events are stepped by the test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/client_queues.h"
#include "node/peer_connections.h"
#include "node/persister.h"
#include "node/read_tracker.h"
#include "node/recovery.h"
#include "node/responder.h"
#include "node/write_tracker.h"
#include "tests/support/fake_env.h"

namespace zatt::test {

class Parts : private node::PeerConnectionsOwner {
 public:
  explicit Parts(std::uint64_t max_log_bytes = 4 << 20, std::uint64_t segment_bytes = 4 << 20) {
    options.segment_bytes = segment_bytes;
    options.max_log_bytes = max_log_bytes;
    options.id = "0";
    options.storage = "zatt.0.persist";
    options.cluster["0"] = {"127.0.0.1", 5254};
    auto opened = node::open_directory(options, env, disk);
    raft = std::move(opened->raft);
    persister = std::make_unique<node::Persister>(options, env, *raft, std::move(opened->storage));
  }

  node::Options options;
  FakeEnv env;
  SimDisk disk;
  std::unique_ptr<raft::Raft> raft;
  std::unique_ptr<node::Persister> persister;
  node::PeerConnections connections{env, *this, BootId{1}, nullptr};
  kv::Machine machine;
  node::DictionaryService service{machine};
  node::ClientQueues clients{options, env, service};
  node::Responder responder{options, env, service, clients};

  template <class Event>
  raft::Output step(Event event) {
    raft::Output output = raft->step(raft::Input{env.now, env.wall_us(), std::move(event)});
    persister->take(output);
    return output;
  }

  // Runs what the disk was given, and tells the core.
  node::Persister::Done run_disk() {
    persister->submit();
    node::Persister::Done done;
    if (env.batch) {
      const storage::Batch batch = *std::exchange(env.batch, std::nullopt);
      done = persister->on_disk(storage::run(disk, batch));
      if (done.persisted) step(raft::Persisted{*done.persisted});
    }
    for (const storage::Batch& batch : std::exchange(env.reads, {}))
      for (auto& read : persister->on_read(storage::run(disk, batch)).reads)
        done.reads.push_back(std::move(read));
    return done;
  }
  void settle() {
    do run_disk();
    while (persister->submit(), env.batch.has_value() || !env.reads.empty());
  }

  // A cluster of this member alone, led by it, its first entry committed.
  void lead_alone() {
    const raft::Member self{raft->self(), options.cluster.at("0"), true};
    persister->save_bootstrap(raft->take_write_number(), ClusterId{77}, {});
    settle();
    step(raft::Bootstrap{raft::Configuration{{self}, {}}});
    settle();
    env.now += 5'000'000;
    step(raft::Tick{});
    settle();
  }

  // A request of a client of its own, or of `client`.
  node::PendingRequest& request(const std::string& line,
                                node::ClientId client = node::ClientId{1}) {
    if (clients.find(client) == nullptr) clients.open(client);
    std::string padded = line;
    padded.append(codec::line_slack, '\0');
    return clients.add(*clients.find(client),
                       parser_.parse(std::string_view(padded).substr(0, line.size())));
  }
  std::vector<std::string> replies(node::ClientId client = node::ClientId{1}) {
    responder.flush();
    return std::exchange(env.clients[client].replies, {});
  }

 private:
  codec::Hello own_hello() override { return {}; }
  bool is_known_id(const std::string&) const override { return true; }
  std::optional<codec::Refused> validate(const codec::Hello&, bool) override {
    return std::nullopt;
  }
  void on_peer_up(node::PeerConnection&) override {}
  void on_peer_down(node::PeerConnection&) override {}
  void on_peer_message(node::PeerConnection&, const codec::PeerMessage&) override {}
  void on_refused(const std::string&, const codec::Refused&) override {}
  bool says_refusals_of(const std::string&) override { return false; }

  codec::JsonRequestParser parser_;
};

}  // namespace zatt::test
