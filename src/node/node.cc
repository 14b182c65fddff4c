// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/node.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "node/recovery.h"

namespace zatt::node {
namespace {

Priority priority_of(const raft::Message& message) {
  return std::holds_alternative<raft::AppendEntries>(message) ? Priority::bulk : Priority::control;
}

}  // namespace

Result<std::unique_ptr<Node>> Node::open(const Options& options, Env& env, storage::Disk& disk,
                                         Service& service) {
  auto opened = open_directory(options, env, disk);
  if (!opened) return opened.error();
  return std::unique_ptr<Node>(
      new Node(options, env, service, std::move(opened->storage), std::move(opened->raft)));
}

Node::Node(const Options& options, Env& env, Service& service,
           std::unique_ptr<storage::Storage> storage, std::unique_ptr<raft::Raft> raft)
    : options_(options),
      env_(env),
      service_(service),
      raft_(std::move(raft)),
      persister_(options_, env, *raft_, std::move(storage)),
      connections_(env, *this, BootId{env.random() | 1},
                   options_.instrumentation),  // 0: not known yet
      peers_(options_, env),
      bootstrapper_(options_, env, *raft_, persister_, connections_),
      clients_(options_, env, service),
      writes_(options_, env, *raft_, persister_, connections_, clients_),
      reads_(options_, *raft_, connections_, clients_),
      applier_(options_, env, *raft_, service.machine(), persister_,
               [this](Index index, Term term, std::string_view reply) {
                 writes_.on_applied(index, term, reply);
               }),
      responder_(options_, env, service, clients_),
      status_({options_, env, *raft_, persister_, connections_, peers_, bootstrapper_}),
      dispatcher_({options_, env, *raft_, persister_, connections_, peers_, status_, clients_,
                   writes_, reads_}) {}

Node::~Node() = default;

void Node::start() {
  status_.start();
  look_after_connections_at_us_ = env_.now_us() + 1'000'000;
  std::vector<PeerAddress> peers;
  for (const auto& [id, address] : options_.cluster)
    if (id > options_.id) peers.push_back({id, address});  // the lower id dials
  env_.dial(std::move(peers));
  carry_out(bootstrapper_.drop_abandoned());
  post(raft::Tick{});
  carry_out(bootstrapper_.pursue());
  flush();
}

// --- the core ------------------------------------------------------------------------------------

void Node::post(Event event) {
  if (is_closing()) return;
  // What these borrow does not live until the step under way has ended.
  ZATT_ASSERT(!stepping_ || (!std::holds_alternative<raft::Received>(event) &&
                             !std::holds_alternative<raft::Fetched>(event)));
  if (stepping_) return events_.push_back(std::move(event));
  stepping_ = true;
  step(std::move(event));
  for (; !events_.empty(); events_.pop_front()) step(std::move(events_.front()));
  stepping_ = false;
}

void Node::step(Event&& event) {
  distribute(raft_->step({env_.now_us(), env_.wall_us(), std::move(event)}));
}

void Node::distribute(const raft::Output& output) {
  persister_.take(output);
  writes_.on_proposed(output.proposed);
  send(output.messages);
  if (const auto applied = applier_.apply_committed()) post(*applied);
  reads_.on_read_states(output.reads);
  reads_.on_applied(applier_.last_applied());
  if (status_.note_changes()) {
    reads_.give_up_unreachable();
    clients_.wake_waiting();
  }
  if (bootstrapper_.has_acted() && !std::exchange(acted_shown_, true)) show_bootstrap_state();
}

void Node::send(const std::vector<raft::Envelope>& envelopes) {
  for (const raft::Envelope& envelope : envelopes) {
    PeerConnection* peer = connections_.find(envelope.to);
    if (peer == nullptr || !bootstrapper_.is_same_cluster(*peer)) continue;
    if (!is_withheld(*peer, envelope.message))
      connections_.send(*peer, priority_of(envelope.message), envelope.message);
  }
}

// Entries are sent again when no answer comes in time. Over a link that is that slow the first ones
// still wait here, and more of them would only make it worse.
bool Node::is_withheld(const PeerConnection& peer, const raft::Message& message) const {
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  return append != nullptr && !append->entries.empty() &&
         connections_.unsent_bytes(peer.id) >
             2 * (options_.max_in_flight_bytes + options_.max_request_bytes);
}

void Node::apply_committed() {
  if (const auto applied = applier_.apply_committed()) post(*applied);
  reads_.on_applied(applier_.last_applied());
}

// --- the disk ------------------------------------------------------------------------------------

void Node::on_disk(storage::BatchResult result) {
  if (phase_ == Phase::stopped) return;
  const Persister::Done done = persister_.on_disk(std::move(result));
  if (done.was_slow) status_.stir();
  if (has_failed(done) || is_closing()) return;
  if (done.persisted) post(raft::Persisted{*done.persisted});
  if (done.room_changed) {
    const bool enough = persister_.told_room() == DiskSpace::enough;
    hit(options_.instrumentation, enough ? CoveragePoint::disk_has_room : CoveragePoint::disk_full);
    status_.stir();
    post(raft::DiskSpaceChanged{persister_.told_room()});
  }
  if (done.bootstrap_durable) {
    show_bootstrap_state();
    carry_out(bootstrapper_.pursue());
  }
}

void Node::on_read(storage::BatchResult result) {
  if (phase_ == Phase::stopped) return;
  const Persister::Done done = persister_.on_read(std::move(result));
  if (has_failed(done) || is_closing()) return;
  for (const storage::Storage::ReadDone& read : done.reads) {
    const bool for_applier = applier_.take_read(read);
    auto fetched = for_applier ? std::nullopt : persister_.fetched(read);
    if (for_applier || fetched) hit(options_.instrumentation, CoveragePoint::entries_read_back);
    if (for_applier) apply_committed();
    if (fetched) post(std::move(*fetched));
  }
}

bool Node::has_failed(const Persister::Done& done) {
  if (!done.error) return false;
  // What the kernel has dropped cannot be synced later: nothing more is said on its strength.
  hit(options_.instrumentation, CoveragePoint::disk_failed);
  stop(options_.storage + ": " + to_string(*done.error) +
           "; this node stops, and on its next start believes only what it can read back",
       done.error->code == Code::corrupt ? StopReason::storage_corrupt : StopReason::disk_failed);
  return true;
}

void Node::stop(const std::string& why, StopReason reason) {
  phase_ = Phase::stopped;
  env_.log(LogLevel::error, why);
  env_.stop(reason);
}

// --- time ----------------------------------------------------------------------------------------

void Node::on_time() {
  if (is_closing()) return;
  const std::uint64_t now = env_.now_us();
  // A disk that is busy with a long batch does not hang.
  if (const auto alive = persister_.shows_progress()) post(raft::Persisted{*alive});
  if (now >= raft_->wake_at_us()) post(raft::Tick{});
  if (now >= applier_.wake_at_us()) apply_committed();
  dispatcher_.expire();
  if (now >= look_after_connections_at_us_) look_after_connections();
  status_.on_time();
}

std::uint64_t Node::wake_at_us() const {
  if (is_closing()) return never_us;
  if (clients_.dirty() > 0) return env_.now_us();  // left by this turn
  if (writes_.has_proposals() && !writes_.is_waiting()) return env_.now_us();
  return std::min({writes_.wake_at_us(), raft_->wake_at_us(), applier_.wake_at_us(),
                   clients_.deadlines().next_us(), look_after_connections_at_us_,
                   status_.wake_at_us(), persister_.wake_at_us()});
}

void Node::shut_down() {
  if (phase_ != Phase::running) return;
  phase_ = Phase::draining;
  clients_.refuse_waiting();
}

std::size_t Node::backlog() const {
  return clients_.pending() + clients_.dirty() + writes_.backlog() + reads_.backlog();
}

}  // namespace zatt::node
