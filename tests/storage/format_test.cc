// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/format.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/text.h"
#include "storage/slots.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}

}  // namespace

TEST_CASE("format: the literal bytes of a segment") {
  test::SimDisk disk;
  test::Host host(disk);
  REQUIRE(host.start());
  const std::vector<EntryView> entries = {
      {Index{1}, Term{2}, 0, EntryKind::noop, ""},
      {Index{2}, Term{2}, 1'700'000'000'000'000, EntryKind::command, "hello"},
  };
  host.storage->write({.number = WriteNumber{1}, .append = entries});
  REQUIRE(host.note());
  const std::string bytes = *disk.read("0000000001.seg", 0, 5 * unit);
  CHECK(hex(std::string_view(bytes).substr(0, segment_header_size)) ==
        "55071ae429670b4b"                  // checksum
        "0a7a617474736567"                  // magic
        "03000000"                          // format
        "0100000000000000"                  // segment
        "4d00000000000000"                  // incarnation
        "0100000000000000"                  // first_index
        "00000000000000000000000000000000"  // predecessor_term, predecessor_checksum
        "00800000000000000000000000000000"  // size, copied_index
        "0000000000000000"                  // copied_checksum
  );
  CHECK(hex(std::string_view(bytes).substr(unit, 2 * record_header_size + 5)) ==
        "37ab82184e7e3705"  // checksum
        "0000000001"        // length, kind
        "0100000000000000"
        "0200000000000000"  // index, term
        "0000000000000000"  // time_us
        "0000000000000000"
        "0000000000000000"  // durable_index, previous
        "ec8a850d8de31635"
        "0500000003"
        "0200000000000000"
        "0200000000000000"
        "00401e18240a0600"
        "0000000000000000"
        "37ab82184e7e3705"  // the first record's checksum
        "68656c6c6f");
  std::string rest = bytes;
  rest.replace(0, segment_header_size, segment_header_size, '\0');
  rest.replace(unit, 2 * record_header_size + 5, 2 * record_header_size + 5, '\0');
  CHECK(rest == std::string(5 * unit, '\0'));

  // And read back, field by field.
  const auto header = decode_header(bytes).header;
  REQUIRE(header);
  CHECK(header->segment == 1);
  CHECK(header->incarnation == 77);
  CHECK(header->first_index() == Index{1});
  RecordWalk walk(std::string_view(bytes).substr(unit), unit, checksum_key(77, 1));
  const auto first = walk.next();
  REQUIRE(first);
  CHECK(first->kind == 1);
  CHECK(first->previous == 0);
  const auto second = walk.next();
  REQUIRE(second);
  CHECK(walk.offset() == unit + record_header_size);
  CHECK(second->index == Index{2});
  CHECK(second->term == Term{2});
  CHECK(second->time_us == 1'700'000'000'000'000);
  CHECK(second->entry().time_us == second->time_us);
  CHECK(second->durable_index == Index{0});
  CHECK(second->previous == first->checksum);
  CHECK(second->body == "hello");
  CHECK(!walk.next());
}

TEST_CASE("format: a real header of format 2 is told from damage") {
  std::string bytes = from_hex(
      "c5a19cc9e0a280550a7a6174747365670200000001000000000000007d3fbbb8085ea59e0100000000000000"
      "00000000000000000000000000000000000001000000000000000000000000000000000000000000");
  REQUIRE(bytes.size() == segment_header_size);
  CHECK(!decode_header(bytes).header);
  CHECK(decode_header(bytes).format == 2);
  bytes[16] = 3;  // under another's checksum
  CHECK(decode_header(bytes).format == 0);
}

TEST_CASE("format: records of another segment or directory are noise") {
  RecordBuffer buffer;
  buffer.add({Index{3}, Term{1}, 0, EntryKind::noop, ""});
  buffer.seal(0, 1, {Index{2}, Term{1}, 9}, Index{0}, checksum_key(77, 1));
  const std::string record = buffer.take(0, 1);
  CHECK(decode_record(record, checksum_key(77, 1)));
  CHECK(!decode_record(record, checksum_key(77, 2)));
  CHECK(!decode_record(record, checksum_key(78, 1)));
  for (std::size_t size = 0; size < record_header_size; ++size)
    CHECK(!decode_record(record.substr(0, size), checksum_key(77, 1)));
}

TEST_CASE("format: names") {
  CHECK(file_name(FileKind::segment, 7) == "0000000007.seg");
  CHECK(file_name(FileKind::unfinished, 12345678901) == "12345678901.new");
  for (const FileKind kind : {FileKind::segment, FileKind::unfinished, FileKind::spare}) {
    const auto parsed = parse_file_name(file_name(kind, 42));
    REQUIRE(parsed);
    CHECK(parsed->kind == kind);
    CHECK(parsed->number == 42);
  }
  for (const char* name : {"", ".seg", "7.seg", "00000000007.seg", "000000000x.seg", "hard_state",
                           "0000000007.seg~", "0000000007", "99999999999999999999.seg"})
    CHECK(!parse_file_name(name));
}

TEST_CASE("format: what another version wrote is refused by both numbers, not guessed at") {
  test::SimDisk disk;
  test::Host host(disk);
  REQUIRE(host.start());
  test::lose_power(disk);
  const auto refusal = [&](const std::string& name, std::uint64_t offset, std::string bytes) {
    const auto changed = disk.clone();
    changed->overwrite_at_rest(name, offset, bytes);
    test::Host next(*changed);
    CHECK(!next.scan());
    return next.error.value_or(Error{Code::io, 0, "", ""});
  };
  const auto of_format = [](char format, std::string bytes, std::size_t size, std::uint64_t key) {
    bytes[16] = format;
    store_le(bytes.data(), checksum(std::string_view(bytes).substr(8, size - 8), key));
    return bytes;
  };
  const std::string header = disk.durable_read("0000000001.seg", 0, unit);
  const auto log_of_format = [&](char format) {
    return refusal("0000000001.seg", 0,
                   of_format(format, header, segment_header_size, checksum_key(77, 1)));
  };
  const Error log = log_of_format(4);
  CHECK(log.code == Code::newer);
  CHECK(log.detail == "zatt.0.persist/0000000001.seg: format 4, this version knows 3");
  const Error older_log = log_of_format(2);
  CHECK(older_log.code == Code::foreign);
  CHECK(older_log.detail == "zatt.0.persist/0000000001.seg: format 2, this version knows 3");

  const std::string slot = disk.durable_read("hard_state", slot_bytes, unit);
  const std::size_t size = slot_header_size + load_le<std::uint32_t>(slot.data() + 28);
  const Error state = refusal("hard_state", slot_bytes, of_format(4, slot, size, 1));
  CHECK(state.code == Code::newer);
  CHECK(state.detail == "zatt.0.persist/hard_state: format 4, this version knows 3");
  const Error older_state = refusal("hard_state", slot_bytes, of_format(2, slot, size, 1));
  CHECK(older_state.code == Code::foreign);
  CHECK(older_state.detail == "zatt.0.persist/hard_state: format 2, this version knows 3");

  RecordBuffer buffer;
  buffer.add({Index{1}, Term{1}, 0, static_cast<EntryKind>(4), "?"});
  buffer.seal(0, 1, {}, Index{0}, checksum_key(77, 1));
  const Error kind = refusal("0000000001.seg", unit, buffer.take(0, 1));
  CHECK(kind.code == Code::newer);
}

}  // namespace zatt::storage
