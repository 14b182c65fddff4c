// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/node.h"

#include <utility>

#include "node/recovery.h"
#include "node/replica.h"

namespace zatt::node {

struct Node::Impl {
  Replica replica;
};

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::open(const Options& options, Env& env, storage::Disk& disk,
                                         StateMachine& machine, kv::Store* store) {
  auto opened = open_directory(options, env, disk);
  if (!opened) return opened.error();
  const std::uint64_t start = env.random() | 1;  // never 0, which means "not known yet"
  return std::unique_ptr<Node>(new Node(std::unique_ptr<Impl>(new Impl{Replica(
      options, env, machine, store, std::move(opened->storage), std::move(opened->raft), start)})));
}

void Node::start() { impl_->replica.start(); }

void Node::on_link_up(LinkId link, std::optional<std::string> dialed) {
  if (!impl_->replica.is_stopped()) impl_->replica.on_link_up(link, std::move(dialed));
}

void Node::on_frame(LinkId link, std::string_view frame) {
  if (!impl_->replica.is_stopped()) impl_->replica.links().on_frame(link, frame);
}

void Node::on_link_down(LinkId link, std::string_view why) {
  impl_->replica.links().on_link_down(link, why);
}

void Node::on_dial_failed(const std::string& id, std::string_view why) {
  impl_->replica.on_dial_failed(id, why);
}

void Node::on_client_open(ClientId client) { impl_->replica.clients().open(client); }

void Node::on_line(ClientId client, std::string_view line, bool too_long) {
  if (impl_->replica.takes_requests()) impl_->replica.on_line(client, line, too_long);
}

void Node::on_propose(ClientId client, std::string command, std::uint32_t timeout_ms) {
  if (impl_->replica.takes_requests())
    impl_->replica.on_propose(client, std::move(command), timeout_ms);
}

void Node::on_barrier(ClientId client, std::uint32_t timeout_ms) {
  if (impl_->replica.takes_requests()) impl_->replica.on_barrier(client, timeout_ms);
}

void Node::on_client_room(ClientId client) { impl_->replica.on_client_room(client); }
void Node::on_client_end(ClientId client) { impl_->replica.clients().end(client); }
void Node::on_client_closed(ClientId client) { impl_->replica.clients().close(client); }

void Node::on_disk(storage::BatchResult result) { impl_->replica.on_disk(std::move(result)); }
void Node::on_time() { impl_->replica.on_time(); }
std::uint64_t Node::wake_at_us() const { return impl_->replica.wake_at_us(); }
void Node::flush() { impl_->replica.flush(); }
void Node::shut_down() { impl_->replica.shut_down(); }
bool Node::is_idle() const { return impl_->replica.is_idle(); }
NodeState Node::state() const { return impl_->replica.state(); }
const raft::Raft& Node::raft() const { return impl_->replica.raft(); }
Index Node::last_applied() const { return impl_->replica.last_applied(); }
std::size_t Node::backlog() const { return impl_->replica.backlog(); }
std::string Node::why_no_leader() const { return impl_->replica.why_no_leader(); }

}  // namespace zatt::node
