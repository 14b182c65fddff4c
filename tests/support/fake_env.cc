// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/fake_env.h"

#include <algorithm>

#include "base/assert.h"
#include "codec/json_response.h"
#include "kv/command.h"

namespace zatt::test {

// --- the world -------------------------------------------------------------------------------

void FakeEnv::submit(storage::Batch given) {
  ZATT_ASSERT(!batch.has_value());  // one at a time
  batch = std::move(given);
}

void FakeEnv::send(node::LinkId link, node::Priority priority, std::string frame) {
  ++calls;
  frames[link].push_back({priority, std::move(frame)});
}

void FakeEnv::close_link(node::LinkId link) {
  ++calls;
  closed_links.push_back(link);
}

void FakeEnv::respond(node::ClientId client, const codec::Request& request,
                      const codec::Response& response) {
  ++calls;
  ClientSeen& seen = clients[client];
  if (is_of_a_host(request)) return seen.answers.push_back(to_answer(response));
  std::string line;
  codec::write_json(request, response, line);
  if (!seen.reads) seen.unread_bytes += line.size();
  ZATT_ASSERT(line.find('\n') == line.size() - 1);  // one whole line
  line.pop_back();
  seen.replies.push_back(std::move(line));
}

node::Unread FakeEnv::unread(node::ClientId client) {
  node::Unread unread{clients[client].unread_bytes, 0};
  for (const auto& [id, seen] : clients) unread.by_all += seen.unread_bytes;
  return unread;
}

void FakeEnv::log(node::LogLevel level, std::string_view line) {
  logged.push_back({level, std::string(line)});
}

void FakeEnv::stop(node::StopReason reason) {
  ZATT_ASSERT(!stopped.has_value());
  stopped = reason;
}

bool FakeEnv::is_closed(node::LinkId link) const {
  return std::find(closed_links.begin(), closed_links.end(), link) != closed_links.end();
}

std::size_t FakeEnv::count_logged(std::string_view words) const {
  return static_cast<std::size_t>(
      std::count_if(logged.begin(), logged.end(), [&](const Logged& one) {
        return one.level != node::LogLevel::debug && one.line.find(words) != std::string::npos;
      }));
}

// --- a peer ----------------------------------------------------------------------------------

Peer::Peer(NodeFixture& fixture, MemberId given, std::uint64_t given_start)
    : server(std::move(given)), start(given_start), stage_(fixture) {}

codec::Hello Peer::hello() const {
  codec::Hello hello;
  hello.server = server;
  hello.address = stage_.options.cluster.at(server.id);
  for (const auto& [id, address] : stage_.options.cluster) hello.ids.push_back(id);
  hello.bootstrap_state = bootstrap_state;
  // The lower id dials.
  if (server.id < stage_.options.id) hello.to = stage_.options.id;
  return hello;
}

void Peer::connect(bool greet) {
  link = ++stage_.last_link;
  assembler_ = {};
  heard_.clear();
  numbers_ = 0;
  const bool dialed_us = server.id < stage_.options.id;
  stage_.node->on_link_up(link, dialed_us ? std::nullopt : std::optional(server.id));
  if (!greet) return;
  say(hello());
  ZATT_ASSERT(take<codec::Hello>().has_value());
}

void Peer::disconnect() {
  stage_.node->on_link_down(link);
  stage_.settle();
}

std::vector<std::string> Peer::frames_of(std::string_view message) {
  std::vector<std::string> frames;
  codec::cut_into_frames(BootId{start}, BootId{stage_.node_start}, ++numbers_, message,
                         [&](std::string frame) { frames.push_back(std::move(frame)); });
  return frames;
}

void Peer::say_bytes(std::string_view message) {
  listen();  // a greeting says whom it speaks to
  for (const std::string& frame : frames_of(message)) stage_.node->on_frame(link, frame);
  stage_.settle();
}

void Peer::listen() {
  for (const FakeEnv::Frame& sent : std::exchange(stage_.env.frames[link], {})) {
    const auto frame = codec::decode_frame(sent.bytes);
    ZATT_ASSERT(frame.has_value());
    stage_.node_start = raw(frame->from_boot_id);
    const auto whole = assembler_.add(*frame);
    if (!whole) continue;
    ZATT_ASSERT(codec::decode_peer_message(*whole).has_value());
    heard_.push_back(std::make_unique<std::string>(*whole));
  }
}

void Peer::follow() {
  // Its own words may bring on new ones: until there are none.
  for (bool more = true; more;) {
    more = false;
    while (const auto m = take<raft::RequestVote>()) {
      more = true;
      say(raft::VoteReply{m->term, true, m->pre_vote});
    }
    while (const auto m = take<raft::AppendEntries>()) {
      more = true;
      raft::AppendReply reply;
      reply.term = m->term;
      reply.success = true;
      reply.match_index = reply.received_index = m->prev_log_index + m->entries.size();
      say(reply);
    }
    while (const auto m = take<raft::Heartbeat>()) {
      more = true;
      say(raft::HeartbeatReply{m->term, m->round, {}, {}, DiskSpace::enough});
    }
  }
}

// --- the stage -------------------------------------------------------------------------------

NodeFixture::NodeFixture(std::string id, std::size_t members) {
  options.id = std::move(id);
  options.storage = "zatt." + options.id + ".persist";
  options.segment_bytes = 256 << 10;
  options.version = "test";
  for (std::size_t i = 0; i < members; ++i) {
    const std::string name = std::to_string(i);
    options.cluster[name] = {"127.0.0.1", static_cast<std::uint16_t>(5254 + i)};
    if (name != options.id)
      peers[name] = std::make_unique<Peer>(*this, MemberId{name, 100 + i}, 9000 + i);
  }
}

Status NodeFixture::open() {
  store = std::make_unique<kv::Machine>();
  if (with_store)
    service = std::make_unique<node::DictionaryService>(*store);
  else
    service = std::make_unique<node::HostService>(*store);
  auto opened = node::Node::open(options, env, *disk, *service);
  if (!opened) return opened.error();
  node = std::move(*opened);
  node->start();
  settle();
  return ok;
}

void NodeFixture::close() {
  node.reset();
  env.batch.reset();
  env.frames.clear();
  env.clients.clear();
  env.stopped.reset();
  disk->kill();
}

void NodeFixture::settle() {
  while (true) {
    node->flush();
    if (disk_held || env.stopped || (!env.batch && env.reads.empty())) return;
    if (env.batch) run_batch();
    run_reads();
  }
}

void NodeFixture::run_batch() {
  ZATT_ASSERT(env.batch.has_value());
  const storage::Batch batch = std::move(*env.batch);
  env.batch.reset();
  node->on_disk(storage::run(*disk, batch));
}

void NodeFixture::run_reads() {
  while (!env.reads.empty() && !env.stopped) {
    const storage::Batch batch = std::move(env.reads.front());
    env.reads.pop_front();
    node->on_read(storage::run(*disk, batch));
  }
}

void NodeFixture::pass_ms(std::uint64_t ms) {
  const std::uint64_t end = env.now + ms * 1000;
  std::uint64_t beat = env.now + 100'000;
  while (env.now < end) {
    const std::uint64_t wake = std::max(node->wake_at_us(), env.now + 1);
    env.now = std::min({wake, end, beat});
    node->on_time();
    settle();
    if (env.now != beat) continue;
    beat += 100'000;
    if (!leader_.empty()) {
      peer(leader_).say(raft::Heartbeat{leader_term_, node->raft().commit_index(), 0});
      (void)peer(leader_).take_all<raft::HeartbeatReply>();
    }
  }
}

void NodeFixture::lead_alone() {
  ZATT_ASSERT(static_cast<bool>(open()));
  for (int i = 0; i < 40 && !node->raft().is_leader(); ++i) pass_ms(50);
  ZATT_ASSERT(node->raft().is_leader());
  ZATT_ASSERT(node->last_applied() == node->raft().log().last_index());
}

void NodeFixture::greet_all() {
  for (auto& [id, other] : peers) other->connect();
}

void NodeFixture::found() {
  ZATT_ASSERT(static_cast<bool>(open()));
  greet_all();
  codec::BootstrapState shown;
  if (options.id == "0") {
    while (const auto bootstrap_state = peers.begin()->second->take<codec::BootstrapState>())
      shown = *bootstrap_state;
    ZATT_ASSERT(shown.offers.size() == 1);
  } else {
    raft::Offer offer{1, ClusterId{0xab12cd34}, {}};
    for (const auto& [id, address] : options.cluster) {
      const MemberId server = id == options.id ? node->raft().self() : peers.at(id)->server;
      offer.configuration.members.push_back({server, address, true, false, false});
    }
    shown.cluster = offer.cluster;
    shown.offers.push_back(std::move(offer));
  }
  shown.acted = shown.asks = false;
  for (auto& [id, other] : peers) {
    other->bootstrap_state = shown;
    other->say(shown);
  }
  ZATT_ASSERT(node->raft().log().last_index() == Index{1});
}

void NodeFixture::let_peers_follow() {
  for (auto& [id, other] : peers) other->follow();
}

void NodeFixture::lead() {
  found();
  for (int i = 0; i < 40 && !node->raft().is_leader(); ++i) {
    pass_ms(50);
    let_peers_follow();
  }
  for (auto& [id, other] : peers) {
    other->bootstrap_state.acted = true;
    other->bootstrap_state.offers.clear();
    other->say(other->bootstrap_state);
  }
  pass_ms(200);
  let_peers_follow();
  ZATT_ASSERT(node->raft().is_leader());
  ZATT_ASSERT(node->last_applied() == Index{2});
  for (auto& [id, other] : peers) other->forget();
}

void NodeFixture::follow(const std::string& leader, std::uint64_t term) {
  if (!node) found();
  for (auto& [id, other] : peers) {
    other->bootstrap_state.acted = true;
    other->bootstrap_state.offers.clear();
    other->say(other->bootstrap_state);
  }
  leader_ = leader;
  leader_term_ = Term{term};
  for (auto& [id, other] : peers) (void)other->take_all<codec::BootstrapState>();
  const Index last = node->raft().log().last_index();
  raft::AppendEntries append;
  append.term = leader_term_;
  append.prev_log_index = last;
  append.prev_log_term = node->raft().log().last_term();
  append.leader_commit = last;
  append.entries.push_back({last + 1, leader_term_, 0, EntryKind::noop, ""});
  peer(leader).say(append);
  leader_last = last + 1;
  peer(leader).say(raft::Heartbeat{leader_term_, leader_last, 0});
  ZATT_ASSERT(node->raft().leader() == peer(leader).server);
  ZATT_ASSERT(node->last_applied() == leader_last);
  (void)peer(leader).take_all<raft::AppendReply>();
  (void)peer(leader).take_all<raft::HeartbeatReply>();
}

void NodeFixture::leader_appends(const std::vector<std::string>& commands, bool committed) {
  raft::AppendEntries append;
  append.term = leader_term_;
  append.prev_log_index = leader_last;
  append.prev_log_term = node->raft().log().term_at(leader_last);
  append.leader_commit = committed ? leader_last + commands.size() : node->raft().commit_index();
  for (const std::string& command : commands)
    append.entries.push_back({++leader_last, leader_term_, 0, EntryKind::command, command});
  peer(leader_).say(append);
}

node::ClientId NodeFixture::client() {
  node->on_client_open(++last_client_);
  return last_client_;
}

void NodeFixture::line(node::ClientId id, const std::string& text, bool too_long) {
  std::string padded = text;
  padded.append(codec::line_slack, '\0');
  node->on_request(
      id, too_long ? codec::Request{codec::Malformed{codec::too_large(options.max_request_bytes)}}
                   : parser_.parse(std::string_view(padded).substr(0, text.size())));
}

std::vector<std::string> NodeFixture::replies(node::ClientId id) {
  return std::exchange(env.clients[id].replies, {});
}

std::string NodeFixture::ask(const std::string& text) {
  const node::ClientId id = client();
  line(id, text);
  settle();
  const std::vector<std::string> said = replies(id);
  node->on_client_closed(id);
  ZATT_ASSERT(said.size() <= 1);
  return said.empty() ? "" : said[0];
}

std::string set_command(std::string_view key, std::string_view value) {
  kv::Command command;
  command.op = kv::Op::set;
  command.key = key;
  command.value = value;
  std::string bytes;
  kv::encode(command, bytes);
  return bytes;
}

}  // namespace zatt::test
