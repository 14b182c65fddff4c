// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/json_request.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "json/reader.h"
#include "kv/command.h"

namespace zatt::codec {
namespace {

static_assert(line_slack >= json::slack);

constexpr std::size_t max_value_depth = 128;
constexpr std::size_t max_id_bytes = 256;
// Whoever types a line has a shell around it, and its quotes are what shells take.
constexpr std::string_view taken_by_a_shell = "; the shell may have taken them: use '…'";

// --- the words of the protocol ---

enum class RequestOp : std::uint8_t { ping, status, get, scan, count, set, del, incr };

struct OpName {
  std::string_view name;
  RequestOp op;
};
constexpr OpName served_ops[] = {
    {"ping", RequestOp::ping},  {"status", RequestOp::status}, {"get", RequestOp::get},
    {"scan", RequestOp::scan},  {"count", RequestOp::count},   {"set", RequestOp::set},
    {"delete", RequestOp::del}, {"incr", RequestOp::incr},
};
constexpr std::string_view later_ops[] = {
    "txn",     "touch",      "open_session",  "close_session",   "watch",
    "unwatch", "add_member", "remove_member", "transfer_leader", "snapshot",
};

enum class Name : std::uint8_t {
  op,
  id,
  timeout_ms,
  key,
  value,
  condition,
  prefix,
  after,
  limit,
  keys_only,
  by,
  stale,
  ttl,
  session,
  seq,
};
constexpr std::size_t name_count = 15;

constexpr unsigned bit(RequestOp op) { return 1u << static_cast<unsigned>(op); }
constexpr unsigned writes = bit(RequestOp::set) | bit(RequestOp::del) | bit(RequestOp::incr);
constexpr unsigned reads = bit(RequestOp::get) | bit(RequestOp::scan) | bit(RequestOp::count);

struct FieldRule {
  std::string_view name;
  unsigned ops;        // that take it
  bool later = false;  // of the protocol, but not served yet
};
constexpr FieldRule rules[name_count] = {
    {"op", ~0u},
    {"id", ~0u},
    {"timeout_ms", ~0u},
    {"key", writes | bit(RequestOp::get)},
    {"value", bit(RequestOp::set)},
    {"if", writes},
    {"prefix", bit(RequestOp::scan) | bit(RequestOp::count)},
    {"after", bit(RequestOp::scan)},
    {"limit", bit(RequestOp::scan)},
    {"keys_only", bit(RequestOp::scan)},
    {"by", bit(RequestOp::incr)},
    {"stale", reads},
    {"ttl", bit(RequestOp::set), true},
    {"session", writes, true},
    {"seq", writes, true},
};
constexpr const FieldRule& rule(Name name) { return rules[static_cast<std::size_t>(name)]; }

std::string_view op_name(RequestOp op) {
  for (const OpName& each : served_ops)
    if (each.op == op) return each.name;
  return "";
}

// `field "key"`
std::string field_name(Name name) { return "field " + quote(rule(name).name); }

std::string served_list() { return "; served are " + join(served_ops, ", ", &OpName::name); }

// Whether it may be meant for an object at all.
bool is_like_an_object(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r\xef\xbb\xbf");
  return first != std::string_view::npos && line[first] == '{';
}

std::string not_served(std::string_view what) {
  return std::string(what) + " is not served by this version";
}

std::string too_deep() {
  return "nested deeper than " + std::to_string(max_value_depth) + " levels";
}

// --- what stands on the line ---

// The line's fields by name. Bounded, whatever the line holds.
class Fields {
 public:
  void take(const json::Field& field) {
    for (std::size_t i = 0; i < name_count; ++i) {
      if (field.name != rules[i].name) continue;
      if (!slots_[i].value.text.empty()) {
        if (!repeated) repeated = static_cast<Name>(i);
        return;
      }
      slots_[i] = {field.value, field.depth};
      return;
    }
    if (!unknown) unknown = std::string(field.name.substr(0, shown_bytes));
  }

  // Nothing where the line has no such field.
  const json::Value* find(Name name) const {
    const Slot& slot = slots_[static_cast<std::size_t>(name)];
    return slot.value.text.empty() ? nullptr : &slot.value;
  }
  std::size_t depth(Name name) const { return slots_[static_cast<std::size_t>(name)].depth; }

  std::optional<std::string> unknown;  // the first
  std::optional<Name> repeated;        // the first

 private:
  static constexpr std::size_t shown_bytes = 100;  // more than quote() shows
  struct Slot {
    json::Value value;
    std::size_t depth = 0;
  };
  std::array<Slot, name_count> slots_;
};

// --- one line, checked ---

// Each part answers whether all is well; if not, the refusal says why.
class Check {
 public:
  Check(const Fields& fields, Request& request, Failure& refusal)
      : fields_(fields), request_(request), refusal_(refusal) {}

  bool run(std::string& scratch) {
    return op_is_served() && fields_belong() && common() && depths() && own_fields(scratch);
  }

