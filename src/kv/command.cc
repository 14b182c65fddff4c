// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/command.h"

#include <limits>

#include "base/assert.h"
#include "base/bytes.h"

namespace zatt::kv {

namespace {

constexpr std::size_t max_text_bytes = std::numeric_limits<std::uint32_t>::max();

void encode_condition(const Condition& condition, Writer& w) {
  switch (condition.kind) {
    case Condition::Kind::none:
      return;
    case Condition::Kind::exists:
      return w.u8(condition.exists ? 1 : 0);
    case Condition::Kind::rev:
      return w.u64(condition.rev);
    case Condition::Kind::value:
      ZATT_ASSERT(condition.value.size() <= max_text_bytes);
      return w.bytes(condition.value);
  }
}

Condition decode_condition(std::uint8_t kind, Reader& r) {
  Condition condition{.kind = static_cast<Condition::Kind>(kind)};
  switch (condition.kind) {
    case Condition::Kind::none:
      return condition;
    case Condition::Kind::exists: {
      const std::uint8_t exists = r.u8();
      if (exists > 1) r.fail();
      condition.exists = exists == 1;
      return condition;
    }
    case Condition::Kind::rev:
      condition.rev = r.u64();
      return condition;
    case Condition::Kind::value:
      condition.value = r.bytes();
      return condition;
  }
  r.fail();
  return condition;
}

}  // namespace

void encode(const Command& command, std::string& out) {
  ZATT_ASSERT(command.key.size() <= max_key_bytes);
  Writer w(out);
  w.u8(command_version);
  w.u8(static_cast<std::uint8_t>(command.op));
  w.u8(static_cast<std::uint8_t>(command.condition.kind));
  w.u16(static_cast<std::uint16_t>(command.key.size()));
  w.raw(command.key);
  encode_condition(command.condition, w);
  switch (command.op) {
    case Op::set:
      ZATT_ASSERT(command.value.size() <= max_text_bytes);
      return w.bytes(command.value);
    case Op::del:
      return;
    case Op::incr:
      return w.u64(static_cast<std::uint64_t>(command.by));
  }
}

std::optional<Command> decode_command(std::string_view bytes) {
  Reader r(bytes);
  if (r.u8() != command_version) return std::nullopt;
  Command command;
  command.op = static_cast<Op>(r.u8());
  const std::uint8_t condition_kind = r.u8();
  const std::uint16_t key_size = r.u16();
  if (key_size > max_key_bytes) return std::nullopt;
  command.key = r.raw(key_size);
  command.condition = decode_condition(condition_kind, r);
  switch (command.op) {
    case Op::set:
      command.value = r.bytes();
      break;
    case Op::del:
      break;
    case Op::incr:
      command.by = static_cast<std::int64_t>(r.u64());
      break;
    default:
      return std::nullopt;
  }
  if (!r.done()) return std::nullopt;
  return command;
}

}  // namespace zatt::kv
