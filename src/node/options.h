// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node is told when it is opened. zattd fills it from flags, environment and file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/instrumentation.h"
#include "base/types.h"

namespace zatt::node {

struct Options {
  std::string id;
  std::map<std::string, Address> cluster;   // every initial member by id, this one included
  std::string storage;                      // the directory's name, for messages
  std::uint64_t election_timeout_ms = 600;  // drawn anew between this and twice this
  std::uint64_t segment_bytes = 4 << 20;
  // Of a line, without its newline: a value of 1 MiB, and what stands around it.
  std::uint64_t max_request_bytes = (1 << 20) + (64 << 10);
  std::uint64_t max_buffer_bytes = 64 << 20;    // held for all clients; at least four requests
  std::uint64_t max_append_bytes = 256 << 10;   // of one message of entries; a larger entry alone
  std::uint64_t max_in_flight_bytes = 1 << 20;  // sent to one follower and not answered
  std::uint64_t max_log_bytes = 4 << 20;        // of applied entries kept in memory
  bool create = true;   // false: an empty directory is an error ("create": "never")
  std::string version;  // of the program, for status
  Instrumentation* instrumentation = nullptr;  // borrowed
};

}  // namespace zatt::node
