// SPDX-License-Identifier: AGPL-3.0-or-later
// The connections between clients and nodes: lines in, lines out, each in its time.

#include <algorithm>
#include <charconv>
#include <utility>

#include "codec/json_response.h"
#include "node/client_queues.h"
#include "tests/sim/cluster.h"

namespace zatt::sim {

namespace {

constexpr std::int64_t grace_us = 20'000;  // beyond its time, before an answer is late

// As the node reads it in a request that is one.
std::uint64_t timeout_us_of(std::string_view line) {
  constexpr std::string_view pattern = "\"timeout_ms\":";
  const std::size_t at = line.rfind(pattern);
  std::uint64_t ms = codec::Request{}.timeout_ms;
  if (at != std::string_view::npos)
    std::from_chars(line.data() + at + pattern.size(), line.data() + line.size(), ms);
  return 1000 * ms;
}

// What is walked for it: leaves for a count, as costly as an item every twenty.
std::uint64_t items_of(const codec::Request& request, const codec::Response& response) {
  const auto* read = std::get_if<codec::Read>(&request.operation);
  const auto* counted = std::get_if<codec::Counted>(&response);
  if (read == nullptr || counted == nullptr) return 0;
  const auto* count = std::get_if<codec::Count>(&read->query);
  return count == nullptr || count->prefix.empty() ? 0 : counted->count / 20;
}

Event from_client(node::ClientId client, std::function<void(node::Node&)> what) {
  return {{Source::Kind::client, raw(client)}, std::move(what)};
}

}  // namespace

bool Cluster::open(NodeNumber node, node::ClientId connection) {
  Machine& machine = machines_[node];
  if (machine.process == 0) return false;
  machine.connections[connection] = {};
  enter(node, machine.process,
        from_client(connection, [=](node::Node& n) { n.on_client_open(connection); }));
  return true;
}

void Cluster::send(NodeNumber node, node::ClientId connection, std::string line) {
  Machine& machine = machines_[node];
  auto it = machine.connections.find(connection);
  if (it == machine.connections.end()) return;
  if (verbose_)
    log(node, "client " + std::to_string(raw(connection)) + " asks " + line.substr(0, 120));
  const std::uint64_t at =
      std::max(it->second.last_line_us, scheduler_.now_us() + network_.delay());
  it->second.last_line_us = at;
  line.append(codec::line_slack, '\0');
  scheduler_.at(at, [this, node, connection, process = machine.process, line = std::move(line)] {
    enter(node, process, from_client(connection, [this, node, connection, line](node::Node&) {
            auto found = machines_[node].connections.find(connection);
            if (found == machines_[node].connections.end()) return;
            Connection& to = found->second;
            to.held.push_back(line);
            to.line_bytes.push_back(line.size());
            hold(node, to, line.size());
            hand_lines(node, connection);
          }));
  });
}

void Cluster::hand_lines(NodeNumber number, node::ClientId connection) {
  Machine& machine = machines_[number];
  while (true) {
    const auto it = machine.connections.find(connection);
    if (turn_is_over(number) && it != machine.connections.end() && !it->second.held.empty()) {
      machine.deferred.push_back(from_client(
          connection, [this, number, connection](node::Node&) { hand_lines(number, connection); }));
      return;
    }
    if (it == machine.connections.end() || !it->second.wanted || it->second.held.empty()) return;
    const std::string line = std::move(it->second.held.front());
    it->second.held.pop_front();
    std::deque<std::uint64_t>& due = it->second.due_us;  // answers keep the order of the lines
    due.push_back(std::max(due.empty() ? 0 : due.back(),
                           node_time(number, now_of(number)) + timeout_us_of(line)));
    charge(number, 1, line.size());
    machine.node->on_request(connection, parser_.parse(std::string_view(line).substr(
                                             0, line.size() - codec::line_slack)));
  }
}

void Cluster::hold(NodeNumber number, Connection& connection, std::uint64_t bytes) {
  connection.bytes += bytes;
  machines_[number].client_bytes += bytes;
}

void Cluster::release(NodeNumber number, Connection& connection, std::uint64_t bytes) {
  connection.bytes -= bytes;
  machines_[number].client_bytes -= bytes;
}

void Cluster::respond(NodeNumber number, node::ClientId client, const codec::Request& request,
                      const codec::Response& response) {
  if (test::is_of_a_host(request)) return answer(number, client, test::to_answer(response));
  std::string line;
  codec::write_json(request, response, line);
  charge(number, 1 + items_of(request, response), line.size());
  reply(number, client, line);
}

// In process: a proposer has it at once.
void Cluster::answer(NodeNumber number, node::ClientId client, const test::Answer& answer) {
  checker_.on_answer(number, answer);
  scheduler_.trace(checksum(answer.text, raw(client)));
  scheduler_.trace(raw(answer.index));
  if (verbose_)
    log(number, "answers proposer " + std::to_string(raw(client)) + " " +
                    (answer.refusal ? std::string(codec::to_string(*answer.refusal))
                                    : "done at " + std::to_string(raw(answer.index))));
  proposers_.on_answer(client, answer, machines_[number].list->size());
}

void Cluster::want_requests(NodeNumber number, node::ClientId client, bool wanted) {
  if (settings_.has_proposers()) return proposers_.want_more(client, wanted);
  const auto it = machines_[number].connections.find(client);
  if (it == machines_[number].connections.end()) return;
  it->second.wanted = wanted;
  if (!wanted) return;
  scheduler_.in(0, [this, number, process = machines_[number].process, client] {
    enter(number, process,
          from_client(client, [this, number, client](node::Node&) { hand_lines(number, client); }));
  });
}

// What was written arrives, even if the node then dies; but in order with its end.
void Cluster::reply(NodeNumber number, node::ClientId client, std::string_view line) {
  checker_.on_reply(number, line);
  scheduler_.trace(checksum(line, raw(client)));
  if (verbose_)
    log(number, "answers client " + std::to_string(raw(client)) + " " +
                    std::string(line.substr(0, std::min<std::size_t>(line.size() - 1, 160))));
  const auto it = machines_[number].connections.find(client);
  if (it == machines_[number].connections.end()) return;  // its client is gone
  Connection& connection = it->second;
  check_due(number, connection);
  if (!connection.due_us.empty()) connection.due_us.pop_front();
  if (!connection.line_bytes.empty()) {
    release(number, connection, connection.line_bytes.front());
    connection.line_bytes.pop_front();
  }
  hold(number, connection, line.size());
  std::uint64_t delay = network_.delay();
  if (settings_.read_mean_us > 0 && faulty_)
    delay += prng_.below(2 * settings_.read_mean_us) * line.size() / 1024;
  connection.last_reply_us = std::max(connection.last_reply_us, now_of(number) + delay);
  connection.unread_bytes += line.size();
  machines_[number].unread_bytes += line.size();
  const std::uint64_t applied = raw(machines_[number].node->last_applied());
  scheduler_.at(connection.last_reply_us, [this, number, process = machines_[number].process,
                                           client, text = std::string(line), applied] {
    deliver_reply(number, process, client, text, applied);
  });
}

void Cluster::deliver_reply(NodeNumber number, std::uint64_t process, node::ClientId client,
                            std::string_view line, std::uint64_t applied) {
  hear(client, line.substr(0, line.size() - 1), applied);
  Machine& machine = machines_[number];
  if (machine.process != process) return;
  const auto it = machine.connections.find(client);
  if (it == machine.connections.end()) return;
  const std::uint64_t before = machine.unread_factor * it->second.unread_bytes;
  it->second.unread_bytes -= line.size();
  machine.unread_bytes -= line.size();
  release(number, it->second, line.size());
  const std::uint64_t after = machine.unread_factor * it->second.unread_bytes;
  constexpr std::uint64_t half = 1 << 19;
  if (std::exchange(machine.room_is_wanted, false))
    enter(number, process, from_client(client, [](node::Node&) {}));
  if (before >= half && after < half) {
    it->second.read_on_us = scheduler_.now_us();
    enter(number, process,
          from_client(client, [client](node::Node& n) { n.on_client_room(client); }));
  }
}

// A process that stood still answers once it goes on, a read whose client does not read once it
// does.
void Cluster::check_due(NodeNumber number, const Connection& connection) {
  const Machine& machine = machines_[number];
  if (connection.due_us.empty() || machine.paused_until_us > scheduler_.now_us()) return;
  if (machine.unread_factor * connection.unread_bytes >= node::max_unread_bytes) return;
  // By a clock that has stood still, moments before its start are below 0.
  const auto clock = [&](std::uint64_t us) {
    return static_cast<std::int64_t>(node_time(number, us));
  };
  const std::int64_t now = clock(now_of(number));
  const std::int64_t due = std::max(static_cast<std::int64_t>(connection.due_us.front()),
                                    clock(std::max(machine.went_on_us, connection.read_on_us)));
  if (now > due + grace_us)
    checker_.fail(Invariant::answered_in_time,
                  "node " + std::to_string(number) + " has let a request wait " +
                      std::to_string((now - due) / 1000) + " ms longer than it was to");
}

void Cluster::close(NodeNumber node, node::ClientId connection) {
  Machine& machine = machines_[node];
  if (const auto it = machine.connections.find(connection); it != machine.connections.end()) {
    check_due(node, it->second);
    release(node, it->second, it->second.bytes);
    machine.unread_bytes -= it->second.unread_bytes;
  }
  machine.connections.erase(connection);
  if (machine.process == 0) return;
  scheduler_.in(network_.delay(), [this, node, connection, process = machine.process] {
    enter(node, process,
          from_client(connection, [=](node::Node& n) { n.on_client_closed(connection); }));
  });
}

void Cluster::close_connections(NodeNumber number) {
  const auto connections = std::exchange(machines_[number].connections, {});
  machines_[number].client_bytes = machines_[number].unread_bytes = 0;
  for (const auto& [id, connection] : connections) {
    const std::uint64_t at = std::max(connection.last_reply_us, scheduler_.now_us()) + 1;
    scheduler_.at(at, [this, client = id] { hear(client, std::nullopt, 0); });
  }
}

void Cluster::hear(node::ClientId client, std::optional<std::string_view> line,
                   std::uint64_t applied) {
  if (client >= first_own_connection)
    return on_own_connection ? on_own_connection(client, line) : void();
  line ? workload_.on_reply(client, *line, applied) : workload_.on_closed(client);
}

}  // namespace zatt::sim
