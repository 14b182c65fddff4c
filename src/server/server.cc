// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/server.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/random_seed.h"
#include "server/descriptors.h"
#include "server/json_lines_protocol.h"
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
      disk_(loop),
      lingering_close_(loop),
      clients_(loop, lingering_close_, limits, events_.log),
      links_(loop, lingering_close_, prng_.next(), input_, events_.log),
      acceptor_(lingering_close_, std::move(listener), *this, events_.log),
      turn_(
          loop, [this] { after_poll(); }, [this] { before_wait(); }),
      wake_timer_(loop, turn_),
      stop_timer_(loop, [this] { ending_ = std::max(ending_, Ending::at_once); }) {}

Server::~Server() = default;

void Server::on_peer(Transport transport, std::string_view first) {
  links_.add(std::move(transport), first);
}

void Server::on_client(Transport transport, std::string_view first, bool ended) {
  const auto make = [this](const Connection& connection) {
    return std::make_unique<JsonLinesProtocol<NodeInput>>(connection, input_, parser_,
                                                          max_line_bytes_);
  };
  clients_.add(std::move(transport), make, first, ended);
}

Status Server::open(const node::Options& options, std::unique_ptr<storage::Disk> disk,
                    node::Service& service) {
  members_ = options.cluster.size();
  auto node = node::Node::open(options, *this, disk_.set_disk(std::move(disk)), service);
  if (!node) return node.error();
  node_ = std::move(*node);
  return ok;
}

Status Server::start() {
  ZATT_ASSERT(node_ != nullptr);
  const Address address = acceptor_.address();
  if (const Status open = acceptor_.open(); !open) return cannot_listen(open.error(), address);
  started_ = true;
  if (!stop_reason_) input_.begin(*node_);
  node_->start();
  turn_.run_again();
  return ok;
}

void Server::stop() {
  if (ending_ == Ending::done) return;
  const bool is_first = ending_ == Ending::no;
  ending_ = is_first && input_.is_serving() ? Ending::in_flight : Ending::at_once;
  turn_.run_again();
  if (!is_first) return;
  acceptor_.close();
  stop_timer_.start(stop_limit_ms);
  if (input_.is_serving()) node_->shut_down();
}

node::ClientId Server::open_local(InProcessClient& client) {
  ZATT_ASSERT(started_);
  const node::ClientId id = clients_.add_in_process(client);
  input_.on_client_open(id);
  return id;
}

void Server::close_local(node::ClientId id) {
  clients_.close(id);
  input_.on_client_closed(id);
}

void Server::ask(node::ClientId id, codec::Request request) {
  input_.on_request(id, std::move(request));
  turn_.run_again();
}

bool Server::has_room() const {
  return acceptor_.size() + clients_.connections() + lingering_close_.size() <
         descriptors_for_clients(members_);
}

void Server::after_poll() {
  if (!wake_timer_.take_fired()) return;
  if (input_.is_serving() && now_us() >= node_->wake_at_us()) node_->on_time();
}

void Server::before_wait() {
  if (ending_ == Ending::done || (!started_ && ending_ == Ending::no)) return;
  links_.reap();
  if (node_ != nullptr) clients_.set_request_bytes(node_->request_bytes());
  clients_.process_ready();
  if (input_.is_serving()) node_->flush();
  clients_.write_out();  // also when the node has just given up: this was said before
  links_.flush();
  tell_state();
  if (is_done()) return finish();
  wake_timer_.set(node_->wake_at_us());
  if (links_.has_work() || clients_.has_work()) turn_.run_again();
}

void Server::tell_state() {
  if (!events_.on_state || !started_) return;
  node::NodeState now = node_->state();
  if (state_ == now) return;
  state_ = std::move(now);
  events_.on_state(*state_);
}

bool Server::is_done() const {
  if (stop_reason_) return true;
  if (ending_ == Ending::no) return false;
  if (ending_ == Ending::at_once) return true;
  return node_->is_idle() && clients_.waiting_bytes() == 0;
}

void Server::finish() {
  ending_ = Ending::done;
  wake_timer_.stop();
  stop_timer_.stop();
  acceptor_.close();
  events_.on_stopped(stop_reason_.value_or(node::StopReason::asked));
}

std::uint64_t Server::now_us() { return loop::now_us(); }
std::uint64_t Server::wall_us() { return server::wall_us(); }

std::uint64_t Server::random() { return prng_.next(); }

void Server::submit(storage::Batch batch) {
  disk_.submit(std::move(batch), [this](storage::BatchResult result) {
    if (input_.is_serving()) node_->on_disk(std::move(result));
  });
}

void Server::read(storage::Batch batch) {
  disk_.read(std::move(batch), [this](storage::BatchResult result) {
    if (input_.is_serving()) node_->on_read(std::move(result));
  });
}

void Server::dial(std::vector<node::PeerAddress> peers) { links_.dial(std::move(peers)); }

void Server::send(node::LinkId link, node::Priority priority, std::string frame) {
  links_.send(link, priority, std::move(frame));
}

std::uint64_t Server::unsent_bytes(node::LinkId link) { return links_.unsent_bytes(link); }

void Server::close_link(node::LinkId link) { links_.close(link); }

void Server::respond(node::ClientId client, const codec::Request& request,
                     const codec::Response& response) {
  clients_.respond(client, request, response);
}

void Server::close_client(node::ClientId client) { clients_.close(client); }

void Server::want_requests(node::ClientId client, bool wanted) {
  clients_.want_requests(client, wanted);
}

void Server::log(node::LogLevel level, std::string_view line) { events_.log(level, line); }

void Server::stop(node::StopReason reason) {
  if (!stop_reason_) stop_reason_ = reason;
  input_.end();
  turn_.run_again();
}

}  // namespace zatt::server
