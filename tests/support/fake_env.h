// SPDX-License-Identifier: AGPL-3.0-or-later
// A world for one node under test: its peers, clients, clock and disk are played by the test.
//
// FakeEnv keeps what the node does until the test looks. A Peer is another member as the node sees
// it: a start number, a connection, what it heard. A NodeFixture has the node, its disk and its peers,
// and gets them to where most tests begin: alone, leading two peers, or following one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "codec/json_request.h"
#include "codec/peer_frames.h"
#include "codec/peer_message.h"
#include "kv/machine.h"
#include "node/node.h"
#include "node/service.h"
#include "tests/support/host_requests.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {

class FakeEnv final : public node::Env {
 public:
  struct Frame {
    node::Priority priority;
    std::string bytes;
  };
  struct ClientSeen {
    std::vector<std::string> replies;  // lines without their newlines
    std::vector<Answer> answers;       // to proposals and barriers
    bool closed = false;
    bool wanted = true;
    bool reads = true;  // as soon as it is sent; false: not before the test says so
    std::uint64_t unread_bytes = 0;
  };
  struct Logged {
    node::LogLevel level;
    std::string line;
  };

  std::uint64_t now = 1'000'000;
  std::uint64_t wall = 1'700'000'000'000'000;
  std::uint64_t next_random = 0x1000;
  std::uint64_t rooms_wanted = 0;
  std::optional<storage::Batch> batch;  // with the disk
  std::deque<storage::Batch> reads;     // the same, beside it
  std::uint64_t syncs = 0;
  std::vector<node::PeerAddress> dialed;
  std::map<node::LinkId, std::vector<Frame>> frames;  // sent and not looked at
  std::map<node::LinkId, std::uint64_t> unsent;
  std::vector<node::LinkId> closed_links;
  std::map<node::ClientId, ClientSeen> clients;
  std::vector<Logged> logged;
  std::optional<node::StopReason> stopped;
  bool short_turns = false;  // each is over as soon as something is done in it
  std::size_t calls = 0;     // of all that says something to the world

  std::uint64_t now_us() override { return now; }
  std::uint64_t wall_us() override { return wall; }
  std::uint64_t random() override { return next_random += 0x10; }
  bool turn_is_over() override { return short_turns; }
  void submit(storage::Batch given) override;
  std::uint64_t finished_syncs() override { return syncs; }
  void read(storage::Batch given) override { reads.push_back(std::move(given)); }
  void dial(std::vector<node::PeerAddress> peers) override { dialed = std::move(peers); }
  void send(node::LinkId link, node::Priority priority, std::string frame) override;
  std::uint64_t unsent_bytes(node::LinkId link) override { return unsent[link]; }
  void close_link(node::LinkId link) override;
  void respond(node::ClientId client, const codec::Request& request,
               const codec::Response& response) override;
  node::Unread unread(node::ClientId client) override;
  void make_room() override { ++rooms_wanted; }
  void close_client(node::ClientId client) override { clients[client].closed = true; }
  void want_requests(node::ClientId client, bool wanted) override {
    clients[client].wanted = wanted;
  }
  void log(node::LogLevel level, std::string_view line) override;
  void stop(node::StopReason reason) override;

  bool is_closed(node::LinkId link) const;
  // How many lines above debug hold these words.
  std::size_t count_logged(std::string_view words) const;
};

class NodeFixture;

// Another member, as far as the node can tell.
class Peer {
 public:
  Peer(NodeFixture& fixture, MemberId server, std::uint64_t start);

  MemberId server;
  std::uint64_t start;
  codec::BootstrapState bootstrap_state;
  node::LinkId link{};  // of its present connection

  codec::Hello hello() const;
  // A new connection, greeted by both sides unless told otherwise.
  void connect(bool greet = true);
  void disconnect();

  template <class M>
  void say(const M& message) {
    std::string bytes;
    if constexpr (std::is_constructible_v<raft::Message, M>)
      codec::encode(raft::Message{message}, bytes);
    else
      codec::encode(message, bytes);
    say_bytes(bytes);
  }
  void say_bytes(std::string_view message);
  std::vector<std::string> frames_of(std::string_view message);

  // The first thing of this kind that it heard and that nobody has taken yet.
  template <class M>
  std::optional<M> take() {
    listen();
    for (auto it = heard_.begin(); it != heard_.end(); ++it) {
      const auto found = find<M>(**it);
      if (!found) continue;
      kept_.push_back(std::move(*it));
      heard_.erase(it);
      return found;
    }
    return std::nullopt;
  }
  template <class M>
  std::vector<M> take_all() {
    std::vector<M> all;
    while (auto one = take<M>()) all.push_back(*one);
    return all;
  }
  // Answers as a good follower does: votes, stores, confirms. The rest stays to be taken.
  void follow();
  void forget() { listen(), heard_.clear(); }

 private:
  template <class M>
  static std::optional<M> find(std::string_view bytes) {
    const auto message = codec::decode_peer_message(bytes);
    if constexpr (std::is_constructible_v<raft::Message, M>) {
      if (const auto* core = std::get_if<raft::Message>(&*message))
        if (const auto* m = std::get_if<M>(core)) return *m;
    } else if (const auto* m = std::get_if<M>(&*message)) {
      return *m;
    }
    return std::nullopt;
  }
  void listen();

  NodeFixture& stage_;
  std::uint64_t numbers_ = 0;
  codec::Assembler assembler_;
  std::deque<std::unique_ptr<std::string>> heard_;
  std::vector<std::unique_ptr<std::string>> kept_;  // what views were handed out of
};

class NodeFixture {
 public:
  explicit NodeFixture(std::string id = "0", std::size_t members = 3);

  node::Options options;
  std::unique_ptr<SimDisk> disk = std::make_unique<SimDisk>();
  FakeEnv env;
  std::unique_ptr<kv::Machine> store;
  std::unique_ptr<node::Service> service;
  std::unique_ptr<node::Node> node;
  std::map<std::string, std::unique_ptr<Peer>> peers;
  bool disk_held = false;
  bool with_store = true;        // false: it is the host's own machine
  std::uint64_t node_start = 0;  // the node's own, as its frames name it

  // Reads the disk, as a process that starts. Peers are not connected.
  Status open();
  void close();  // kill -9
  Peer& peer(const std::string& id) { return *peers.at(id); }

  // Hands on what the node has gathered; lets the disk work unless it is held.
  void settle();
  void run_batch();
  void run_reads();
  // Time passes; the node is called when it asked to be. A peer that leads sends its heartbeats.
  void pass_ms(std::uint64_t ms);

  // Where tests begin: founded and led, every frame until then taken.
  void lead_alone();
  void found();
  void lead();
  void follow(const std::string& leader, std::uint64_t term = 1);
  void let_peers_follow();
  void fall_silent() { leader_.clear(); }  // the peer that leads sends no more heartbeats

  // `leader` appends these commands, and has them committed.
  void leader_appends(const std::vector<std::string>& commands, bool committed = true);
  Index leader_last{};

  // Clients.
  node::ClientId client();
  void line(node::ClientId id, const std::string& text, bool too_long = false);
  std::vector<std::string> replies(node::ClientId id);  // since the last call
  std::string ask(const std::string& text);             // a client of its own, one line, settled

 private:
  void greet_all();

  codec::JsonRequestParser parser_;
  std::string leader_;  // the peer that leads
  Term leader_term_{};
  node::ClientId last_client_{};

 public:
  node::LinkId last_link{};
};

// The bytes of a set as a forward or an entry carries them.
std::string set_command(std::string_view key, std::string_view value);

}  // namespace zatt::test
