// SPDX-License-Identifier: AGPL-3.0-or-later
// The bytes of a segment: its header and its records, good or bad.
#include <string>
#include <vector>

#include "base/checksum.h"
#include "storage/format.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

constexpr std::uint64_t key = 12345;

void mend(char* record, std::size_t size) {
  store_le(record, checksum(std::string_view(record + 8, size - 8), key));
}

void check_header(std::string bytes, bool mended) {
  using storage::segment_header_size;
  if (mended && bytes.size() >= segment_header_size) {
    const auto segment_id = load_le<std::uint64_t>(bytes.data() + 20);
    const auto incarnation = load_le<std::uint64_t>(bytes.data() + 28);
    store_le(bytes.data(), checksum(std::string_view(bytes).substr(8, segment_header_size - 8),
                                    checksum_key(incarnation, segment_id)));
  }
  const storage::HeaderRead read = storage::decode_header(bytes);
  if (!read.header) return;
  require(read.format == storage::log_format, "a header is of this format");
  const std::string again = storage::encode(*read.header);
  require(again.size() == storage::unit &&
              again.substr(0, segment_header_size) == bytes.substr(0, segment_header_size),
          "a header has one encoding");
}

// Records with the fields that the input says, at the places that it says.
std::string lay_out(Input& in) {
  std::string bytes;
  while (!in.done() && bytes.size() < 60'000) {
    const std::uint8_t how = in.u8();
    if (how % 4 == 0) {  // anything
      bytes += in.bytes(how / 4);
      continue;
    }
    if (how % 4 == 1) bytes.resize(storage::round_up(bytes.size()), '\0');
    const std::size_t at = bytes.size();
    bytes += in.bytes(storage::record_header_size);
    bytes.resize(at + storage::record_header_size, '\0');
    const std::size_t length = in.u8();
    bytes.append(length, 'b');
    store_le(bytes.data() + at + 8, static_cast<std::uint32_t>(length));
    if (how % 4 != 3) mend(bytes.data() + at, storage::record_header_size + length);
  }
  return bytes;
}

void check_walk(const std::string& bytes) {
  const std::uint64_t begin = storage::unit;
  storage::RecordWalk walk(bytes, begin, key);
  std::uint64_t end = begin;
  std::uint64_t total = 0;
  while (const auto record = walk.next()) {
    require(walk.offset() >= end, "records do not overlap");
    end = walk.offset() + record->size();
    require(end <= begin + bytes.size() && walk.position() == end, "a record is in the bytes");
    require(record->kind != 0, "zeros are no record");
    const auto again =
        storage::decode_record(std::string_view(bytes).substr(walk.offset() - begin), key);
    require(again && again->checksum == record->checksum && again->body == record->body,
            "a record is what stands there");
    total += record->size();
  }
  require(total <= bytes.size(), "no more is read than there is");
}

// Entries written as records are those read.
void check_written(Input& in) {
  storage::RecordBuffer buffer;
  std::vector<std::string> bodies;
  const std::uint64_t first = 1 + in.u16();
  while (!in.done() && bodies.size() < 100) bodies.emplace_back(in.bytes(in.u8()));
  for (std::size_t i = 0; i < bodies.size(); ++i)
    buffer.add({Index{first + i}, Term{i / 3}, 0, EntryKind::command, bodies[i]});
  storage::LogEnd end{Index{first - 1}, Term{0}, 77};
  const storage::LogEnd sealed = buffer.seal(0, bodies.size(), end, Index{first - 1}, key);
  const std::string bytes = buffer.take(0, bodies.size());
  storage::RecordWalk walk(bytes, 0, key);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto record = walk.next();
    require(record && record->index == Index{first + i} && record->term == Term{i / 3} &&
                record->previous == end.checksum && record->body == bodies[i],
            "what is written is read");
    end.checksum = record->checksum;
  }
  require(!walk.next() && (bodies.empty() || end.checksum == sealed.checksum), "and no more");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_segment(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  switch (in.u8() % 5) {
    case 0:
      fuzz::check_header(std::string(in.rest()), false);
      break;
    case 1:
      fuzz::check_header(std::string(in.rest()), true);
      break;
    case 2:
      fuzz::check_walk(std::string(in.rest()));
      break;
    case 3:
      fuzz::check_walk(fuzz::lay_out(in));
      break;
    default:
      fuzz::check_written(in);
  }
  return 0;
}
