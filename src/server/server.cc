// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/server.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/random_seed.h"
#include "server/descriptors.h"
#include "server/wall_clock.h"

namespace zatt::server {
namespace {

Error cannot_listen(const Error& error, const Address& address) {
  const std::string where = to_string(address);
  switch (error.sys) {
    case 0:
      return error;
    case EADDRINUSE:
      return {Code::io, 0, "", where + " is in use; is this node running already? see ss -ltnp"};
    case EADDRNOTAVAIL:
      return {Code::io, 0, "",
              where +
                  " is no address of this machine: is this the right id for it? Behind NAT, or to "
                  "listen on all addresses, give -a 0.0.0.0"};
    case EACCES:
      return {Code::io, 0, "",
              "no permission to listen on " + where + "; choose a port above 1023"};
    default:
      return {Code::io, error.sys, "", "cannot listen on " + where};
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(loop::Loop& loop, const Address& listen,
                                               const ClientLimits& limits, Events events) {
  auto listener = loop::Listener::bind(loop, listen);
  if (!listener) return cannot_listen(listener.error(), listen);
  return std::unique_ptr<Server>(new Server(loop, std::move(*listener), limits, std::move(events)));
}

Server::Server(loop::Loop& loop, loop::Listener listener, const ClientLimits& limits, Events events)
    : events_(std::move(events)),
      max_line_bytes_(limits.max_line_bytes),
      prng_(random_seed()),
      disk_thread_(loop),
      lingering_close_(loop),
      clients_(loop, lingering_close_, limits, client_events()),
      links_(loop, lingering_close_, prng_.next(), link_events()),
      acceptor_(lingering_close_, std::move(listener), door_events()),
      timer_(loop,
             [this] {
               timer_fired_ = true;
               turn_.run_again();
             }),
      stop_timer_(loop, [this] { out_of_patience_ = true; }),
      turn_(
          loop, [this] { after_poll(); }, [this] { before_wait(); }) {}

Server::~Server() = default;

Acceptor::Events Server::door_events() {
  return {.on_peer = [this](loop::Stream stream,
                            std::string_view first) { links_.add(std::move(stream), first); },
          .on_client = [this](loop::Stream stream, std::string_view first,
                              bool ended) { clients_.add(std::move(stream), first, ended); },
          .has_room = [this] { return has_room(); },
          .log = events_.log};
}

// From here on, what reaches the node: nothing once it has given up.
Clients::Events Server::client_events() {
  return {.on_open =
              [this](node::ClientId id) {
                if (is_serving()) node_->on_client_open(id);
              },
          .on_line =
              [this](node::ClientId id, std::string_view line, bool too_long) {
                if (is_serving()) node_->on_line(id, line, too_long);
              },
          .on_end =
              [this](node::ClientId id) {
                if (is_serving()) node_->on_client_end(id);
              },
          .on_closed =
              [this](node::ClientId id) {
                if (is_serving()) node_->on_client_closed(id);
              },
          .on_room =
              [this](node::ClientId id) {
                if (is_serving()) node_->on_client_room(id);
              },
          .log = events_.log};
}

PeerLinks::Events Server::link_events() {
  return {.on_up =
              [this](node::LinkId id, std::optional<std::string> dialed) {
                if (is_serving()) node_->on_link_up(id, std::move(dialed));
              },
          .on_frame =
              [this](node::LinkId id, std::string_view frame) {
                if (is_serving()) node_->on_frame(id, frame);
              },
          .on_down =
              [this](node::LinkId id, std::string_view why) {
                if (is_serving()) node_->on_link_down(id, why);
              },
          .on_dial_failed =
              [this](const std::string& id, std::string_view why) {
                if (is_serving()) node_->on_dial_failed(id, why);
              },
          .log = events_.log};
}

Status Server::open(const node::Options& options, std::unique_ptr<storage::Disk> disk,
                    StateMachine& machine, kv::Machine* store) {
  members_ = options.cluster.size();
  disk_ = std::move(disk);
  auto node = node::Node::open(options, *this, *disk_, machine, store);
  if (!node) return node.error();
  node_ = std::move(*node);
  return ok;
}

Status Server::start() {
  ZATT_ASSERT(node_ != nullptr);
  const Address address = acceptor_.address();
  if (const Status open = acceptor_.open(); !open) return cannot_listen(open.error(), address);
  started_ = true;
  node_->start();
  turn_.run_again();
  return ok;
}

void Server::stop() {
  if (finished_) return;
  if (stopping_ || !is_serving()) out_of_patience_ = true;
  turn_.run_again();
  if (stopping_) return;
  stopping_ = true;
  acceptor_.close();
  stop_timer_.start(stop_limit_ms);
  if (is_serving()) node_->shut_down();
}

node::ClientId Server::open_local(InProcessClient& client) {
  ZATT_ASSERT(started_);
  const node::ClientId id = clients_.take_id();
  locals_.open(id, client);
  node_->on_client_open(id);
  return id;
}

void Server::close_local(node::ClientId id) {
  locals_.close(id);
  node_->on_client_closed(id);
}

void Server::ask_line(node::ClientId id, std::string_view line) {
  if (!is_serving()) return;
  const bool too_long = line.size() > max_line_bytes_;
  node_->on_line(id, too_long ? std::string_view() : line, too_long);
  turn_.run_again();
}

void Server::propose(node::ClientId id, std::string command, std::uint32_t timeout_ms) {
  if (!is_serving()) return;
  node_->on_propose(id, std::move(command), timeout_ms);
  turn_.run_again();
}

void Server::ask_barrier(node::ClientId id, std::uint32_t timeout_ms) {
  if (!is_serving()) return;
  node_->on_barrier(id, timeout_ms);
  turn_.run_again();
}

bool Server::has_room() const {
  return acceptor_.size() + clients_.size() + lingering_close_.size() <
         descriptors_for_clients(members_);
}

void Server::after_poll() {
  if (!timer_fired_) return;
  timer_fired_ = false;
  timer_set_for_us_ = 0;
  if (is_serving() && now_us() >= node_->wake_at_us()) node_->on_time();
}

void Server::before_wait() {
  if (finished_ || !(started_ || stopping_)) return;
  links_.reap();
  clients_.process_ready();
  locals_.process_ready();
  if (is_serving()) node_->flush();
  clients_.write_out();  // also when the node has just given up: this was said before
  links_.flush();
  tell_state();
  if (is_done()) return finish();
  set_timer();
  if (links_.has_work() || clients_.has_work() || locals_.has_work()) turn_.run_again();
}

void Server::tell_state() {
  if (!events_.on_state || !started_) return;
  node::NodeState now = node_->state();
  if (state_ == now) return;
  state_ = std::move(now);
  events_.on_state(*state_);
}

void Server::set_timer() {
  const std::uint64_t wake_us = node_->wake_at_us();
  if (wake_us == timer_set_for_us_) return;
  timer_set_for_us_ = wake_us;
  const std::uint64_t now = now_us();
  // The loop counts whole milliseconds: one more, so that it does not wake just before the time.
  const std::uint64_t wait_ms = wake_us > now ? (wake_us - now) / 1000 + 1 : 0;
  if (wake_us == UINT64_MAX) {
    timer_.stop();
  } else {
    timer_.start(wait_ms);
  }
}

bool Server::is_done() const {
  if (exit_code_) return true;
  if (!stopping_) return false;
  if (out_of_patience_) return true;
  return node_->is_idle() && clients_.waiting_bytes() == 0;
}

void Server::finish() {
  finished_ = true;
  timer_.stop();
  stop_timer_.stop();
  acceptor_.close();
  events_.on_stopped(exit_code_.value_or(0));
}

std::uint64_t Server::now_us() { return loop::now_us(); }
std::uint64_t Server::wall_us() { return server::wall_us(); }

std::uint64_t Server::random() { return prng_.next(); }

void Server::submit(storage::Batch batch) {
  disk_thread_.submit(
      [this, work = std::move(batch)] { disk_result_ = storage::run(*disk_, work); },
      [this] {
        if (is_serving()) node_->on_disk(std::move(disk_result_));
      });
}

void Server::dial(std::vector<node::PeerAddress> peers) { links_.dial(std::move(peers)); }

void Server::send(node::LinkId link, node::Priority priority, std::string frame) {
  links_.send(link, priority, std::move(frame));
}

void Server::close_link(node::LinkId link) { links_.close(link); }

std::uint64_t Server::unread_bytes(node::ClientId client) { return clients_.unread_bytes(client); }

void Server::reply(node::ClientId client, std::string_view lines) {
  if (locals_.holds(client)) return locals_.reply(client, lines);
  clients_.reply(client, lines);
}

void Server::answer(node::ClientId client, const node::Answer& answer) {
  locals_.answer(client, answer);
}

void Server::close_client(node::ClientId client) { clients_.close(client); }

void Server::want_lines(node::ClientId client, bool wanted) {
  if (locals_.holds(client)) return locals_.want_lines(client, wanted);
  clients_.want_lines(client, wanted);
}

void Server::log(node::LogLevel level, std::string_view line) { events_.log(level, line); }

void Server::stop(int exit_code) {
  if (!exit_code_) exit_code_ = exit_code;
  turn_.run_again();
}

}  // namespace zatt::server
