// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/workload.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "json/reader.h"

namespace zatt::sim {
namespace {

constexpr std::uint16_t first_port = 5254;
constexpr std::size_t most_loaders = 60;
constexpr std::uint64_t connections_a_client = 1'000'000;

// What an answer means to the history; nothing where no server or client may say it.
std::optional<Op::Outcome> outcome_of(client::Outcome outcome, bool write) {
  switch (outcome) {
    case client::Outcome::ok:
      return Op::Outcome::done;
    case client::Outcome::condition_failed:
      if (write) return Op::Outcome::condition_failed;
      return std::nullopt;
    case client::Outcome::outcome_unknown:
      if (write) return Op::Outcome::unknown;
      return std::nullopt;
    case client::Outcome::unavailable:
      if (!write) return Op::Outcome::failed;
      return std::nullopt;
    case client::Outcome::no_leader:
    case client::Outcome::no_server:
    case client::Outcome::overloaded:
    case client::Outcome::storage_full:
    case client::Outcome::canceled:
    case client::Outcome::shutting_down:
      return Op::Outcome::failed;
    default:
      return std::nullopt;
  }
}

}  // namespace

Address address_of(NodeNumber node) {
  return {"127.0.0.1", static_cast<std::uint16_t>(first_port + node)};
}

Workload::Workload(const Settings& settings, Scheduler& scheduler, Lines& lines, Coverage& coverage)
    : settings_(settings),
      scheduler_(scheduler),
      lines_(lines),
      coverage_(coverage),
      prng_(settings.seed ^ 0xc11e27),
      requests_(settings, prng_, coverage),
      customers_(settings.clients) {
  customers_.reserve(settings.clients + settings.nodes + 2 + most_loaders);
}

void Workload::start() {
  // Some only read: a write that hangs would keep their reads from being asked.
  static constexpr std::uint64_t mixes[] = {0, 0, 10, 55, 55, 90};
  for (std::size_t i = 0; i < customers_.size(); ++i) {
    Customer& customer = customers_[i];
    customer.write_percent = mixes[prng_.below(std::size(mixes))];
    customer.stays = prng_.chance(1, 3) ? 2 : 30;
    customer.wanders = prng_.chance(1, 3) || settings_.clients_wander;
    if (i == 0) customer.write_percent = 55;
    renew(customer);
    act_later(i);
  }
  if (customers_.empty()) return;
  visitors_ = customers_.size();
  for (int i = 0; i < 2; ++i) {
    Customer& visitor = customers_.emplace_back();
    visitor.visits = true;
    renew(visitor);
  }
}

void Workload::calm_down() {
  calm_ = true;
  for (Customer& customer : customers_)
    if (customer.visits) renew(customer);  // they wait for nothing any more
}

void Workload::probe(NodeNumber node) {
  Customer& customer = customers_.emplace_back();
  customer.probes = node;
  renew(customer);
  act_later(customers_.size() - 1);
}

// Half of them find the leader, the others stay where they are.
void Workload::begin_load() {
  asking_ = true;
  using Load = Settings::Load;
  static constexpr std::size_t counts[] = {0, 8, 4, 20, 40, most_loaders};
  const std::size_t count = counts[static_cast<std::size_t>(settings_.load)];
  for (std::size_t i = 0; i < count; ++i) {
    Customer& customer = customers_.emplace_back();
    customer.loads = true;
    customer.wanders = settings_.load != Load::documents && i % 2 == 0;
    renew(customer);
    act_later(customers_.size() - 1);
  }
}

void Workload::ask_load(Customer& customer) {
  static constexpr std::uint64_t pieces[] = {0, 200, 64, 1, 1, 4};
  for (std::uint64_t i = 0; i < pieces[static_cast<std::size_t>(settings_.load)]; ++i) {
    Op op;
    op.invoked_us = scheduler_.now_us();
    client::Request request = requests_.make_load(op, i);
    ask(customer, std::move(op), std::move(request));
  }
}

bool Workload::probes_are_done() const {
  return std::all_of(customers_.begin(), customers_.end(), [](const Customer& customer) {
    return !customer.probes || (customer.wrote && customer.read);
  });
}

std::uint64_t Workload::overdue_us() const {
  std::uint64_t most = 0;
  for (const Customer& customer : customers_)
    for (const auto& [token, op] : customer.asked) {
      const std::uint64_t due = ops_[op].invoked_us + timeout_us(customer);
      if (scheduler_.now_us() > due) most = std::max(most, scheduler_.now_us() - due);
    }
  return most;
}

bool Workload::is_at_rest() const {
  return std::all_of(customers_.begin(), customers_.end(),
                     [](const Customer& customer) { return customer.asked.empty(); });
}

// --- what a customer does ------------------------------------------------------------------------

void Workload::act_later(std::size_t number) {
  if (customers_[number].due) return;
  customers_[number].due = true;
  std::uint64_t think_us = settings_.think_mean_us;
  if (calm_) think_us = std::max<std::uint64_t>(think_us, 100'000 * customers_.size());
  if (customers_[number].probes) think_us = 10'000;
  if (customers_[number].loads) think_us = 2'000;
  scheduler_.in(prng_.below(2 * think_us) + 1, [this, number] { act(number); });
}

void Workload::act(std::size_t number) {
  Customer& customer = customers_[number];
  customer.due = false;
  if (!asking_) return;
  if (customer.probes) {
    if (customer.wrote && customer.read) return;
    if (customer.asked.empty()) ask(customer, customer.wrote ? 0 : 100);
  } else if (customer.loads) {
    if (customer.asked.empty()) ask_load(customer);
  } else if (is_idle_time()) {
    // nobody asks for a while
  } else if (prng_.chance(1, customer.asked.empty() ? customer.stays : 300)) {
    coverage_.count(customer.asked.empty() ? Action::client_moved : Action::request_abandoned);
    renew(customer);  // moves on at rest, or leaves in the middle
  } else {
    const bool bursts = prng_.chance(1, 3) && !calm_;
    const std::uint64_t burst = bursts ? prng_.between(1, settings_.depth) : 1;
    for (std::uint64_t i = 0; i < burst && customer.asked.size() < settings_.depth; ++i)
      ask(customer, customer.write_percent);
  }
  process_ready(number);
  act_later(number);
}

void Workload::visit(NodeNumber node, bool writes) {
  if (!asking_ || calm_ || !visitors_) return;
  const std::size_t number = *visitors_ + (writes ? 1 : 0);
  Customer& customer = customers_[number];
  // A new client asks who leads before it asks anything else.
  const bool is_there = customer.connection != node::ClientId{} && customer.node == node &&
                        customer.client->is_open();
  if (writes || !is_there) renew(customer, node);
  for (int i = writes ? 1 : 0; i < 2; ++i) ask(customer, writes ? 100 : 0);
  process_ready(number);
}

bool Workload::is_idle_time() const {
  return settings_.idle_every_us > 0 && scheduler_.now_us() / settings_.idle_every_us % 2 == 1;
}

// A probe is patient: what it finds out is whether an answer comes at all. So is a visitor.
std::uint64_t Workload::timeout_us(const Customer& customer) const {
  return 1000 * (customer.probes || customer.visits || customer.loads
                     ? std::max<std::uint64_t>(settings_.timeout_ms, 3'000)
                     : settings_.timeout_ms);
}

// Another client, as if the program had been started again.
void Workload::renew(Customer& customer, std::optional<NodeNumber> node) {
  if (customer.client) {
    customer.client->close();
    collect(customer, 0);
    ZATT_ASSERT(customer.asked.empty());
    leave(customer);
  }
  client::Options options;
  options.seed = prng_.next();
  options.pin_server = !customer.wanders;
  const auto drawn = static_cast<NodeNumber>(prng_.below(settings_.nodes));
  const NodeNumber first = node.value_or(customer.probes.value_or(drawn));
  for (NodeNumber i = 0; i < (customer.wanders ? settings_.nodes : 1); ++i)
    options.servers.push_back(address_of((first + i) % settings_.nodes));
  customer.client = std::make_unique<client::Client>(std::move(options));
  customer.client_number = ++last_client_;
  customer.wake_at_us = never_us;
}

void Workload::ask(Customer& customer, std::uint64_t write_percent) {
  Op op;
  op.invoked_us = scheduler_.now_us();
  client::Request request = requests_.make(op, write_percent);
  if (customer.probes && customer.wrote) request.stale = false;
  ask(customer, std::move(op), std::move(request));
}

void Workload::ask(Customer& customer, Op op, client::Request request) {
  const auto token = customer.client->ask(std::move(request), timeout_us(customer), op.invoked_us);
  ZATT_ASSERT(token);
  customer.asked[*token] = ops_.size();
  ops_.push_back(std::move(op));
}

// --- a client's world ----------------------------------------------------------------------------

void Workload::process_ready(std::size_t number, std::uint64_t applied) {
  Customer& customer = customers_[number];
  follow(number);
  send(customer);
  collect(customer, applied);
  wake_later(number);
}

// The connection that the client wants, in place of the one there is.
void Workload::follow(std::size_t number) {
  Customer& customer = customers_[number];
  const auto& wanted = customer.client->connection();
  if ((wanted ? wanted->number : 0) == customer.number) return;
  leave(customer);
  if (wanted) connect(number);
}

void Workload::connect(std::size_t number) {
  Customer& customer = customers_[number];
  const auto& wanted = *customer.client->connection();
  customer.number = wanted.number;
  customer.node = static_cast<NodeNumber>(wanted.server.port - first_port);
  const node::ClientId connection = customer.connection = ++last_connection_;
  by_connection_[connection] = number;
  const bool there = lines_.open(customer.node, connection);
  const std::uint64_t delay = settings_.delay_min_us + prng_.below(2 * settings_.delay_mean_us);
  scheduler_.in(delay, [this, number, connection, there] {
    Customer& who = customers_[number];
    if (who.connection != connection) return;
    if (!there) return on_closed(connection);
    who.client->on_connected(who.number, scheduler_.now_us());
    process_ready(number);
  });
}

void Workload::leave(Customer& customer) {
  if (customer.connection != node::ClientId{}) {
    by_connection_.erase(customer.connection);
    lines_.close(customer.node, customer.connection);
  }
  customer.connection = {};
  customer.number = 0;
}

void Workload::send(Customer& customer) {
  client::Client& client = *customer.client;
  if (customer.connection == node::ClientId{} || !client.is_open()) return;
  while (!client.outgoing().empty()) {
    const std::size_t end = client.outgoing().find('\n');
    ZATT_ASSERT(end != std::string_view::npos);
    lines_.send(customer.node, customer.connection, std::string(client.outgoing().substr(0, end)));
    client.on_sent(end + 1, scheduler_.now_us());
  }
}

void Workload::wake_later(std::size_t number) {
  Customer& customer = customers_[number];
  const std::uint64_t wake = std::max(customer.client->wake_at_us(), scheduler_.now_us() + 1);
  if (customer.client->wake_at_us() == never_us || wake >= customer.wake_at_us) return;
  customer.wake_at_us = wake;
  scheduler_.at(wake, [this, number, wake, client = customer.client_number] {
    Customer& who = customers_[number];
    if (who.client_number != client || who.wake_at_us != wake) return;
    who.wake_at_us = never_us;
    who.client->on_time(scheduler_.now_us());
    process_ready(number);
  });
}

void Workload::on_reply(node::ClientId connection, std::string_view line, std::uint64_t applied) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  const std::size_t number = it->second;
  Customer& customer = customers_[number];
  std::string bytes(line);
  bytes += '\n';
  const std::size_t size = bytes.size();
  bytes.reserve(size + json::slack);
  const std::uint64_t before = customer.number;
  customer.client->on_bytes(before, {bytes.data(), size}, scheduler_.now_us());
  process_ready(number, applied);
}

void Workload::on_closed(node::ClientId connection) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  const std::size_t number = it->second;
  Customer& customer = customers_[number];
  by_connection_.erase(it);
  const std::uint64_t ended = customer.number;
  customer.connection = {};
  customer.client->on_closed(ended, "the connection ended", scheduler_.now_us());
  process_ready(number);
}

// --- answers -------------------------------------------------------------------------------------

void Workload::collect(Customer& customer, std::uint64_t applied) {
  while (auto done = customer.client->next_done()) {
    const auto asked = customer.asked.find(done->token);
    if (asked == customer.asked.end()) {
      problem_ = "an answer that nobody asked for: " + done->reply.line;
      return;
    }
    Op& op = ops_[asked->second];
    customer.asked.erase(asked);
    op.completed_us = scheduler_.now_us();
    op.answer = ++last_answer_;
    op.applied = applied;
    op.connection = customer.client_number * connections_a_client + done->connection;
    read_reply(op, done->reply);
    if (customer.probes && op.outcome == Op::Outcome::done)
      (is_write(op.kind) ? customer.wrote : customer.read) = true;
    if (customer.probes && op.outcome == Op::Outcome::condition_failed) customer.wrote = true;
  }
}

void Workload::count(const client::Reply& reply) {
  using client::Outcome;
  if (reply.outcome == Outcome::no_leader) coverage_.count(Action::no_leader_told);
  if (reply.outcome == Outcome::storage_full) coverage_.count(Action::storage_full_told);
  if (reply.outcome == Outcome::overloaded) coverage_.count(Action::overloaded_told);
  if (reply.outcome == Outcome::condition_failed) coverage_.count(Action::condition_failed_told);
}

void Workload::read_reply(Op& op, const client::Reply& reply) {
  const auto outcome = outcome_of(reply.outcome, is_write(op.kind));
  if (!outcome) {
    problem_ = "an answer that does not belong here: " + std::string(to_string(reply.outcome)) +
               " " + reply.message + " to " + to_string(op);
    return;
  }
  op.outcome = *outcome;
  count(reply);
  op.found = reply.found;
  op.told = reply.value.value_or("");
  op.rev = op.kind == Op::Kind::count || op.kind == Op::Kind::scan ? reply.at : reply.rev;
  op.more = reply.more;
  for (const client::Item& item : reply.items) op.items.push_back({item.key, item.value, item.rev});
  op.number = static_cast<std::uint64_t>(reply.number);
  if (op.outcome != Op::Outcome::done) return;
  ++acknowledged_;
  if (op.kind != Op::Kind::stale_get) last_told_ = std::max(last_told_, op.rev);
  if (op.found) requests_.on_found(op);
}

}  // namespace zatt::sim
