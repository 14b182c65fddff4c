// SPDX-License-Identifier: AGPL-3.0-or-later
// The hard state: its bytes, and the file with its two slots.
#include "base/checksum.h"
#include "storage/batch.h"
#include "storage/format.h"
#include "storage/hard_state.h"
#include "storage/slots.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/support/sim_disk.h"

namespace zatt::fuzz {
namespace {

void check_bytes(std::string_view bytes) {
  const auto state = storage::decode_hard_state(bytes);
  if (!state) return;
  std::string again;
  storage::encode(*state, again);
  require(again == bytes, "a hard state has one encoding");
}

// A slot of the input's bytes; with its checksum made right where `mend` says so.
std::string slot(std::string_view bytes, std::uint64_t number, bool mend) {
  std::string whole(bytes);
  if (!mend || whole.size() < storage::slot_header_size) return whole;
  const std::size_t length = load_le<std::uint32_t>(whole.data() + storage::slot_header_size - 4);
  if (length > whole.size() - storage::slot_header_size) return whole;
  const std::string_view covered =
      std::string_view(whole).substr(8, storage::slot_header_size - 8 + length);
  store_le(whole.data(), checksum(covered, number));
  return whole;
}

void check_file(Input& in) {
  const std::uint8_t how = in.u8();
  test::SimDisk disk;
  const std::string_view first = in.bytes(in.u16() % 5000);
  require(bool(disk.write(storage::hard_state_name, 0, slot(first, 0, (how & 1) != 0))), "a write");
  const std::string_view second = (how & 4) != 0 ? first : in.rest();
  if ((how & 8) == 0)
    require(bool(disk.write(storage::hard_state_name, storage::slot_bytes,
                            slot(second, 1, (how & 2) != 0))),
            "a write");
  auto slots = storage::read_slots(disk);
  if (!slots) {
    require(slots.error().code == Code::corrupt || slots.error().code == Code::newer ||
                slots.error().code == Code::foreign,
            "a file that is none is corrupt, or of another format");
    return;
  }
  storage::Batch batch;
  storage::write_slots(slots->state, slots->log_end, storage::hard_state_name, slots->turn,
                       batch.steps);
  require(bool(storage::run(disk, batch).status), "a save is carried out");
  const auto again = storage::read_slots(disk);
  require(bool(again) && again->state == slots->state && !again->one_is_bad &&
              again->log_end == slots->log_end,
          "what is written anew is the same, twice");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_hard_state(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  if (in.u8() % 2 == 0)
    fuzz::check_bytes(in.rest());
  else
    fuzz::check_file(in);
  return 0;
}
