// SPDX-License-Identifier: AGPL-3.0-or-later
// What applying a command came to, as bytes that travel from the leader to the node that asked.
//
//   result | count u32 | `count` results: the parts                          (little-endian)
//
//   result: outcome u8 | found u8, 0 or 1 | rev u64 | length u32 | value text
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zatt::kv {

enum class Outcome : std::uint8_t {
  done = 0,              // a delete of an absent key too: found is false
  condition_failed = 1,  // the `if` did not hold: found, value, rev say what is there
  not_an_integer = 2,    // incr met something else: found, value, rev say what is there
  out_of_range = 3,      // incr would pass 64 bits, or met an integer past them: likewise
  malformed = 4,         // bytes that are no command; nothing changed (every node says the same)
};

struct Reply {
  Outcome outcome = Outcome::done;
  bool found = false;          // delete: the key was there
  std::uint64_t rev = 0;       // of the write, or of what is there; 0 where there is none
  std::string_view value{};    // incr: the new value's text; refusals: what is there
  std::vector<Reply> parts{};  // of a command that has some, in order; these have none
};

// Appends to `out`.
void encode(const Reply& reply, std::string& out);

// The views are borrowed from `bytes`. Nothing where the bytes are no reply.
std::optional<Reply> decode_reply(std::string_view bytes);

}  // namespace zatt::kv
