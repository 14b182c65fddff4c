// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/request.h"

namespace zatt::codec {

Failure too_large(std::size_t max_bytes) {
  return {ErrorCode::too_large,
          "a request may be up to " + std::to_string(max_bytes) +
              " bytes long here; max_request_bytes in this node's configuration raises that (to "
              "16777216)"};
}

Failure no_room_for_it() {
  return {ErrorCode::overloaded,
          "too many long requests are on their way here, and this one was too slow; nothing of it "
          "was carried out"};
}

}  // namespace zatt::codec
