// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/reply.h"

#include <limits>

#include "base/assert.h"
#include "base/bytes.h"

namespace zatt::kv {

void encode(const Reply& reply, std::string& out) {
  ZATT_ASSERT(reply.value.size() <= std::numeric_limits<std::uint32_t>::max());
  Writer w(out);
  w.u8(static_cast<std::uint8_t>(reply.outcome));
  w.u8(reply.found ? 1 : 0);
  w.u64(reply.rev);
  w.bytes(reply.value);
}

std::optional<Reply> decode_reply(std::string_view bytes) {
  Reader r(bytes);
  const std::uint8_t outcome = r.u8();
  const std::uint8_t found = r.u8();
  Reply reply;
  reply.rev = r.u64();
  reply.value = r.bytes();
  if (!r.done() || outcome > static_cast<std::uint8_t>(Outcome::malformed) || found > 1)
    return std::nullopt;
  reply.outcome = static_cast<Outcome>(outcome);
  reply.found = found == 1;
  return reply;
}

}  // namespace zatt::kv