  // Before everything else, so that any refusal can carry it.
  bool id() {
    const json::Value* const value = fields_.find(Name::id);
    if (value == nullptr) return true;
    const bool number = json::as_int64(*value) || json::as_uint64(*value);
    const bool string =
        value->type == json::Type::string && json::unescaped(value->text).size() <= max_id_bytes;
    if (!number && !string)
      return refuse(field_name(Name::id) +
                    " must be a string of at most 256 bytes or a 64-bit integer");
    request_.id = value->text;
    return true;
  }

 private:
  bool refuse(std::string message, ErrorCode code = ErrorCode::bad_request) {
    refusal_.code = code;
    refusal_.message = std::move(message);
    return false;
  }

  bool op_is_served() {
    const json::Value* const value = fields_.find(Name::op);
    if (value == nullptr)
      return fields_known(nullptr) && refuse(field_name(Name::op) + " is missing" + served_list());
    if (value->type != json::Type::string)
      return refuse(field_name(Name::op) + " must be a string");
    const std::string name = json::unescaped(value->text);
    for (const OpName& each : served_ops) {
      if (each.name != name) continue;
      op_ = each.op;
      return true;
    }
    for (const std::string_view later : later_ops)
      if (later == name) return refuse(not_served(later));
    std::string_view known[std::size(served_ops)];
    std::transform(std::begin(served_ops), std::end(served_ops), known,
                   [](const OpName& each) { return each.name; });
    return refuse("unknown op " + quote(name) + did_you_mean(name, known) + served_list());
  }

  // Whether the line has only fields that the protocol has. `op` narrows the guess.
  bool fields_known(const RequestOp* op) {
    if (!fields_.unknown) return true;
    std::string_view known[name_count];
    std::size_t count = 0;
    for (const FieldRule& each : rules)
      if (!each.later && (op == nullptr || (each.ops & bit(*op)) != 0)) known[count++] = each.name;
    return refuse("unknown field " + quote(*fields_.unknown) +
                  did_you_mean(*fields_.unknown, {known, count}));
  }

  bool fields_belong() {
    if (fields_.repeated) return refuse("duplicate " + field_name(*fields_.repeated));
    if (!fields_known(&op_)) return false;
    for (std::size_t i = 0; i < name_count; ++i) {
      const auto name = static_cast<Name>(i);
      if (fields_.find(name) == nullptr) continue;
      if ((rules[i].ops & bit(op_)) == 0)
        return refuse("op " + quote(op_name(op_)) + " takes no " + field_name(name));
      if (rules[i].later) return refuse(not_served(rules[i].name));
    }
    return true;
  }

  bool common() {
    std::uint64_t timeout_ms = request_.timeout_ms;
    if (!integer(Name::timeout_ms, 1, 600000, timeout_ms)) return false;
    request_.timeout_ms = static_cast<std::uint32_t>(timeout_ms);
    return true;
  }

  bool depths() {
    for (const Name name : {Name::value, Name::condition}) {
      // The condition's own braces are no part of a value.
      const std::size_t max_depth = max_value_depth + (name == Name::condition ? 1 : 0);
      if (fields_.depth(name) > max_depth) return refuse(field_name(name) + " is " + too_deep());
    }
    return true;
  }

  bool own_fields(std::string& scratch) {
    switch (op_) {
      case RequestOp::ping:
        request_.operation = Ping{};
        return true;
      case RequestOp::status:
        request_.operation = GetStatus{};
        return true;
      case RequestOp::get:
      case RequestOp::scan:
      case RequestOp::count:
        return read(request_.operation.emplace<Read>());
      case RequestOp::set:
      case RequestOp::del:
      case RequestOp::incr:
        return write(request_.operation.emplace<Write>(), scratch);
    }
    return true;
  }

  bool read(Read& out) {
    if (!boolean(Name::stale, out.stale)) return false;
    if (op_ == RequestOp::scan) return scan(out.query.emplace<Scan>());
    if (op_ == RequestOp::count) return key(Name::prefix, out.query.emplace<Count>().prefix);
    return required(Name::key) && key(Name::key, out.query.emplace<Get>().key);
  }

  bool scan(Scan& out) {
    std::uint64_t limit = out.limit;
    if (!key(Name::prefix, out.prefix) || !integer(Name::limit, 1, 10000, limit)) return false;
    out.limit = static_cast<std::uint32_t>(limit);
    if (fields_.find(Name::after) != nullptr && !key(Name::after, out.after.emplace()))
      return false;
    return boolean(Name::keys_only, out.keys_only);
  }

  bool write(Write& out, std::string& scratch) {
    kv::Command command;
    std::string condition_scratch;
    std::string key_bytes;
    if (!required(Name::key) || !key(Name::key, key_bytes)) return false;
    command.key = key_bytes;
    if (op_ == RequestOp::set) {
      if (!required(Name::value)) return false;
      command.value = json::compact(*fields_.find(Name::value), scratch);
    } else if (op_ == RequestOp::del) {
      command.op = kv::Op::del;
    } else {
      command.op = kv::Op::incr;
      if (!by(command.by)) return false;
    }
    if (!condition(command.condition, condition_scratch)) return false;
    out.op = command.op;
    out.command.reserve(command.key.size() + command.value.size() + command.condition.value.size() +
                        64);
    kv::encode(command, out.command);
    return true;
  }

