// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/reply.h"

#include <utility>

#include "json/value.h"

namespace zatt::client {
namespace {

constexpr std::size_t max_depth = 128 + 3;  // a value, in an item, in a list, in a reply

static_assert(static_cast<std::uint8_t>(Outcome::bad_request) == 1 &&
              static_cast<std::uint8_t>(Outcome::refused) == codec::error_codes + 1);

// What a server may say: the client's own words from its mouth would be believed.
Outcome outcome_said(std::string_view word) {
  for (std::uint8_t i = 0; i < codec::error_codes; ++i) {
    const auto code = static_cast<codec::ErrorCode>(i);
    if (codec::to_string(code) == word) return outcome_of(code);
  }
  return Outcome::refused;
}

// One reply, field by field. Each part answers whether the field is what it should be.
class Taking {
 public:
  explicit Taking(Reply& reply) : reply_(reply) {}

  bool take(const json::Field& field) {
    const json::Value value = field.value;
    if (field.name == "ok") return take_ok(value);
    if (field.name == "error") return text(value, error_);
    if (field.name == "message") return text(value, reply_.message);
    if (field.name == "found") return boolean(value, reply_.found);
    if (field.name == "value") return take_value(value);
    if (field.name == "rev") return number(value, reply_.rev);
    if (field.name == "count") return take_count(value);
    if (field.name == "at") return number(value, reply_.at);
    if (field.name == "more") return boolean(value, reply_.more);
    if (field.name == "items") return take_items(value);
    if (field.name == "node") return text(value, reply_.node);
    if (field.name == "cluster") return text(value, reply_.cluster);
    if (field.name == "notice") return text(value, reply_.notice);
    if (field.name == "leader") return take_leader(value);
    if (field.name == "members") return take_members(value);
    return true;  // a later version's
  }

  bool finish() {
    if (!ok_) return false;
    if (!*ok_) reply_.outcome = outcome_said(error_);
    return true;
  }

 private:
  static bool text(json::Value value, std::string& out) {
    if (value.type != json::Type::string) return false;
    out = json::unescaped(value.text);
    return true;
  }
  static bool boolean(json::Value value, bool& out) {
    const auto answer = json::as_bool(value);
    out = answer.value_or(false);
    return answer.has_value();
  }
  static bool number(json::Value value, std::uint64_t& out) {
    const auto answer = json::as_uint64(value);
    out = answer.value_or(0);
    return answer.has_value();
  }

  bool take_ok(json::Value value) {
    ok_ = json::as_bool(value);
    return ok_.has_value();
  }
  bool take_value(json::Value value) {
    reply_.value = std::string(value.text);
    reply_.number = json::as_int64(value).value_or(0);
    return true;
  }
  bool take_count(json::Value value) {
    const auto answer = json::as_int64(value);
    reply_.number = answer.value_or(0);
    return answer.has_value();
  }
  bool take_leader(json::Value value) {
    if (value.type == json::Type::null) return true;
    return text(value, reply_.leader.emplace());
  }

  bool take_items(json::Value value) {
    if (value.type != json::Type::array) return false;
    json::Iterator walk(value);
    while (const auto element = walk.next()) {
      if (element->value.type != json::Type::object) return false;
      Item& item = reply_.items.emplace_back();
      json::Iterator fields(element->value);
      while (const auto field = fields.next())
        if (!take_item(field->name, field->value, item)) return false;
    }
    return true;
  }
  static bool take_item(std::string_view name, json::Value value, Item& item) {
    if (name == "\"key\"") return text(value, item.key);
    if (name == "\"rev\"") return number(value, item.rev);
    if (name == "\"value\"") item.value = value.text;
    return true;
  }

  // What may be wrong with one of them does not spoil the rest: it is only where else to ask.
  bool take_members(json::Value value) {
    if (value.type != json::Type::object) return false;
    json::Iterator walk(value);
    while (const auto item = walk.next()) {
      if (item->value.type != json::Type::object) continue;
      json::Iterator fields(item->value);
      while (const auto field = fields.next())
        if (field->name == "\"address\"") take_address(json::unescaped(item->name), field->value);
    }
    return true;
  }
  void take_address(std::string id, json::Value value) {
    if (value.type != json::Type::array) return;
    json::Iterator walk(value);
    const auto host = walk.next();
    const auto port = walk.next();
    if (!host || !port || host->value.type != json::Type::string) return;
    const auto number = json::as_uint64(port->value);
    if (!number || *number == 0 || *number > 65535) return;
    reply_.members.push_back(
        {std::move(id), json::unescaped(host->value.text), static_cast<std::uint16_t>(*number)});
  }

  Reply& reply_;
  std::optional<bool> ok_;
  std::string error_;
};

}  // namespace

Outcome outcome_of(codec::ErrorCode code) {
  return static_cast<Outcome>(static_cast<std::uint8_t>(code) + 1);
}

std::string_view to_string(Outcome outcome) {
  constexpr std::string_view names[] = {
      "ok",
#define ZATT_SERVER_ERROR(name, ...) #name,
#define ZATT_CLIENT_ERROR(name, ...) #name,
#include "codec/error_codes.def"
  };
  return names[static_cast<std::size_t>(outcome)];
}

std::optional<Reply> ReplyReader::read(std::string_view line) {
  std::optional<Reply> reply(std::in_place);
  Taking taking(*reply);
  bool good = true;
  const auto fault = reader_.read(line, max_depth, [&taking, &good](const json::Field& field) {
    if (good) good = taking.take(field);
  });
  if (fault || !good || !taking.finish()) return std::nullopt;
  reply->line = line;
  return reply;
}

}  // namespace zatt::client
