// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/reply.h"

#include <limits>

#include "base/assert.h"
#include "base/bytes.h"

namespace zatt::kv {

namespace {

constexpr std::size_t least_result_bytes = 1 + 1 + 8 + 4;

void write_result(const Reply& result, Writer& w) {
  ZATT_ASSERT(result.value.size() <= std::numeric_limits<std::uint32_t>::max());
  w.u8(static_cast<std::uint8_t>(result.outcome));
  w.u8(result.found ? 1 : 0);
  w.u64(result.rev);
  w.bytes(result.value);
}

Reply read_result(Reader& r) {
  const std::uint8_t outcome = r.u8();
  const std::uint8_t found = r.u8();
  if (outcome > static_cast<std::uint8_t>(Outcome::malformed) || found > 1) r.fail();
  const std::uint64_t rev = r.u64();
  return {static_cast<Outcome>(outcome), found == 1, rev, r.bytes()};
}

}  // namespace

void encode(const Reply& reply, std::string& out) {
  Writer w(out);
  write_result(reply, w);
  w.u32(static_cast<std::uint32_t>(reply.parts.size()));
  for (const Reply& part : reply.parts) {
    ZATT_ASSERT(part.parts.empty());
    write_result(part, w);
  }
}

std::optional<Reply> decode_reply(std::string_view bytes) {
  Reader r(bytes);
  Reply reply = read_result(r);
  const std::uint32_t count = r.u32();
  if (!r.ok() || count > r.left() / least_result_bytes) return std::nullopt;
  reply.parts.reserve(count);
  for (std::uint32_t i = 0; i < count && r.ok(); ++i) reply.parts.push_back(read_result(r));
  if (!r.done()) return std::nullopt;
  return reply;
}

}  // namespace zatt::kv