  bool by(std::int64_t& out) {
    const json::Value* const value = fields_.find(Name::by);
    if (value == nullptr) return true;
    const std::optional<std::int64_t> number = json::as_int64(*value);
    if (!number)
      return refuse(field_name(Name::by) +
                    " must be a signed 64-bit integer without fraction or exponent");
    out = *number;
    return true;
  }

  bool condition(kv::Condition& out, std::string& scratch) {
    const json::Value* const value = fields_.find(Name::condition);
    if (value == nullptr) return true;
    if (value->type != json::Type::object) return refuse(field_name(Name::condition) + one_of());
    json::Iterator walk(*value);
    std::optional<json::Iterator::Item> item = walk.next();
    if (!item) return refuse(field_name(Name::condition) + one_of());
    if (!one_condition(*item, out, scratch)) return false;
    return !walk.next() || refuse(field_name(Name::condition) + one_of());
  }
  static std::string one_of() {
    return " must be an object with exactly one of \"exists\", \"rev\", \"value\"";
  }

  bool one_condition(const json::Iterator::Item& item, kv::Condition& out, std::string& scratch) {
    const std::string name = json::unescaped(item.name);
    if (name == "exists") {
      const std::optional<bool> exists = json::as_bool(item.value);
      if (!exists) return refuse("field \"if.exists\" must be true or false");
      out.kind = kv::Condition::Kind::exists;
      out.exists = *exists;
      return true;
    }
    if (name == "rev") {
      const std::optional<std::uint64_t> rev = json::as_uint64(item.value);
      if (!rev)
        return refuse(
            "field \"if.rev\" must be a 64-bit integer from 0 on"
            " without fraction or exponent");
      out.kind = kv::Condition::Kind::rev;
      out.rev = *rev;
      return true;
    }
    if (name == "value") {
      out.kind = kv::Condition::Kind::value;
      out.value = json::compact(item.value, scratch);
      return true;
    }
    constexpr std::string_view known[] = {"exists", "rev", "value"};
    return refuse("unknown condition " + quote(name) + " in field \"if\"" +
                  did_you_mean(name, known));
  }

  bool required(Name name) {
    return fields_.find(name) != nullptr || refuse(field_name(name) + " is missing");
  }

  // A key, or what keys begin with. Leaves `out` as it is where the field is not there.
  bool key(Name name, std::string& out) {
    const json::Value* const value = fields_.find(name);
    if (value == nullptr) return true;
    if (value->type != json::Type::string) return refuse(field_name(name) + " must be a string");
    json::unescape(value->text, out);
    if (out.size() <= kv::max_key_bytes) return true;
    return refuse(field_name(name) + " has " + std::to_string(out.size()) +
                      " bytes; a key has at most " + std::to_string(kv::max_key_bytes),
                  ErrorCode::too_large);
  }

  bool integer(Name name, std::uint64_t least, std::uint64_t most, std::uint64_t& out) {
    const json::Value* const value = fields_.find(name);
    if (value == nullptr) return true;
    const std::optional<std::uint64_t> number = json::as_uint64(*value);
    if (!number || *number < least || *number > most)
      return refuse(field_name(name) + " must be an integer from " + std::to_string(least) +
                    " to " + std::to_string(most));
    out = *number;
    return true;
  }

  bool boolean(Name name, bool& out) {
    const json::Value* const value = fields_.find(name);
    if (value == nullptr) return true;
    const std::optional<bool> answer = json::as_bool(*value);
    if (!answer) return refuse(field_name(name) + " must be true or false");
    out = *answer;
    return true;
  }

  const Fields& fields_;
  Request& request_;
  Failure& refusal_;
  RequestOp op_ = RequestOp::ping;
};

}  // namespace

struct JsonRequestParser::Impl {
  json::Reader reader;
};

JsonRequestParser::JsonRequestParser() : impl_(std::make_unique<Impl>()) {}
JsonRequestParser::~JsonRequestParser() = default;

Request JsonRequestParser::parse(std::string_view line) {
  // The request's braces and those of a condition stand around a value.
  constexpr std::size_t max_depth = max_value_depth + 2;
  Fields fields;
  const std::optional<json::ParseError> fault = impl_->reader.read(
      line, max_depth, [&fields](const json::Field& field) { fields.take(field); });

  Request request;
  Failure refusal;
  Check check(fields, request, refusal);
  const bool id_taken = check.id();
  if (fault) {
    refusal = {ErrorCode::bad_request, json::at_byte(*fault)};
    if (fault->unquoted) refusal.message += taken_by_a_shell;
    if (!is_like_an_object(line)) refusal.message.append("; ").append(how_to_ask);
  } else {
    std::string scratch;
    if (id_taken && check.run(scratch)) return request;
  }
  request.operation = Malformed{std::move(refusal)};
  return request;
}

}  // namespace zatt::codec
