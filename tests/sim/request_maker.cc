// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/request_maker.h"

#include <algorithm>

namespace zatt::sim {

client::Request RequestMaker::make(Op& op, std::uint64_t write_percent) {
  op.key = draw_key();
  client::Request request;
  if (prng_.below(100) < write_percent) {
    const std::uint64_t schedule = prng_.below(55);
    make_write(op, request, schedule);
    return request;
  }
  const std::uint64_t schedule = prng_.below(60);
  make_read(op, request, schedule);
  return request;
}

void RequestMaker::make_read(Op& op, client::Request& request, std::uint64_t schedule) {
  request.op = client::Op::get;
  request.key = op.key;
  if (schedule < 40) {
    op.kind = Op::Kind::get;
    return;
  }
  if (schedule < 46) {
    op.kind = Op::Kind::stale_get;
    request.stale = true;
    return;
  }
  if (schedule < 50) {
    op.kind = Op::Kind::count;
    op.key.clear();
    request.op = client::Op::count;
    return;
  }
  if (schedule < 52) {
    op.kind = Op::Kind::ask;
    op.key.clear();
    request.op = schedule == 50 ? client::Op::status : client::Op::ping;
    return;
  }
  op.kind = Op::Kind::scan;
  request.op = client::Op::scan;
  op.key = request.prefix = prng_.chance(1, 2) ? "" : prng_.chance(1, 2) ? "k" : "nk";
  request.limit = op.limit = static_cast<std::uint32_t>(prng_.between(1, 20));
  request.keys_only = op.keys_only = prng_.chance(1, 3);
  if (prng_.chance(1, 3)) request.after = op.after = draw_key();
}

client::Request RequestMaker::make_load(Op& op, std::uint64_t number) {
  client::Request request;
  const bool fails = !prng_.chance(1, 40);
  switch (settings_.load) {
    case Settings::Load::reads: {
      if (prng_.chance(1, 20)) {
        make_load_write(op, request, "r" + std::to_string(prng_.below(400)), 200);
        break;
      }
      const std::uint64_t kind = number % 3;
      op.kind = kind == 0 ? Op::Kind::get : kind == 1 ? Op::Kind::ask : Op::Kind::scan;
      request.op = kind == 0 ? client::Op::get : kind == 1 ? client::Op::count : client::Op::scan;
      if (kind == 0) op.key = request.key = "r" + std::to_string(prng_.below(400));
      if (kind != 0) request.prefix = "r";
      if (kind == 2) op.key = "r";
      if (kind == 2) request.limit = op.limit = 1000;
      break;
    }
    case Settings::Load::failing:
      make_load_write(op, request, "document", fails ? 0 : settings_.load_bytes);
      break;
    case Settings::Load::documents:
      make_load_write(op, request, "document", settings_.load_bytes);
      break;
    case Settings::Load::values:
      make_load_write(op, request, "v" + std::to_string(prng_.below(20)), settings_.load_bytes);
      return request;
    default:
      make_load_write(op, request, "m" + std::to_string(prng_.below(400)),
                      std::min<std::uint64_t>(settings_.load_bytes, 4096));
      return request;
  }
  if (is_write(op.kind) && fails && settings_.load != Settings::Load::reads) {
    request.condition.kind = client::Condition::Kind::rev;
    request.condition.rev = 1;  // a leader's first entry, and no write
  }
  return request;
}

void RequestMaker::make_load_write(Op& op, client::Request& request, std::string key,
                                   std::uint64_t bytes) {
  op.kind = Op::Kind::set;
  op.key = std::move(key);
  op.value = "\"" + std::to_string(++last_value_) + std::string(bytes, 'y') + "\"";
  request.op = client::Op::set;
  request.key = op.key;
  request.value = op.value;
}

std::string RequestMaker::draw_key() {
  const std::uint64_t hot = std::min<std::uint64_t>(settings_.keys, 3);
  const bool is_hot = prng_.chance(1, 2);
  return "k" + std::to_string(prng_.below(is_hot ? hot : settings_.keys));
}

void RequestMaker::make_write(Op& op, client::Request& request, std::uint64_t schedule) {
  if (schedule < 8) {
    op.kind = Op::Kind::incr;
    op.key = "n" + op.key;
    request.op = client::Op::incr;
    request.key = op.key;
    return;
  }
  request.key = op.key;
  if (schedule < 16) request.condition = make_condition(op);
  if (schedule < 14 && schedule % 2 == 0) {
    op.kind = Op::Kind::del;
    request.op = client::Op::del;
    return;
  }
  op.kind = Op::Kind::set;
  make_value(op);
  request.op = client::Op::set;
  request.value = op.value;
}

void RequestMaker::make_value(Op& op) {
  op.value = std::to_string(++last_value_);
  if (prng_.chance(1, 50)) {
    coverage_.count(Action::empty_value);
    op.value = "\"\"";
    return;
  }
  if (!prng_.chance(settings_.large_permille, 1000)) return;
  const bool most = prng_.chance(1, 4);
  const std::uint64_t bytes = most ? settings_.large_bytes : prng_.below(settings_.large_bytes);
  if (bytes == 1 << 20) coverage_.count(Action::value_of_a_megabyte);
  op.value = "\"" + op.value + std::string(bytes, 'x') + "\"";
}

client::Condition RequestMaker::make_condition(const Op& op) {
  const auto& [rev, value] = last_seen_[op.key];
  client::Condition condition;
  switch (prng_.below(3)) {
    case 0:
      condition.kind = client::Condition::Kind::rev;
      condition.rev = rev;
      break;
    case 1:
      condition.kind = client::Condition::Kind::exists;
      break;
    default:
      condition.kind = client::Condition::Kind::value;
      condition.value = value.empty() ? "null" : value;
  }
  return condition;
}

void RequestMaker::on_found(const Op& op) { last_seen_[op.key] = {op.rev, op.told}; }

}  // namespace zatt::sim
