// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's line, checked against every rule of the protocol, as a Request or a Refusal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "codec/reply.h"

namespace zatt::codec {

enum class RequestOp : std::uint8_t { ping, status, get, scan, count, set, del, incr };

inline bool is_write(RequestOp op) { return op >= RequestOp::set; }
inline bool is_read(RequestOp op) {
  return op == RequestOp::get || op == RequestOp::scan || op == RequestOp::count;
}

struct Request {
  RequestOp op = RequestOp::ping;
  std::string id;  // the JSON text of `id` as it came; empty where there was none
  std::uint32_t timeout_ms = 5000;
  bool stale = false;                // get, scan, count
  std::string key;                   // get: unescaped
  std::string prefix;                // scan, count: unescaped
  std::optional<std::string> after;  // scan: unescaped
  std::uint32_t limit = 1000;        // scan
  bool keys_only = false;            // scan
  std::string command;               // set, delete, incr: kv::encode's bytes
};

// Why a line is refused. `id` is the line's own where it could be read.
struct Refusal {
  ErrorCode code = ErrorCode::bad_request;
  std::string message;
  std::string id;
};

// What reads who speaks something else: an example, and where to read on.
inline constexpr std::string_view how_to_ask =
    R"(this port takes JSON objects, one a line, such as {"op":"get","key":"key1"}; see )"
    R"(docs/PROTOCOL.md, or `zatt help` for the command that sends them)";

// Bytes that must be readable behind a line handed to parse(); what they hold does not matter.
inline constexpr std::size_t line_slack = 64;

class RequestParser {
 public:
  RequestParser();
  ~RequestParser();

  // `line` has no newline; `line_slack` bytes behind it are readable. Nothing is kept of it.
  std::variant<Request, Refusal> parse(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::codec
