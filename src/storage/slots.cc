// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/slots.h"

#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/narrow.h"
#include "storage/format.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

constexpr std::uint64_t slot_magic = 0x6472'6174'7461'7a0a;  // "\nzattard"

struct Slot {
  bool good = false;
  std::uint64_t number = 0;
  HardState state;
};

std::string encode_slot(const HardState& state, std::uint64_t slot, std::uint64_t number) {
  std::string body;
  encode(state, body);
  ZATT_ASSERT(body.size() <= max_hard_state_bytes);
  std::string bytes(8, '\0');
  Writer out(bytes);
  out.u64(slot_magic);
  out.u32(hard_state_format);
  out.u64(number);
  out.bytes(body);
  store_le(bytes.data(), checksum(std::string_view(bytes).substr(8), slot));
  bytes.resize(narrow<std::size_t>(round_up(bytes.size())), '\0');
  return bytes;
}

Result<Slot> read_slot(Disk& disk, std::uint64_t slot) {
  auto bytes = disk.read(hard_state_name, slot * slot_bytes, unit);
  if (!bytes) return bytes.error();
  if (bytes->size() >= slot_header_size &&
      load_le<std::uint32_t>(bytes->data() + slot_header_size - 4) > unit - slot_header_size)
    bytes = disk.read(hard_state_name, slot * slot_bytes, slot_bytes);
  if (!bytes) return bytes.error();
  Reader in(*bytes);
  const std::uint64_t sum = in.u64();
  const std::uint64_t magic = in.u64();
  const std::uint32_t format = in.u32();
  Slot read;
  read.number = in.u64();
  const std::string_view body = in.bytes();
  if (!in.ok() || magic != slot_magic) return Slot{};
  const std::string_view covered =
      std::string_view(*bytes).substr(8, slot_header_size - 8 + body.size());
  if (checksum(covered, slot) != sum) return Slot{};
  if (format > hard_state_format)
    return Error{Code::newer, 0, "a later version of zatt wrote this directory",
                 std::string(hard_state_name) + ": format " + std::to_string(format) +
                     ", this version knows " + std::to_string(hard_state_format)};
  auto state = decode_hard_state(body);
  if (!state || format != hard_state_format) return Slot{};
  read.state = std::move(*state);
  read.good = true;
  return read;
}

}  // namespace

Result<Slots> read_slots(Disk& disk) {
  Slot slot[2];
  for (std::uint64_t i = 0; i < 2; ++i) {
    auto read = read_slot(disk, i);
    if (!read) return read.error();
    slot[i] = std::move(*read);
  }
  if (!slot[0].good && !slot[1].good)
    return Error{Code::corrupt, 0, "damaged identity is not empty",
                 std::string(hard_state_name) +
                     ": both copies of this node's identity and vote are unreadable"};
  Slots slots;
  slots.one_is_bad = !slot[0].good || !slot[1].good;
  const std::uint64_t last =
      !slot[0].good ? 1 : (!slot[1].good || slot[0].number > slot[1].number ? 0 : 1);
  slots.turn.number = slot[last].number + 1;
  slots.turn.slot = slots.one_is_bad ? 1 - last : last;
  slots.state = std::move(slot[last].state);
  return slots;
}

void write_slots(const HardState& state, const std::string& name, SlotTurn& turn,
                 std::vector<Step>& steps) {
  for (int i = 0; i < 2; ++i) {
    steps.push_back(
        write_step(name, turn.slot * slot_bytes, encode_slot(state, turn.slot, turn.number)));
    steps.push_back(sync_step(name));
    ++turn.number;
    turn.slot = 1 - turn.slot;
  }
  turn.slot = 1 - turn.slot;  // the one written last is the first of the next save
}

}  // namespace zatt::storage
