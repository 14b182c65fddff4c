// SPDX-License-Identifier: AGPL-3.0-or-later
// What a program asks of a cluster, and the line that says it.
//
// A caller's texts are checked here, to the last token, before a byte is sent: what is pasted
// unchecked into a line could be another request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/reader.h"

namespace zatt::client {

enum class Op : std::uint8_t { get, set, del, incr, scan, count, status, ping, line };

struct Condition {
  enum class Kind : std::uint8_t { none, absent, exists, rev, value };
  Kind kind = Kind::none;
  std::uint64_t rev = 0;
  std::string value;  // JSON text
};

struct Request {
  Op op = Op::ping;
  std::string key;    // get, set, delete, incr: plain text
  std::string value;  // set: JSON text; line: the line without its newline
  Condition condition;
  std::int64_t by = 1;
  std::string prefix;                // scan, count
  std::optional<std::string> after;  // scan
  std::uint32_t limit = 0;           // scan; 0: the server's default
  bool keys_only = false;            // scan
  bool stale = false;                // get, scan, count
};

class RequestWriter {
 public:
  // The request as a line, but for its end, which says how long the server may try and is added
  // when it is sent. Code::invalid with a sentence where the request breaks a rule.
  Result<std::string> begin(const Request& request);
  // The rest, with its newline. A line of the caller's own only gets the newline.
  static void end(std::string& line, Op op, std::uint32_t timeout_ms);

  // Whether carrying it out twice, or late, harms nobody. A line that cannot be read is taken for
  // a write.
  bool only_reads(const Request& request);

 private:
  Status append_text(std::string& out, std::string_view field, std::string_view characters);
  Status append_value(std::string& out, std::string_view field, std::string_view text);
  Error not_json(std::string_view field, std::string_view text, const json::ParseError& fault);
  Status append_condition(std::string& out, const Condition& condition);
  Status append_fields(std::string& out, const Request& request);

  json::Reader reader_;
  std::string scratch_;
};

}  // namespace zatt::client
