// SPDX-License-Identifier: AGPL-3.0-or-later
// A whole storage directory, spoiled: what is found is clean, torn or damaged, and a start goes on
// from it.
#include <memory>
#include <vector>

#include "base/checksum.h"
#include "storage/format.h"
#include "storage/slots.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/storage/harness.h"

namespace zatt::fuzz {
namespace {

using storage::FileKind;
using storage::unit;
using test::Host;
using test::SimDisk;

constexpr std::uint64_t incarnation = 77;  // of the harness

storage::Options small_segments() {
  storage::Options given = test::options();
  given.segment_bytes = 5 * unit;
  return given;
}

// Lives, a cut, spares, notes and a restart.
std::unique_ptr<SimDisk> sound() {
  auto disk = std::make_unique<SimDisk>();
  Host host(*disk, small_segments());
  require(host.start(), "a new directory starts");
  for (std::uint64_t i = 0; i < 8; ++i) {
    if (i == 3) host.save(2, MemberId{"1", 5});
    if (i == 4) host.truncate(host.last() - 2);
    host.append(1 + i / 3, 2, i % 3 * 900);
    require(i == 6 ? host.start() : host.note(), "a sound disk works");
  }
  host.append(4, 1, 10);
  host.work();
  return disk;
}

std::string contents(SimDisk& disk, const std::string& name) {
  auto bytes = disk.read(name, 0, 1 << 20);
  return bytes ? std::move(*bytes) : std::string();
}

// The files as a list that edits refer to by number.
std::string pick(SimDisk& disk, Input& in) {
  const auto names = disk.list();
  return names && !names->empty() ? (*names)[in.u8() % names->size()] : "0000000001.seg";
}

void mend_record(std::string& bytes, std::size_t at, std::uint64_t segment_id) {
  if (at + storage::record_header_size > bytes.size()) return;
  const std::size_t length = load_le<std::uint32_t>(bytes.data() + at + 8);
  if (length > bytes.size() - at - storage::record_header_size) return;
  const std::size_t size = storage::record_header_size + length;
  store_le(bytes.data() + at, checksum(std::string_view(bytes).substr(at + 8, size - 8),
                                       checksum_key(incarnation, segment_id)));
}

void mend_header(std::string& bytes) {
  if (bytes.size() < storage::segment_header_size) return;
  const auto segment_id = load_le<std::uint64_t>(bytes.data() + 20);
  const auto its = load_le<std::uint64_t>(bytes.data() + 28);
  store_le(bytes.data(),
           checksum(std::string_view(bytes).substr(8, storage::segment_header_size - 8),
                    checksum_key(its, segment_id)));
}

void mend_slot(std::string& bytes, std::uint64_t slot) {
  const std::size_t at =
      slot < 2 ? slot * storage::slot_bytes : 2 * storage::slot_bytes + (slot - 2) * storage::unit;
  if (at + storage::slot_header_size > bytes.size()) return;
  const std::size_t length =
      load_le<std::uint32_t>(bytes.data() + at + storage::slot_header_size - 4);
  if (length > bytes.size() - at - storage::slot_header_size) return;
  store_le(bytes.data() + at,
           checksum(std::string_view(bytes).substr(at + 8, storage::slot_header_size - 8 + length),
                    slot));
}

void edit(SimDisk& disk, Input& in) {
  const std::uint8_t how = in.u8();
  const std::string name = pick(disk, in);
  std::string bytes = contents(disk, name);
  const auto parsed = storage::parse_file_name(name);
  const std::uint64_t number = parsed ? parsed->number : in.u8();
  const std::size_t at = std::min<std::size_t>(in.u8() % 24 * unit + in.u8() % 64, bytes.size());
  switch (how % 11) {
    case 6:
      static_cast<void>(disk.remove(name));
      return;
    case 7:
      static_cast<void>(
          disk.rename(name, storage::file_name(static_cast<FileKind>(in.u8() % 3), in.u8() % 24)));
      return;
    case 8: {
      const std::string other = contents(disk, pick(disk, in));
      const std::size_t from = std::min<std::size_t>(in.u8() % 24 * unit, other.size());
      bytes.replace(at / unit * unit, unit, other.substr(from, unit));
      break;
    }
    case 5:
      bytes.resize(at);
      break;
    default: {
      const std::string_view now = in.bytes(how / 11);
      bytes.replace(at, std::min(now.size(), bytes.size() - at), now);
      break;
    }
  }
  if (how % 11 == 1) mend_record(bytes, at / unit * unit, number);
  if (how % 11 == 2) mend_header(bytes);
  if (how % 11 == 3) mend_slot(bytes, 0);
  if (how % 11 == 4) mend_slot(bytes, 1);
  if (how % 11 == 9) mend_slot(bytes, 2);
  if (how % 11 == 10) mend_slot(bytes, 3);
  static_cast<void>(disk.remove(name));
  require(bool(disk.write(name, 0, bytes)), "a sound disk writes");
}

void check_found(const Host& host, std::uint64_t bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < host.found_lines.size(); ++i) {
    require(host.found_lines[i].index == i + 1, "entries are in order, each once");
    total += host.found_lines[i].body.size();
  }
  require(total <= bytes, "no more is found than there is");
  if (!host.damage) return;
  require(host.damage->last_good == Index{host.found_lines.size()}, "what is good was handed out");
  require(!host.damage->what.empty() && !host.damage->file.empty(), "damage has words");
  if (!host.found_lines.empty())
    require(host.damage->floor_term >= Term{host.found_lines.back().term},
            "the floor is not below what was found");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_directory(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  static const std::unique_ptr<test::SimDisk> base = fuzz::sound();
  fuzz::Input in(data, size);
  const auto disk = base->clone();
  for (int edits = 0; edits < 16 && !in.done(); ++edits) fuzz::edit(*disk, in);
  Prng prng(1);
  disk->crash(prng, test::Crash::all_kept);
  std::uint64_t bytes = 0;
  for (const std::string& name : disk->durable_names()) bytes += disk->durable_size(name);

  test::Host host(*disk, fuzz::small_segments());
  if (!host.scan()) {
    const Code code = host.error->code;
    fuzz::require(code == Code::corrupt || code == Code::newer || code == Code::foreign,
                  "what can't be started on is corrupt, newer or another's");
    return 0;
  }
  fuzz::check_found(host, bytes);
  const test::Lines found = host.found_lines;
  fuzz::require(host.start_found(), "what was judged is started on");
  fuzz::require(host.read_all(3000) == found, "what was found is served");
  host.append(1000, 1, 10);
  fuzz::require(host.work(), "it goes on");
  const storage::HardState state = host.storage->hard_state();
  disk->crash(prng, test::Crash::all_lost);
  fuzz::require(host.scan() && !host.damage, "what was started on is sound");
  fuzz::require(host.found_hard_state == state, "its hard state is durable");
  fuzz::require(
      host.found_lines.size() == found.size() + 1 && test::is_prefix(found, host.found_lines),
      "its log is durable");
  return 0;
}
