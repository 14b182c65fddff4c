// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads a server's reply line as values, or finds that it is not one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/error_code.h"
#include "json/reader.h"

namespace zatt::client {

// How a request ended: done, or with one of a server's codes or of those that only a client finds.
enum class Outcome : std::uint8_t {
  ok,
#define ZATT_SERVER_ERROR(name, ...) name,
#define ZATT_CLIENT_ERROR(name, ...) name,
#include "codec/error_codes.def"
};
Outcome outcome_of(codec::ErrorCode code);
std::string_view to_string(Outcome outcome);

struct Item {
  std::string key;  // plain text
  std::string value;
  std::uint64_t rev = 0;
};

struct Member {
  std::string id;
  std::string host;
  std::uint16_t port = 0;
};

struct Reply {
  Outcome outcome = Outcome::ok;
  std::string message;  // a sentence for a person; empty where all is well
  bool found = false;
  std::optional<std::string> value;  // JSON text; incr's is in `number` too
  std::uint64_t rev = 0;
  std::int64_t number = 0;  // incr, count
  std::uint64_t at = 0;
  bool more = false;
  std::vector<Item> items;
  std::string line;  // without its newline; empty where no line came

  // Of status.
  std::string node;
  std::string cluster;  // empty before there is one
  std::optional<std::string> leader;
  std::vector<Member> members;
  std::string notice;  // what a person should know
};

class ReplyReader {
 public:
  // `line` has no newline and json::slack readable bytes behind it. Nothing where it is no reply:
  // not JSON, without "ok", or with a field that is not what the protocol says.
  std::optional<Reply> read(std::string_view line);

 private:
  json::Reader reader_;
};

}  // namespace zatt::client
