// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/slots.h"

#include <algorithm>
#include <optional>
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
constexpr std::uint64_t slots = 2;
constexpr std::uint64_t places = 4;  // two slots, two notes

struct Place {
  bool good = false;
  std::uint64_t number = 0;
  LogEndRecord log_end;
  HardState state;  // of a slot
};

constexpr std::uint64_t offset_of(std::uint64_t place) {
  return place < slots ? place * slot_bytes : slots * slot_bytes + (place - slots) * unit;
}

// Without `state`: a note.
std::string encode_place(const HardState* state, const LogEndRecord& log_end, std::uint64_t place,
                         std::uint64_t number) {
  std::string body;
  Writer content(body);
  encode(log_end, content);
  if (state != nullptr) encode(*state, body);
  ZATT_ASSERT(body.size() <= max_hard_state_bytes + log_end_record_size);
  std::string bytes(8, '\0');
  Writer out(bytes);
  out.u64(slot_magic);
  out.u32(hard_state_format);
  out.u64(number);
  out.bytes(body);
  store_le(bytes.data(), checksum(std::string_view(bytes).substr(8), place));
  bytes.resize(narrow<std::size_t>(round_up(bytes.size())), '\0');
  return bytes;
}

Result<Place> read_place(Disk& disk, std::uint64_t place) {
  const std::uint64_t offset = offset_of(place);
  auto bytes = disk.read(hard_state_name, offset, unit);
  if (!bytes) return bytes.error();
  if (place < slots && bytes->size() >= slot_header_size &&
      load_le<std::uint32_t>(bytes->data() + slot_header_size - 4) > unit - slot_header_size)
    bytes = disk.read(hard_state_name, offset, slot_bytes);
  if (!bytes) return bytes.error();
  Reader in(*bytes);
  const std::uint64_t sum = in.u64();
  const std::uint64_t magic = in.u64();
  const std::uint32_t format = in.u32();
  Place read;
  read.number = in.u64();
  const std::string_view body = in.bytes();
  if (!in.ok() || magic != slot_magic) return Place{};
  const std::string_view covered =
      std::string_view(*bytes).substr(8, slot_header_size - 8 + body.size());
  if (checksum(covered, place) != sum) return Place{};
  if (format != hard_state_format) return other_format(hard_state_name, format, hard_state_format);
  Reader content(body);
  read.log_end = decode_log_end(content);
  read.good = content.ok() && read.log_end.segment <= max_file_number;
  if (!read.good || place >= slots) return read;
  auto state = decode_hard_state(body.substr(log_end_record_size));
  read.good = state.has_value();
  if (state) read.state = std::move(*state);
  return read;
}

}  // namespace

Result<Slots> read_slots(Disk& disk) {
  Place place[places];
  for (std::uint64_t i = 0; i < places; ++i) {
    auto read = read_place(disk, i);
    if (!read) return read.error();
    place[i] = std::move(*read);
  }
  if (!place[0].good && !place[1].good)
    return Error{
        Code::corrupt, 0, "damaged identity is not empty",
        std::string(hard_state_name) +
            ": both copies of this node's identity and vote are unreadable. Put back a whole "
            "copy that is as new, or move the directory away: then the node gets the log "
            "from the others, and neither votes nor counts"};
  Slots found;
  found.one_is_bad = !place[0].good || !place[1].good;
  const auto is_newer = [&](std::uint64_t a, std::uint64_t b) {
    return place[a].good && (!place[b].good || place[a].number > place[b].number);
  };
  const std::uint64_t last = is_newer(0, 1) ? 0 : 1;
  const std::uint64_t noted = is_newer(2, 3) ? 2 : 3;
  found.log_end = (is_newer(noted, last) ? place[noted] : place[last]).log_end;
  found.older_slot = 1 - last;
  found.turn.number = std::max(place[last].number, place[noted].number) + 1;
  found.turn.slot = found.one_is_bad ? 1 - last : last;
  found.turn.note = noted == 2 ? 1 : 0;
  found.state = std::move(place[last].state);
  return found;
}

void write_slots(const HardState& state, const LogEndRecord& log_end, const std::string& name,
                 SlotTurn& turn, std::vector<Step>& steps) {
  for (std::uint64_t i = 0; i < slots; ++i) {
    steps.push_back(write_step(name, offset_of(turn.slot),
                               encode_place(&state, log_end, turn.slot, turn.number)));
    steps.push_back(sync_step(name));
    ++turn.number;
    turn.slot = 1 - turn.slot;
  }
  turn.slot = 1 - turn.slot;  // the one written last is the first of the next save
}

void make_notes(const std::string& name, std::vector<Step>& steps) {
  steps.push_back(fill_step(name, offset_of(slots), (places - slots) * unit));
}

void write_note(const LogEndRecord& log_end, SlotTurn& turn, std::vector<Step>& steps) {
  const std::uint64_t place = slots + turn.note;
  steps.push_back(write_step(hard_state_name, offset_of(place),
                             encode_place(nullptr, log_end, place, turn.number)));
  ++turn.number;
  turn.note = 1 - turn.note;
}

Step push_notes() { return push_step(hard_state_name, offset_of(slots), (places - slots) * unit); }

}  // namespace zatt::storage
