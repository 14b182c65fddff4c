// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/workload.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace zatt::sim {
namespace {

// The text of a field of a reply line: our replies have no spaces, and the fields asked for here
// stand at the top level, before any value could hold their names.
std::string_view field(std::string_view line, std::string_view name) {
  const std::string pattern = "\"" + std::string(name) + "\":";
  const std::size_t at = line.find(pattern);
  if (at == std::string_view::npos) return {};
  std::string_view rest = line.substr(at + pattern.size());
  std::size_t end = 0;
  bool quoted = false;
  for (; end < rest.size(); ++end) {
    if (rest[end] == '"') quoted = !quoted;
    if (!quoted && (rest[end] == ',' || rest[end] == '}')) break;
  }
  return rest.substr(0, end);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Workload::Workload(const Settings& settings, Scheduler& scheduler, Lines& lines)
    : settings_(settings),
      scheduler_(scheduler),
      lines_(lines),
      prng_(settings.seed ^ 0xc11e27),
      customers_(settings.clients) {}

void Workload::start() {
  // Some only read: a write that hangs would keep their reads from being asked.
  static constexpr std::uint64_t mixes[] = {0, 0, 10, 55, 55, 90};
  for (std::size_t i = 0; i < customers_.size(); ++i) {
    customers_[i].write_percent = mixes[prng_.below(std::size(mixes))];
    customers_[i].stays = prng_.chance(1, 3) ? 2 : 30;
    if (i == 0) customers_[i].write_percent = 55;
    act_later(i);
  }
}

bool Workload::is_at_rest() const {
  return std::all_of(customers_.begin(), customers_.end(),
                     [](const Customer& customer) { return customer.asked.empty(); });
}

void Workload::act_later(std::size_t number) {
  if (customers_[number].due) return;
  customers_[number].due = true;
  scheduler_.in(prng_.below(2 * settings_.think_mean_us) + 1, [this, number] { act(number); });
}

void Workload::act(std::size_t number) {
  Customer& customer = customers_[number];
  customer.due = false;
  if (!asking_) return;
  if (customer.connection == 0) {
    connect(customer);
    if (customer.connection != 0) by_connection_[customer.connection] = number;
  } else if (customer.asked.empty() && prng_.chance(1, customer.stays)) {
    give_up(customer);  // at rest: moves to another node
  } else if (!customer.asked.empty() && prng_.chance(1, 300)) {
    give_up(customer);  // leaves in the middle
  } else {
    const std::uint64_t burst = prng_.chance(1, 3) ? prng_.between(1, settings_.depth) : 1;
    for (std::uint64_t i = 0; i < burst && customer.asked.size() < settings_.depth; ++i)
      ask(customer);
  }
  act_later(number);
}

void Workload::connect(Customer& customer) {
  customer.node = static_cast<NodeNumber>(prng_.below(settings_.nodes));
  const node::ClientId connection = ++last_connection_;
  if (lines_.open(customer.node, connection)) customer.connection = connection;
}

void Workload::give_up(Customer& customer) {
  const node::ClientId connection = customer.connection;
  lines_.close(customer.node, connection);
  on_closed(connection);
}

void Workload::ask(Customer& customer) {
  Op op;
  op.connection = customer.connection;
  op.invoked_us = scheduler_.now_us();
  const std::uint64_t key = prng_.below(settings_.keys);
  op.key = "k" + std::to_string(key);
  std::string line = make_request(op, customer.write_percent);
  customer.asked.push_back(ops_.size());
  ops_.push_back(std::move(op));
  lines_.send(customer.node, customer.connection, std::move(line));
}

std::string Workload::make_request(Op& op, std::uint64_t write_percent) {
  const std::string tail = ",\"timeout_ms\":" + std::to_string(settings_.timeout_ms) + "}";
  if (prng_.below(100) < write_percent) {
    const std::uint64_t dice = prng_.below(55);
    return make_write(op, dice) + tail;
  }
  const std::uint64_t dice = prng_.below(45);
  if (dice < 37) {
    op.kind = Op::Kind::get;
    return "{\"op\":\"get\",\"key\":\"" + op.key + "\"" + tail;
  }
  if (dice < 41) {
    op.kind = Op::Kind::stale_get;
    return "{\"op\":\"get\",\"key\":\"" + op.key + "\",\"stale\":true" + tail;
  }
  op.kind = Op::Kind::count;
  op.key.clear();
  return "{\"op\":\"count\"" + tail;
}

std::string Workload::make_write(Op& op, std::uint64_t dice) {
  if (dice < 8) {
    op.kind = Op::Kind::incr;
    op.key = "n" + op.key;
    return "{\"op\":\"incr\",\"key\":\"" + op.key + "\"";
  }
  std::string condition;
  if (dice < 16) {
    const auto& [rev, value] = last_seen_[op.key];
    const std::uint64_t kind = prng_.below(3);
    condition = ",\"if\":{" +
                (kind == 0   ? "\"rev\":" + std::to_string(rev)
                 : kind == 1 ? "\"exists\":true"
                             : "\"value\":" + (value.empty() ? "null" : value)) +
                "}";
  }
  if (dice < 14 && dice % 2 == 0) {
    op.kind = Op::Kind::del;
    return "{\"op\":\"delete\",\"key\":\"" + op.key + "\"" + condition;
  }
  op.kind = Op::Kind::set;
  op.value = std::to_string(++last_value_);
  if (settings_.large_percent > 0 && prng_.below(100) < settings_.large_percent)
    op.value = "\"" + op.value + std::string(prng_.below(200'000), 'x') + "\"";
  return "{\"op\":\"set\",\"key\":\"" + op.key + "\",\"value\":" + op.value + condition;
}

void Workload::on_reply(node::ClientId connection, std::string_view line) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  Customer& customer = customers_[it->second];
  if (customer.asked.empty()) {
    problem_ = "a reply that nobody asked for: " + std::string(line);
    return;
  }
  Op& op = ops_[customer.asked.front()];
  customer.asked.pop_front();
  op.completed_us = scheduler_.now_us();
  read_reply(op, line);
}

void Workload::read_reply(Op& op, std::string_view line) {
  const bool write =
      op.kind == Op::Kind::set || op.kind == Op::Kind::del || op.kind == Op::Kind::incr;
  op.found = field(line, "found") == "true";
  op.told = std::string(field(line, "value"));
  op.rev = number(field(line, op.kind == Op::Kind::count ? "at" : "rev"));
  op.number = number(field(line, "count"));
  if (line.starts_with("{\"ok\":true")) {
    op.outcome = Op::Outcome::done;
    ++acknowledged_;
    if (op.found) last_seen_[op.key] = {op.rev, op.told};
    return;
  }
  const std::string_view error = field(line, "error");
  if (error == "\"condition_failed\"" && write)
    op.outcome = Op::Outcome::condition_failed;
  else if (error == "\"outcome_unknown\"" && write)
    op.outcome = Op::Outcome::unknown;
  else if (is_one_of(error, {"\"no_leader\"", "\"overloaded\"", "\"storage_full\""}) ||
           (error == "\"unavailable\"" && !write))
    op.outcome = Op::Outcome::failed;
  else
    problem_ = "an answer that does not belong here: " + std::string(line) + " to " + to_string(op);
}

void Workload::on_closed(node::ClientId connection) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  Customer& customer = customers_[it->second];
  by_connection_.erase(it);
  for (const std::size_t asked : customer.asked) {
    ops_[asked].completed_us = scheduler_.now_us();
    ops_[asked].outcome = Op::Outcome::unknown;
  }
  customer.asked.clear();
  customer.connection = 0;
}

}  // namespace zatt::sim
