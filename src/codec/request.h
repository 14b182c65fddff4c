// SPDX-License-Identifier: AGPL-3.0-or-later
// What a client asks of a node, in whatever protocol it was said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "codec/error_code.h"
#include "kv/command.h"

namespace zatt::codec {

struct Ping {};
struct GetStatus {};

// Questions about the dictionary. Keys and prefixes are unescaped.
struct Get {
  std::string key;
};
struct Scan {
  std::string prefix;
  std::optional<std::string> after;
  std::uint32_t limit = 1000;
  bool keys_only = false;
};
struct Count {
  std::string prefix;
};
struct Read {
  std::variant<Get, Scan, Count> query;
  bool stale = false;  // answered from the state as it is
};

// A change of the dictionary.
struct Write {
  kv::Op op = kv::Op::set;
  std::string command;  // kv::encode's bytes
};

// Of this process, for a state machine of its own: a command, and the question whether all that
// was committed when this was asked has been applied.
struct Proposal {
  std::string command;
};
struct Barrier {};

// Why a request failed. The message is for a person.
struct Failure {
  ErrorCode code = ErrorCode::bad_request;
  std::string message;
};

// What is no request, and is told so in its turn.
struct Malformed {
  Failure failure;
};

using Operation = std::variant<Ping, GetStatus, Read, Write, Proposal, Barrier, Malformed>;

struct Request {
  Operation operation;
  std::uint32_t timeout_ms = 5000;
  std::string id{};  // the protocol's own, given back with the response; empty where there is none
};

// What a request that is longer than `max_bytes` (max_request_bytes) is answered with.
Failure too_large(std::size_t max_bytes);
// And one that nobody has room to wait for.
Failure no_room_for_it();

}  // namespace zatt::codec
