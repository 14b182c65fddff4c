// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/convert.h"

#include <utility>

namespace zatt::capi {
namespace {

constexpr int max_timeout_ms = 600'000;
constexpr std::uint32_t max_limit = 10'000;

bool to_op(int given, client::Op& out) {
  switch (given) {
    case ZATT_OP_GET:
      out = client::Op::get;
      return true;
    case ZATT_OP_SET:
      out = client::Op::set;
      return true;
    case ZATT_OP_DELETE:
      out = client::Op::del;
      return true;
    case ZATT_OP_INCR:
      out = client::Op::incr;
      return true;
    case ZATT_OP_SCAN:
      out = client::Op::scan;
      return true;
    case ZATT_OP_COUNT:
      out = client::Op::count;
      return true;
    case ZATT_OP_STATUS:
      out = client::Op::status;
      return true;
    case ZATT_OP_PING:
      out = client::Op::ping;
      return true;
    case ZATT_OP_LINE:
      out = client::Op::line;
      return true;
    default:
      return false;
  }
}

bool to_condition(const zatt_request& given, client::Condition& out) {
  using Kind = client::Condition::Kind;
  out.rev = given.if_rev;
  out.value = view(given.if_value);
  switch (given.condition) {
    case ZATT_IF_NONE:
      out.kind = Kind::none;
      return true;
    case ZATT_IF_ABSENT:
      out.kind = Kind::absent;
      return true;
    case ZATT_IF_EXISTS:
      out.kind = Kind::exists;
      return true;
    case ZATT_IF_REV:
      out.kind = Kind::rev;
      return true;
    case ZATT_IF_VALUE:
      out.kind = Kind::value;
      return true;
    default:
      return false;
  }
}

int invalid(const char*& why, const char* sentence) {
  why = sentence;
  return ZATT_EINVAL;
}

}  // namespace

int timeout_of(int own_ms, int default_ms) {
  const int ms = own_ms == 0 ? default_ms : own_ms;
  return ms >= 1 && ms <= max_timeout_ms ? ms : 0;
}

int to_request(const zatt_request& given, client::Request& out, const char*& why) {
  if (!to_op(given.op, out.op)) return invalid(why, "no such operation here");
  const bool write =
      out.op == client::Op::set || out.op == client::Op::del || out.op == client::Op::incr;
  if ((write || out.op == client::Op::get) && given.key.data == nullptr)
    return invalid(why, "the key is missing");
  if ((out.op == client::Op::set || out.op == client::Op::line) && given.value.data == nullptr)
    return invalid(why, "the value is missing");
  if (!to_condition(given, out.condition)) return invalid(why, "no such condition");
  if (!write && given.condition != ZATT_IF_NONE)
    return invalid(why, "only set, delete and incr take a condition");
  if (given.limit > max_limit) return invalid(why, "limit is at most 10000");
  out.key = view(given.key);
  out.value = view(given.value);
  out.by = given.by;
  out.prefix = view(given.prefix);
  if (given.after.data != nullptr) out.after = view(given.after);
  out.limit = given.limit;
  out.keys_only = given.keys_only != 0;
  out.stale = given.stale != 0;
  return ZATT_OK;
}

int to_error(client::Outcome outcome) {
  constexpr int errors[] = {
      ZATT_OK,
#define ZATT_SERVER_ERROR(name, error, ...) error,
#define ZATT_CLIENT_ERROR(name, error, ...) error,
#include "codec/error_codes.def"
  };
  return errors[static_cast<std::size_t>(outcome)];
}

void tell(char* buffer, std::size_t size, std::string_view sentence) {
  if (buffer == nullptr || size == 0) return;
  const std::size_t length = std::min(size - 1, sentence.size());
  std::memcpy(buffer, sentence.data(), length);
  buffer[length] = '\0';
}

ReplyBox::ReplyBox(client::Reply reply) : reply_(std::move(reply)) {
  fill();
  c_.error = to_error(reply_.outcome);
}

ReplyBox::ReplyBox(int error, std::string_view message) {
  reply_.message = message;
  fill();
  c_.error = error;
}

void ReplyBox::set_result(std::string_view value, std::uint64_t rev) {
  c_.value = bytes_of(reply_.value.emplace(value));
  c_.rev = rev;
}

void ReplyBox::fill() {
  c_.size = sizeof c_;
  c_.message = reply_.message.c_str();
  c_.found = reply_.found ? 1 : 0;
  if (reply_.value) c_.value = bytes_of(*reply_.value);
  c_.rev = reply_.rev;
  c_.number = reply_.number;
  c_.at = reply_.at;
  c_.more = reply_.more ? 1 : 0;
  items_.reserve(reply_.items.size());
  for (const client::Item& item : reply_.items)
    items_.push_back(
        {bytes_of(item.key), item.value.empty() ? zatt_bytes{} : bytes_of(item.value), item.rev});
  c_.items = items_.data();
  c_.item_count = items_.size();
  if (!reply_.line.empty()) c_.line = bytes_of(reply_.line);
}

}  // namespace zatt::capi
